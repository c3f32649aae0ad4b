package layers

import (
	"fmt"
	"math"

	"github.com/pumice-ml/pumice/compute"
)

// ConvTranspose2D is the transposed convolution of PyTorch: what Conv2D's input
// gradient computes. Each element of the input adds the kernel, times itself, to
// the output at steps of Stride.
type ConvTranspose2D struct {
	Weight *compute.Param // (in, out/groups, height, width)
	Bias   *compute.Param // (out); nil for none

	Stride        int // default 1
	Padding       int // rows and columns left out of the output, on each side
	OutputPadding int // rows and columns added to the output at the bottom and right; less than Stride or Dilation
	Dilation      int // distance of the kernel's taps; default 1
	Groups        int // default 1; set it by NewConvTranspose2DGroups
}

// NewConvTranspose2D returns a transposed convolution with a square kernel and
// PyTorch's first values: weight and bias uniform in ±1/sqrt(out*kernel*kernel).
func NewConvTranspose2D(in, out, kernel int) *ConvTranspose2D {
	return NewConvTranspose2DGroups(in, out, kernel, kernel, 1)
}

// NewConvTranspose2DGroups returns a transposed convolution with a kernel of
// height by width whose channels are split into groups. It panics unless all are 1 or more and groups
// divides in and out.
func NewConvTranspose2DGroups(in, out, height, width, groups int) *ConvTranspose2D {
	if in < 1 || out < 1 || groups < 1 || in%groups != 0 || out%groups != 0 || height < 1 || width < 1 {
		panic(fmt.Sprintf("layers: NewConvTranspose2D: %d to %d channels in %d groups, kernel %dx%d, want 1 or more of each, and groups that divide both", in, out, groups, height, width))
	}
	// PyTorch takes the fan in from dimension 1, which here is out/groups.
	init := Uniform(1 / math.Sqrt(float64(out/groups*height*width)))
	return &ConvTranspose2D{
		Weight: newParam("weight", init, in, out/groups, height, width), Bias: newParam("bias", init, out), Groups: groups,
	}
}

// Forward takes (n, in, h, w) and returns (n, out, oh, ow) with oh = (h-1)*Stride
// - 2*Padding + Dilation*(height-1) + OutputPadding + 1. It panics where the
// channels differ or nothing is left of the output.
func (l *ConvTranspose2D) Forward(t *compute.Tape, x *compute.Tensor) *compute.Tensor {
	w := l.Weight.Shape
	groups, stride, dilation := max(l.Groups, 1), max(l.Stride, 1), max(l.Dilation, 1)
	want(len(x.Shape()) == 4 && x.Dim(1) == w[0], "ConvTranspose2D", x, "(n, %d, h, w)", w[0])
	if l.Padding < 0 || l.OutputPadding < 0 || l.OutputPadding >= max(stride, dilation) {
		panic(fmt.Sprintf("layers: ConvTranspose2D: padding %d, output padding %d, want output padding less than stride %d or dilation %d", l.Padding, l.OutputPadding, stride, dilation))
	}
	size := func(n, kernel int) int {
		return (n-1)*stride - 2*l.Padding + dilation*(kernel-1) + l.OutputPadding + 1
	}
	h, width := size(x.Dim(2), w[2]), size(x.Dim(3), w[3])
	want(x.Dim(2) > 0 && x.Dim(3) > 0 && h > 0 && width > 0, "ConvTranspose2D", x, "an image that leaves an output, not %dx%d", h, width)
	// The convolution from y to x, whose input gradient this is.
	p := convShape([]int{x.Dim(0), w[1] * groups, h, width}, w, stride, l.Padding, dilation, groups)
	p.OH, p.OW = uint32(x.Dim(2)), uint32(x.Dim(3))
	weight := t.Param(l.Weight)
	y := t.Zeros(x.Dim(0), w[1]*groups, h, width)
	t.OnBackward(func() {
		p.weightGradient(t, t.Grad(y), x, t.Grad(weight), nil)
		p.forward(t.Grad(y), weight, weight, t.Grad(x))
	})
	sumAndBias(y, func() { p.inputGradient(weight, x, y) }, func() {
		if l.Bias != nil {
			addBias(t, y, t.Param(l.Bias), x.Dim(0), h*width)
		}
	})
	return y
}

// Walk visits weight and bias.
func (l *ConvTranspose2D) Walk(visit func(name string, p *compute.Param)) {
	visit("weight", l.Weight)
	if l.Bias != nil {
		visit("bias", l.Bias)
	}
}

func (l *ConvTranspose2D) String() string {
	w, groups := l.Weight.Shape, max(l.Groups, 1)
	return fmt.Sprintf("ConvTranspose2D(%d, %d, %dx%d%s)", w[0], w[1]*groups, w[2], w[3],
		options("stride", l.Stride, 1, "padding", l.Padding, 0, "output padding", l.OutputPadding, 0, "dilation", l.Dilation, 1, "groups", groups, 1))
}
