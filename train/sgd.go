package train

import (
	"math"

	"github.com/pumice-ml/pumice/compute"
)

// SGD is stochastic gradient descent as in PyTorch: g += Decay*w, v =
// Momentum*v + g, w -= LR*v, or with Nesterov w -= LR*(g + Momentum*v).
type SGD struct {
	LR       float64 // default 0.01
	Momentum float64
	Decay    float64 // weight decay
	Nesterov bool
}

// LearningRate is LR or its default.
func (o *SGD) LearningRate() float64 { return orElse(o.LR, 0.01) }

// Update records one dispatch per parameter.
func (o *SGD) Update(t *compute.Tape, s *State) {
	rate := t.Master(s.Rate)
	s.each(t, func(name string, w, dw *compute.Tensor) {
		p := sgdParams{N: uint32(w.Len()), Momentum: float32(o.Momentum), Decay: float32(o.Decay)}
		if o.Nesterov {
			p.Nesterov = 1
		}
		s.run(sgdStep, sgdStepGated, p, dw, rate, w, t.Param(s.Slot("velocity."+name, w.Shape()...)))
	})
}

type sgdParams struct {
	N               uint32
	Momentum, Decay float32
	Nesterov        uint32
}

var (
	sgdStep      = compute.NewKernel("sgd.step", sgdStepDefine, sgdStepModel)
	sgdStepGated = compute.NewKernel("sgd.step_gated", gated(sgdStepDefine), gatedModel(sgdStepModel))
)

func sgdStepDefine(p sgdParams, b [][]float64) {
	dw, rate, w, v := b[0], b[1][0], b[2], b[3]
	momentum, decay := float64(p.Momentum), float64(p.Decay)
	for i := range w {
		g := dw[i] + decay*w[i]
		v[i] = momentum*v[i] + g
		d := v[i]
		if p.Nesterov != 0 {
			d = g + momentum*v[i]
		}
		w[i] -= rate * d
	}
}

var sgdStepModel = compute.Func(func(r *compute.Reference32) [][]float64 {
	// At most 8 roundings lead to any term of v and w: gamma(8) of the sum of
	// the magnitudes.
	p := r.Params.(sgdParams)
	dw, rate, w, v := r.In[0], math.Abs(r.In[1][0]), r.In[2], r.In[3]
	boundW, boundV := make([]float64, len(w)), make([]float64, len(w))
	for i := range w {
		g := math.Abs(dw[i]) + math.Abs(float64(p.Decay)*w[i])
		m := math.Abs(float64(p.Momentum)*v[i]) + g
		boundV[i] = compute.Gamma(8)*m + 8*smallest
		boundW[i] = compute.Gamma(8)*(math.Abs(w[i])+rate*(g+m)) + 8*smallest
	}
	return [][]float64{nil, nil, boundW, boundV}
})
