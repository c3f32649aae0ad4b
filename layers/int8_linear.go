package layers

import (
	"fmt"
	"math"
	"slices"

	"github.com/pumice-ml/pumice/compute"
)

// QuantizedLinear is Linear with int8 weights, for inference (see Quantize).
type QuantizedLinear struct {
	Weight *compute.Param // (ceil(in/4), out): number (i, o) holds weights 4i..4i+3 of output o
	Scale  *compute.Param // (out)
	Bias   *compute.Param // (out); nil for none
	In     int
}

// Quantize returns a QuantizedLinear.
func (l *Linear) Quantize() (Layer, error) {
	out, in := l.Weight.Shape[0], l.Weight.Shape[1]
	if in > 4*longest {
		return nil, fmt.Errorf("layers: Quantize: %s has %d inputs, want at most %d", l, in, 4*longest)
	}
	w, err := quantizeRows(l.String(), l.Weight.Data, out)
	if err != nil {
		return nil, err
	}
	q := &QuantizedLinear{Weight: compute.NewParamU32("weight", (in+3)/4, out), Scale: frozen("scale", w.scale), In: in}
	for i := range q.Weight.Ints {
		from := i / out * 4
		q.Weight.Ints[i] = pack(w.q[i%out][from:min(from+4, in)])
	}
	if l.Bias != nil {
		q.Bias = frozen("bias", l.Bias.Data)
	}
	return q, nil
}

// Forward takes (..., in) and returns (..., out). It panics where the tape trains.
func (l *QuantizedLinear) Forward(t *compute.Tape, x *compute.Tensor) *compute.Tensor {
	want(len(x.Shape()) > 0 && x.Dim(-1) == l.In, "QuantizedLinear", x, "(..., %d)", l.In)
	inferenceOnly(t, "QuantizedLinear")
	scale := t.Param(l.Scale)
	p, bias := linearInt8Params{Rows: uint32(x.Len() / l.In), C: uint32(l.In), K: uint32(scale.Len())}, scale
	if l.Bias != nil {
		bias, p.Biased = t.Param(l.Bias), 1
	}
	y := t.New(append(slices.Clone(x.Shape()[:len(x.Shape())-1]), scale.Len())...)
	linearInt8Forward.Run(p, x, t.Param(l.Weight), scale, bias, y)
	return y
}

// Walk visits weight, scale and bias.
func (l *QuantizedLinear) Walk(visit func(name string, p *compute.Param)) {
	visit("weight", l.Weight)
	visit("scale", l.Scale)
	if l.Bias != nil {
		visit("bias", l.Bias)
	}
}

func (l *QuantizedLinear) String() string {
	return fmt.Sprintf("QuantizedLinear(%d, %d)", l.In, l.Scale.Len())
}

type linearInt8Params struct{ Rows, C, K, Biased uint32 }

var linearInt8Forward = compute.NewKernel("linear_int8.forward", func(p linearInt8Params, b [][]float64) {
	linearInt8Define(p, b, func(v float64) float64 { return v })
}, int8Model(
	func(p linearInt8Params) int { return int(p.C) }, func(p linearInt8Params, i int) int { return i % int(p.K) },
	func(p linearInt8Params, b [][]float64) { linearInt8Define(p, b, math.Abs) },
))

// linearInt8Define computes y from of(x), of(q), of(scale) and of(bias).
func linearInt8Define(p linearInt8Params, b [][]float64, of func(float64) float64) {
	x, q, scale, bias, y := b[0], b[1], b[2], b[3], b[4]
	c, k := int(p.C), int(p.K)
	for i := range int(p.Rows) {
		for o := range k {
			sum := 0.0
			for j := range c {
				sum += of(unpack(uint32(q[j/4*k+o]), j%4)) * of(x[i*c+j])
			}
			y[i*k+o] = of(scale[o]) * sum
			if p.Biased != 0 {
				y[i*k+o] += of(bias[o])
			}
		}
	}
}
