package layers

import (
	"fmt"
	"math"

	"github.com/pumice-ml/pumice/compute"
)

// Conv2D is the two-dimensional convolution of PyTorch (cross-correlation): each
// output channel is the sum of the input channels of its group, each weighted by
// a small kernel that slides over the image, plus a bias.
type Conv2D struct {
	Weight *compute.Param // (out, in/groups, height, width)
	Bias   *compute.Param // (out); nil for none

	Stride   int // default 1
	Padding  int // zeros around the image, on each side
	Dilation int // distance of the kernel's taps; default 1
	Groups   int // default 1; set it by NewConv2DGroups
}

// NewConv2D returns a convolution with a square kernel and PyTorch's first
// values: weight and bias uniform in ±1/sqrt(in*kernel*kernel).
func NewConv2D(in, out, kernel int) *Conv2D { return NewConv2DGroups(in, out, kernel, kernel, 1) }

// NewConv2DGroups returns a convolution with a kernel of height by width whose
// channels are split into groups. It panics unless groups divides in and out.
func NewConv2DGroups(in, out, height, width, groups int) *Conv2D {
	if groups < 1 || in%groups != 0 || out%groups != 0 || height < 1 || width < 1 {
		panic(fmt.Sprintf("layers: NewConv2D: %d to %d channels in %d groups, kernel %dx%d", in, out, groups, height, width))
	}
	init := Uniform(1 / math.Sqrt(float64(in/groups*height*width)))
	return &Conv2D{
		Weight: newParam("weight", init, out, in/groups, height, width), Bias: newParam("bias", init, out), Groups: groups,
	}
}

// Forward takes (n, in, h, w) and returns (n, out, oh, ow) with oh = (h +
// 2*Padding - Dilation*(height-1) - 1)/Stride + 1.
func (l *Conv2D) Forward(t *compute.Tape, x *compute.Tensor) *compute.Tensor {
	w := l.Weight.Shape
	groups := max(l.Groups, 1)
	want(len(x.Shape()) == 4 && x.Dim(1) == w[1]*groups, "Conv2D", x, "(n, %d, h, w)", w[1]*groups)
	p := convShape(x.Shape(), w, max(l.Stride, 1), l.Padding, max(l.Dilation, 1), groups)
	want(p.OH > 0 && p.OW > 0, "Conv2D", x, "an image of %dx%d or larger for kernel %dx%d", w[2]-2*l.Padding, w[3]-2*l.Padding, w[2], w[3])
	weight, bias := t.Param(l.Weight), t.Param(l.Weight)
	if l.Bias != nil {
		bias, p.Biased = t.Param(l.Bias), 1
	}
	y := t.New(int(p.N), int(p.K), int(p.OH), int(p.OW))
	convForwardRun(p, x, weight, bias, y)
	t.OnBackward(func() {
		if l.Bias != nil {
			biasGradient(t, biasParams{Batch: p.N, Channels: p.K, Size: p.OH * p.OW}, t.Grad(y), t.Grad(bias))
		}
		convWeightGradient(t, p, x, t.Grad(y), t.Grad(weight))
		convInputGradient(p, weight, t.Grad(y), t.Grad(x))
	})
	return y
}

// Walk visits weight and bias.
func (l *Conv2D) Walk(visit func(name string, p *compute.Param)) {
	visit("weight", l.Weight)
	if l.Bias != nil {
		visit("bias", l.Bias)
	}
}

func (l *Conv2D) String() string {
	w := l.Weight.Shape
	s := fmt.Sprintf("Conv2D(%d, %d, %dx%d", w[1]*max(l.Groups, 1), w[0], w[2], w[3])
	for _, o := range []struct {
		name           string
		value, nothing int
	}{{"stride", l.Stride, 1}, {"padding", l.Padding, 0}, {"dilation", l.Dilation, 1}, {"groups", l.Groups, 1}} {
		if o.value != 0 && o.value != o.nothing {
			s += fmt.Sprintf(", %s %d", o.name, o.value)
		}
	}
	return s + ")"
}

