package layers

import (
	"context"
	"fmt"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
)

// TestConv2DDirect judges the kernels at shapes whose channels and rows do not fill an
// invocation, and that are more than a workgroup, in grids that are folded.
func TestConv2DDirect(t *testing.T) {
	dev := devicetest.Open(t)
	devicetest.NoLeaks(t, dev)
	for _, d := range convDirects {
		for _, c := range convCases {
			t.Run(fmt.Sprint(d.name, c), func(t *testing.T) {
				tape := compute.NewTape(dev)
				tape.Row = 4
				p, values := c.params(), map[*compute.Tensor][]float32{}
				x, dy := input(tape, values, "x", c.n, c.n, c.in, c.height, c.width), input(tape, values, "dy", c.n, c.n, c.out, int(p.OH), int(p.OW))
				w, b := input(tape, values, "w", 1, c.out, c.in/c.groups, c.kernel, c.kernel), input(tape, values, "b", 1, c.out)
				y, dx := tape.Zeros(dy.Shape()...), tape.Zeros(x.Shape()...)
				for _, rectified := range []uint32{0, 1} { // the second run adds to the first
					p.Rectified = rectified
					d.forward.Run(p, x, w, b, y)
					d.backwardX.Run(p, w, dy, dx)
				}
				tape.Keep(y)
				tape.Keep(dx)
				found, err := tape.Verify(context.Background(), writeAll(values))
				devicetest.Check(t, found, err)
			})
		}
	}
}

// TestConv2DDirectTakes wants the kernels for what the tiles are not for, and no others.
func TestConv2DDirectTakes(t *testing.T) {
	tape := compute.NewTape(compute.Reference())
	for _, c := range []struct {
		taps            int
		channels, terms uint32
		want            string
	}{
		{3, 1, 9, "direct_depthwise"}, {3, 1, 5000, "direct_depthwise"}, {5, 8, 26, "direct"}, {1, 64, 9, "direct"},
		{1, 64, 65, ""}, {3, 12, 577, ""}, {11, 3, 5000, "direct"}, {12, 3, 5000, ""}, {3, 3, 50_001, ""},
	} {
		got := ""
		for _, d := range convDirects {
			if d.takes(tape, convParams{R: uint32(c.taps), S: uint32(c.taps)}, c.channels, c.terms) {
				got += d.name
			}
		}
		if got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}
