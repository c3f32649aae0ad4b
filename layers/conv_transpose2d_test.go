package layers

import (
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers/layertest"
	"github.com/pumice-ml/pumice/testdata"
)

func TestConvTranspose2D(t *testing.T) {
	for _, c := range []struct {
		in, out, height, width, groups int
		stride, padding, extra         int
		dilation                       int
		x                              []int
	}{
		{2, 3, 3, 3, 1, 1, 0, 0, 1, []int{2, 2, 5, 4}},
		{3, 2, 4, 3, 1, 2, 1, 1, 1, []int{2, 3, 5, 3}},
		{4, 6, 3, 3, 2, 1, 1, 1, 2, []int{1, 4, 7, 5}},
	} {
		l := NewConvTranspose2DGroups(c.in, c.out, c.height, c.width, c.groups)
		l.Stride, l.Padding, l.OutputPadding, l.Dilation = c.stride, c.padding, c.extra, c.dilation
		t.Run(l.String(), func(t *testing.T) { layertest.Run(t, l, layertest.Shape(c.x...)) })
	}
}

func TestPyTorchConvTranspose2D(t *testing.T) {
	for _, c := range testdata.PyTorch("conv_transpose2d") {
		w := c.Shape("weight")
		l := NewConvTranspose2DGroups(c.Int("in_channels"), c.Int("out_channels"), w[2], w[3], c.Int("groups"))
		l.Stride, l.Padding, l.OutputPadding, l.Dilation = c.Int("stride"), c.Int("padding"), c.Int("output_padding"), c.Int("dilation")
		check(t, c, l, &l.Weight, &l.Bias)
	}
}

func TestConvTranspose2DPanics(t *testing.T) {
	tape := compute.NewTape(compute.Reference())
	x := tape.Input("x", compute.F32, 2, 3, 4, 5)
	panics(t, "layers: ConvTranspose2D: input shape [2 3 4 5], want (n, 2, h, w)", func() { NewConvTranspose2D(2, 3, 3).Forward(tape, x) })
	panics(t, "layers: NewConvTranspose2D: 3 to 4 channels in 2 groups, kernel 1x1, want 1 or more of each, and groups that divide both", func() { NewConvTranspose2DGroups(3, 4, 1, 1, 2) })
	panics(t, "layers: NewConvTranspose2D: 0 to 4 channels in 1 groups, kernel 3x3, want 1 or more of each, and groups that divide both", func() { NewConvTranspose2D(0, 4, 3) })
	l := NewConvTranspose2D(3, 2, 3)
	l.OutputPadding = 1
	panics(t, "layers: ConvTranspose2D: padding 0, output padding 1, want output padding less than stride 1 or dilation 1", func() { l.Forward(tape, x) })
	l.OutputPadding, l.Padding = 0, 3
	panics(t, "layers: ConvTranspose2D: input shape [2 3 4 5], want an image that leaves an output, not 0x1", func() { l.Forward(tape, x) })
}
