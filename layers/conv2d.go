package layers

import (
	"fmt"
	"math"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/internal/rule"
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
// channels are split into groups. It panics unless all are 1 or more and groups
// divides in and out.
func NewConv2DGroups(in, out, height, width, groups int) *Conv2D {
	if in < 1 || out < 1 || groups < 1 || in%groups != 0 || out%groups != 0 || height < 1 || width < 1 {
		panic(fmt.Sprintf("layers: NewConv2D: %d to %d channels in %d groups, kernel %dx%d, want 1 or more of each, and groups that divide both", in, out, groups, height, width))
	}
	init := Uniform(1 / math.Sqrt(float64(in/groups*height*width)))
	return &Conv2D{
		Weight: newParam("weight", init, out, in/groups, height, width), Bias: newParam("bias", init, out), Groups: groups,
	}
}

// Forward takes (n, in, h, w) and returns (n, out, oh, ow) with oh = (h +
// 2*Padding - Dilation*(height-1) - 1)/Stride + 1. It panics where the channels
// differ or the kernel does not fit into the padded image.
func (l *Conv2D) Forward(t *compute.Tape, x *compute.Tensor) *compute.Tensor {
	p := l.params("Conv2D", x)
	weight, bias := t.Param(l.Weight), t.Param(l.Weight)
	if l.Bias != nil {
		bias, p.Biased = t.Param(l.Bias), 1
	}
	y := t.Zeros(int(p.N), int(p.K), int(p.OH), int(p.OW))
	p.forward(x, weight, bias, y)
	t.OnBackward(func() {
		var db *compute.Tensor
		if l.Bias != nil {
			db = t.Grad(bias)
		}
		p.weightGradient(t, x, t.Grad(y), t.Grad(weight), db)
		p.inputGradient(weight, t.Grad(y), t.Grad(x))
	})
	return y
}

// params are those of a convolution of x; where x does not fit, params panics for the layer.
func (l *Conv2D) params(layer string, x *compute.Tensor) convParams {
	w := l.Weight.Shape
	groups := max(l.Groups, 1)
	want(len(x.Shape()) == 4 && x.Dim(1) == w[1]*groups, layer, x, "(n, %d, h, w)", w[1]*groups)
	p := convShape(x.Shape(), w, max(l.Stride, 1), l.Padding, max(l.Dilation, 1), groups)
	want(l.Padding >= 0 && x.Dim(2) > 0 && x.Dim(3) > 0 && p.OH > 0 && p.OW > 0, layer, x, "an image that holds a kernel of %dx%d, padding %d, dilation %d", w[2], w[3], l.Padding, max(l.Dilation, 1))
	return p
}

// Walk visits weight and bias.
func (l *Conv2D) Walk(visit func(name string, p *compute.Param)) {
	visit("weight", l.Weight)
	if l.Bias != nil {
		visit("bias", l.Bias)
	}
}

func (l *Conv2D) String() string {
	w, groups := l.Weight.Shape, max(l.Groups, 1)
	return fmt.Sprintf("Conv2D(%d, %d, %dx%d%s)", w[1]*groups, w[0], w[2], w[3], options("stride", l.Stride, 1, "padding", l.Padding, 0, "dilation", l.Dilation, 1, "groups", groups, 1))
}

// options writes the values that differ from 0 and from their default: triples
// of a name, a value and its default.
func options(triples ...any) (s string) {
	for i := 0; i < len(triples); i += 3 {
		if v := triples[i+1]; v != 0 && v != triples[i+2] {
			s += fmt.Sprintf(", %s %v", triples[i], v)
		}
	}
	return s
}

// convParams describe a convolution of x (n, c, h, w) to y (n, k, oh, ow) with
// weights (k, c/groups, r, s), whoever asks for it.
type convParams struct {
	N, C, H, W, K, R, S, OH, OW uint32
	StrideH, StrideW            uint32
	PadH, PadW                  int32
	DilationH, DilationW        uint32
	Groups, Biased, Splits      uint32
	Rectified                   uint32
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
		StrideH: uint32(stride), StrideW: uint32(stride), PadH: int32(pad), PadW: int32(pad),
		DilationH: uint32(dilation), DilationW: uint32(dilation), Groups: uint32(groups),
	}
}

// forward records y += bias + convolution of x. Bias is any tensor where p is
// not Biased.
func (p convParams) forward(x, weight, bias, y *compute.Tensor) {
	rule.Use(y.Tape(), convRules()...)
	convForward.Run(p, x, weight, bias, y)
}

// inputGradient records dx += the gradient of the input.
func (p convParams) inputGradient(weight, dy, dx *compute.Tensor) {
	rule.Use(dx.Tape(), convRules()...)
	convBackwardX.Run(p, weight, dy, dx)
}

// longest is a loop that stays clear of the budget for one invocation.
const longest = 50_000

// weightGradient records dw += the gradient of the weights, and, unless db is nil,
// db += that of the bias: parts by splits of dy, and their sum.
func (p convParams) weightGradient(t *compute.Tape, x, dy, dw, db *compute.Tensor) {
	p.Biased = 0
	if db != nil {
		p.Biased = 1
	}
	p.Splits = p.splitsOn(t.Device().Info())
	parts := t.NewF32(int(p.Splits), p.length())
	rule.Use(t, convRules()...)
	convSplit.Run(p, x, dy, parts)
	if db != nil {
		convJoinBiased.Run(p, parts, dw, db)
		return
	}
	convJoin.Run(p, parts, dw)
}

// length of a split: the weights, and the biases where there are any.
func (p convParams) length() int {
	return int(p.K*(p.C/p.Groups)*p.R*p.S + p.Biased*p.K)
}

// splitsOn is the number of splits that serves all variants on a device: that of the one
// which it prefers, with loops inside the budget for the plain kernel too.
func (p convParams) splitsOn(info compute.Info) uint32 {
	if tile, splits := p.ranges(); tile > 0 && hardware(info) {
		return splits
	}
	if splits := p.directRanges(); splits > 0 && hardware(info) {
		return splits
	}
	if tiled, ok := weightTiles(p, splitting(info), maxProducts); ok {
		return tiled.Splits
	}
	return p.splits()
}

// splits of the plain kernel: enough for about 4,096 invocations.
func (p convParams) splits() uint32 {
	all, weights := p.N*p.OH*p.OW, p.K*(p.C/p.Groups)*p.R*p.S
	return min(max(4096/weights, (all+longest-1)/longest, 1), max(all, 1))
}