type convParams struct {
	N, C, H, W, K, R, S, OH, OW                                uint32
	StrideH, StrideW, PadH, PadW, DilationH, DilationW, Groups uint32
	Biased, Window                                             uint32
}

// convShape is the convolution of x (n, c, h, w) with weights (k, c/groups, r,
// s); OH or OW is 0 where the kernel does not fit.
func convShape(x, w []int, stride, pad, dilation, groups int) convParams {
	size := func(n, kernel int) uint32 {
		return uint32(max(0, (n+2*pad-dilation*(kernel-1)-1+stride)/stride))
	}
	return convParams{
		N: uint32(x[0]), C: uint32(x[1]), H: uint32(x[2]), W: uint32(x[3]), K: uint32(w[0]), R: uint32(w[2]), S: uint32(w[3]),
		OH: size(x[2], w[2]), OW: size(x[3], w[3]),
		StrideH: uint32(stride), StrideW: uint32(stride), PadH: uint32(pad), PadW: uint32(pad),
		DilationH: uint32(dilation), DilationW: uint32(dilation), Groups: uint32(groups),
	}
}

// maxWindow is the widest stretch of a row that a kernel holds in registers.
const maxWindow = 64

// windowed sets the window and panics where it is wider than the kernels hold.
func (p convParams) windowed(columns uint32) convParams {
	if p.Window = columns; columns > maxWindow || p.S > maxWindow {
		panic(fmt.Sprintf("layers: Conv2D: kernel width %d, dilation %d and stride %d span %d columns, want at most %d", p.S, p.DilationW, p.StrideW, columns, maxWindow))
	}
	return p
}

func convForwardRun(p convParams, x, weight, bias, y *compute.Tensor) {
	p = p.windowed(3*p.StrideW + (p.S-1)*p.DilationW + 1)
	convForward.Run(p, x, weight, bias, y)
}

func convInputGradient(p convParams, weight, dy, dx *compute.Tensor) {
	if p.StrideH == 1 && p.StrideW == 1 {
		convBackwardX.Run(p.windowed((p.S-1)*p.DilationW+4), weight, dy, dx)
		return
	}
	convBackwardXPlain.Run(p, weight, dy, dx)
}

// convWeightGradient splits the output rows so that there are about 4,096
// invocations and none runs for longer than the loop budget.
func convWeightGradient(t *compute.Tape, c convParams, x, dy, dw *compute.Tensor) {
	c = c.windowed(3*c.StrideW + (c.S-1)*c.DilationW + 1)
	rows, across := c.N*c.OH, (c.OW+3)/4
	tiles := (c.C / c.Groups) * c.R * ((c.K/c.Groups + 7) / 8) * c.Groups
	splits := max(1, min(rows, 4096/tiles, 512), (rows*across+50_000-1)/50_000)
	p := convWeightsParams{
		N: c.N, C: c.C, H: c.H, W: c.W, K: c.K, R: c.R, S: c.S, OH: c.OH, OW: c.OW,
		StrideH: c.StrideH, StrideW: c.StrideW, PadH: c.PadH, PadW: c.PadW, DilationH: c.DilationH, DilationW: c.DilationW,
		Groups: c.Groups, Length: (rows + splits - 1) / splits, Window: c.Window,
	}
	p.Splits = (rows + p.Length - 1) / p.Length
	parts := t.New(int(p.Splits), dw.Len())
	convSplit.Run(p, x, dy, dy, parts)
	convJoin.Run(p, parts, dw)
}

type convWeightsParams struct {
	N, C, H, W, K, R, S, OH, OW                                uint32
	StrideH, StrideW, PadH, PadW, DilationH, DilationW, Groups uint32
	Splits, Length, Window                                     uint32
}
