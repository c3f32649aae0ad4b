package layers

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/internal/tapeoption"
)

// TestConv2DDirect judges the kernels at shapes whose channels and rows do not fill an
// invocation, and that are more than a workgroup, in grids that are folded, and in
// splits of which some have no spots.
func TestConv2DDirect(t *testing.T) {
	dev := devicetest.Open(t)
	devicetest.NoLeaks(t, dev)
	for _, d := range convDirects {
		for _, c := range convCases {
			t.Run(fmt.Sprint(d.name, c), func(t *testing.T) {
				tape := compute.NewTape(dev, &tapeoption.Switches{Row: 4})
				p, values := c.params(), map[*compute.Tensor][]float32{}
				x, dy := input(tape, values, "x", c.n, c.n, c.in, c.height, c.width), input(tape, values, "dy", c.n, c.n, c.out, int(p.OH), int(p.OW))
				w, b := input(tape, values, "w", 1, c.out, c.in/c.groups, c.kernel, c.kernel), input(tape, values, "b", 1, c.out)
				y, dx, part := tape.Zeros(dy.Shape()...), tape.Zeros(x.Shape()...), tape.New(int(p.Splits), p.length())
				d.split.Run(p, x, dy, part)
				for _, rectified := range []uint32{0, 1} { // the second run adds to the first
					p.Rectified = rectified
					d.forward.Run(p, x, w, b, y)
					d.backwardX.Run(p, w, dy, dx)
				}
				tape.Keep(y, dx, part)
				var without []string
				if !devicetest.Full() {
					without = unbaked()
				}
				found, err := devicetest.Verify(tape, writeAll(values), without...)
				devicetest.Check(t, found, err)
			})
		}
	}
}

// TestConv2DDirectTakes wants the kernels for what the tiles are not for, and no others.
func TestConv2DDirectTakes(t *testing.T) {
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
			if d.takes(false, convParams{R: uint32(c.taps), S: uint32(c.taps)}, c.channels, c.terms) {
				got += d.name
			}
		}
		if got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

// TestConv2DDirectWeights wants the gradient of the weights, with and without that of the
// bias, from the kernels where a tape asks for them, in rows of up to 12 taps.
func TestConv2DDirectWeights(t *testing.T) {
	dev := devicetest.Open(t)
	devicetest.NoLeaks(t, dev)
	for _, c := range []struct {
		variant string
		layer   *Conv2D
		size    int
	}{
		{"direct", NewConv2D(1, 8, 5), 28}, {"direct", NewConv2DGroups(6, 10, 2, 12, 2), 15}, {"direct_depthwise", NewConv2DGroups(9, 9, 3, 3, 9), 21},
	} {
		for _, biased := range []bool{true, false} {
			t.Run(fmt.Sprint(c.variant, c.layer, biased), func(t *testing.T) {
				l := *c.layer
				Initialize(&l, 3)
				defer dev.Forget(l.Weight, l.Bias)
				if !biased {
					l.Bias = nil
				}
				tape, values := compute.NewTape(dev, &tapeoption.Switches{Variant: c.variant}), map[*compute.Tensor][]float32{}
				x := input(tape, values, "x", 1, 3, l.Weight.Shape[1]*l.Groups, c.size, c.size)
				y := l.Forward(tape, x)
				tape.SetGrad(y, input(tape, values, "dy", 1, y.Shape()...))
				tape.BackwardFromGrads()
				tape.Keep(tape.Grad(tape.Param(l.Weight)))
				if !slices.ContainsFunc(devicetest.Lowered(tape), func(d ir.Dispatch) bool {
					return strings.HasPrefix(d.Kernel.Name(), "conv2d_direct_weights.split")
				}) {
					t.Error("another kernel computes it")
				}
				found, err := devicetest.Verify(tape, writeAll(values))
				devicetest.Check(t, found, err)
			})
		}
	}
}

// TestConv2DDirectRanges wants the kernels for weights of few channels on GPUs, in splits
// that are enough work, and none where a tile does it or spots are few.
func TestConv2DDirectRanges(t *testing.T) {
	for _, c := range []struct {
		x, w   []int
		groups int
		want   string
		splits int
	}{
		{[]int{64, 1, 28, 28}, []int{8, 1, 5, 5}, 1, "direct", 26},                   // 10 workgroups a split
		{[]int{64, 256, 28, 28}, []int{256, 1, 3, 3}, 256, "direct_depthwise", 1},    // 768
		{[]int{2, 8, 12, 12}, []int{8, 1, 3, 3}, 8, "", 0},                           // 200 spots
		{[]int{4, 8, 18, 18}, []int{8, 1, 3, 3}, 8, "direct_depthwise", 4},           // 1,024 spots
		{[]int{9999, 512, 18, 18}, []int{512, 1, 3, 3}, 512, "direct_depthwise", 52}, // as many splits as loops need
		{[]int{64, 1, 40, 40}, []int{8, 1, 13, 13}, 1, "", 0},                        // a row of 13 taps
		{[]int{64, 64, 28, 28}, []int{64, 64, 3, 3}, 1, "", 0},                       // tiles
	} {
		p := convShape(c.x, c.w, 1, 0, 1, c.groups)
		splits := p.directRanges()
		if p.Splits = p.splitsOn(compute.Info{Type: "discrete"}); splits > 0 && p.Splits != splits {
			t.Errorf("%v by %v: %d splits on a GPU, want %d", c.x, c.w, p.Splits, splits)
		}
		got := ""
		for _, d := range convDirects {
			if d.takesWeights(false, p) {
				got += d.name
			}
		}
		if got != c.want || int(splits) != c.splits {
			t.Errorf("%v by %v: %q in %d splits, want %q in %d", c.x, c.w, got, splits, c.want, c.splits)
		}
	}
}
