package layers

import (
	"math"

	"github.com/pumice-ml/pumice/compute"
)

// QuantizedConv2D is Conv2D with int8 weights, for inference (see Quantize).
type QuantizedConv2D struct {
	Weight *compute.Param // (out, ceil(taps/4)): a row holds the in/groups*height*width taps of an output channel
	Scale  *compute.Param // (out)
	Bias   *compute.Param // (out); nil for none

	of Conv2D // what else there is to a convolution, without its weights
}

// Quantize returns a QuantizedConv2D.
func (l *Conv2D) Quantize() (Layer, error) {
	s := l.Weight.Shape
	w, err := quantizeRows(l.String(), l.Weight.Data, s[0])
	if err != nil {
		return nil, err
	}
	taps := s[1] * s[2] * s[3]
	words := (taps + 3) / 4
	q := &QuantizedConv2D{Weight: compute.NewParamU32("weight", s[0], words), Scale: frozen("scale", w.scale), of: *l}
	q.of.Weight, q.of.Bias = &compute.Param{Shape: s}, nil
	for i := range q.Weight.Ints {
		from := i % words * 4
		q.Weight.Ints[i] = pack(w.q[i/words][from:min(from+4, taps)])
	}
	if l.Bias != nil {
		q.Bias = frozen("bias", l.Bias.Data)
	}
	return q, nil
}

// Forward takes and returns what Conv2D does. It panics where the tape trains.
func (l *QuantizedConv2D) Forward(t *compute.Tape, x *compute.Tensor) *compute.Tensor {
	c := l.of.params("QuantizedConv2D", x)
	inferenceOnly(t, "QuantizedConv2D")
	p, bias := convInt8Params{
		N: c.N, C: c.C, H: c.H, W: c.W, K: c.K, R: c.R, S: c.S, OH: c.OH, OW: c.OW, StrideH: c.StrideH, StrideW: c.StrideW,
		PadH: c.PadH, PadW: c.PadW, DilationH: c.DilationH, DilationW: c.DilationW, Groups: c.Groups,
	}, t.Param(l.Scale)
	if l.Bias != nil {
		bias, p.Biased = t.Param(l.Bias), 1
	}
	y := t.New(int(p.N), int(p.K), int(p.OH), int(p.OW))
	convInt8Forward.Run(p, x, t.Param(l.Weight), t.Param(l.Scale), bias, y)
	return y
}

// Walk visits weight, scale and bias.
func (l *QuantizedConv2D) Walk(visit func(name string, p *compute.Param)) {
	visit("weight", l.Weight)
	visit("scale", l.Scale)
	if l.Bias != nil {
		visit("bias", l.Bias)
	}
}

func (l *QuantizedConv2D) String() string { return "Quantized" + l.of.String() }

type convInt8Params struct {
	N, C, H, W, K, R, S, OH, OW uint32
	StrideH, StrideW            uint32
	PadH, PadW                  int32
	DilationH, DilationW        uint32
	Groups, Biased              uint32
}

var convInt8Forward = compute.NewKernel("conv2d_int8.forward", func(p convInt8Params, b [][]float64) {
	convInt8Define(p, b, func(v float64) float64 { return v })
}, int8Model(
	func(p convInt8Params) int { return int(p.C / p.Groups * p.R * p.S) },
	func(p convInt8Params, i int) int { return i / int(p.OH*p.OW) % int(p.K) },
	func(p convInt8Params, b [][]float64) { convInt8Define(p, b, math.Abs) },
))

// convInt8Define computes y from of(x), of(q), of(scale) and of(bias).
func convInt8Define(p convInt8Params, b [][]float64, of func(float64) float64) {
	x, q, scale, bias, y := b[0], b[1], b[2], b[3], b[4]
	inner, outer := int(p.C/p.Groups), int(p.K/p.Groups)
	words := (inner*int(p.R*p.S) + 3) / 4
	for i := range y {
		ox, oy, k := i%int(p.OW), i/int(p.OW)%int(p.OH), i/int(p.OW*p.OH)%int(p.K)
		image, sum, tap := i/int(p.OW*p.OH*p.K), 0.0, 0
		for c := range inner {
			plane := (image*int(p.C) + k/outer*inner + c) * int(p.H)
			for r := range int(p.R) {
				for s := range int(p.S) {
					iy, ix := oy*int(p.StrideH)-int(p.PadH)+r*int(p.DilationH), ox*int(p.StrideW)-int(p.PadW)+s*int(p.DilationW)
					if iy >= 0 && iy < int(p.H) && ix >= 0 && ix < int(p.W) {
						sum += of(unpack(uint32(q[k*words+tap/4]), tap%4)) * of(x[(plane+iy)*int(p.W)+ix])
					}
					tap++
				}
			}
		}
		y[i] = of(scale[k]) * sum
		if p.Biased != 0 {
			y[i] += of(bias[k])
		}
	}
}
