package train

import (
	"math"

	"github.com/pumice-ml/pumice/compute"
)

// SGD is stochastic gradient descent as in PyTorch: g += Decay*w, v =
// Momentum*v + g, w -= LR*v, or with Nesterov w -= LR*(g + Momentum*v).
type SGD struct {
	LR       float64 // default 0.01
	Momentum float64 // 0 to 1
	Decay    float64 // weight decay
	Nesterov bool
}

// LearningRate is LR or its default.
func (o *SGD) LearningRate() float64 { return orElse(o.LR, 0.01) }

// Check returns an error where a field but LR is out of range.
func (o *SGD) Check() error {
	return checkSettings("SGD", setting{"Momentum", o.Momentum, 0, 1, false}, setting{"Decay", o.Decay, 0, math.MaxFloat32, false})
}

// Update records one dispatch per parameter.
func (o *SGD) Update(t *compute.Tape, s *State) {
	s.begin(t, o.Decay)
	s.each(t, func(name string, w, dw *compute.Tensor) {
		p := sgdParams{N: uint32(w.Len()), Momentum: float32(o.Momentum), Decay: float32(o.Decay)}
		if o.Nesterov {
			p.Nesterov = 1
		}
		s.update(t, sgdStep, p, name, dw, w, t.Param(s.Slot("velocity."+name, w.Shape()...)))
	})
}

type sgdParams struct {
	N               uint32
	Momentum, Decay float32
	Nesterov        uint32
}

var sgdStep = declareUpdates("sgd", func(p sgdParams) float32 { return p.Decay }, func(p sgdParams, of rates, b [][]float64) {
	dw, w, v := b[0], b[1], b[2]
	momentum := float64(p.Momentum)
	for i := range w {
		rate, decay := of(i)
		g := dw[i] + decay*w[i]
		v[i] = momentum*v[i] + g
		d := v[i]
		if p.Nesterov != 0 {
			d = g + momentum*v[i]
		}
		w[i] -= rate * d
	}
}, func(p sgdParams, of rates, before, _ [][]float64) [][]float64 {
	// At most 8 roundings lead to any term of v and w: gamma(8) of the sum of
	// the magnitudes.
	dw, w, v := before[0], before[1], before[2]
	boundW, boundV := make([]float64, len(w)), make([]float64, len(w))
	for i := range w {
		rate, decay := of(i)
		g := math.Abs(dw[i]) + math.Abs(decay*w[i])
		m := math.Abs(float64(p.Momentum)*v[i]) + g
		boundV[i] = compute.Gamma(8)*m + 8*smallest
		boundW[i] = compute.Gamma(8)*(math.Abs(w[i])+math.Abs(rate)*(g+m)) + 8*smallest
	}
	return [][]float64{nil, boundW, boundV}
})
