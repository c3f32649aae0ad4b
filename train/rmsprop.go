package train

import (
	"math"

	"github.com/pumice-ml/pumice/compute"
)

// RMSprop is Hinton's optimizer as in PyTorch: s = Alpha*s + (1-Alpha)*g^2, v =
// Momentum*v + g/(sqrt(s)+Eps), w -= LR*v.
type RMSprop struct {
	LR       float64 // default 0.01
	Alpha    float64 // default 0.99
	Eps      float64 // default 1e-8
	Momentum float64
	Decay    float64 // weight decay
}

// LearningRate is LR or its default.
func (o *RMSprop) LearningRate() float64 { return orElse(o.LR, 0.01) }

// Update records one dispatch per parameter.
func (o *RMSprop) Update(t *compute.Tape, s *State) {
	alpha := orElse(o.Alpha, 0.99)
	rate := t.Master(s.Rate)
	s.each(t, func(name string, w, dw *compute.Tensor) {
		p := rmspropParams{
			N: uint32(w.Len()), Alpha: float32(alpha), Rest: float32(1 - alpha),
			Eps: float32(orElse(o.Eps, 1e-8)), Momentum: float32(o.Momentum), Decay: float32(o.Decay),
		}
		s.run(rmspropStep, rmspropStepGated, p, dw, rate, w, t.Param(s.Slot("square."+name, w.Shape()...)), t.Param(s.Slot("velocity."+name, w.Shape()...)))
	})
}

type rmspropParams struct {
	N                                 uint32
	Alpha, Rest, Eps, Momentum, Decay float32
}

var (
	rmspropStep      = compute.NewKernel("rmsprop.step", rmspropStepDefine, rmspropStepModel)
	rmspropStepGated = compute.NewKernel("rmsprop.step_gated", gated(rmspropStepDefine), gatedModel(rmspropStepModel))
)

func rmspropStepDefine(p rmspropParams, b [][]float64) {
	dw, rate, w, s, v := b[0], b[1][0], b[2], b[3], b[4]
	for i := range w {
		g := dw[i] + float64(p.Decay)*w[i]
		s[i] = float64(p.Alpha)*s[i] + float64(p.Rest)*g*g
		v[i] = float64(p.Momentum)*v[i] + g/(math.Sqrt(s[i])+float64(p.Eps))
		w[i] -= rate * v[i]
	}
}

var rmspropStepModel = compute.Func(func(r *compute.Reference32) [][]float64 {
	// g has 2 roundings (3 with decay), s 6 more, all its terms positive; the
	// quotient is off by 20u of itself beside what g and s are off by, and g may be
	// flushed before it; v and w add 2 roundings each.
	p := r.Params.(rmspropParams)
	dw, rate, w, s, v := r.In[0], math.Abs(r.In[1][0]), r.In[2], r.In[3], r.In[4]
	boundW, boundS, boundV := make([]float64, len(w)), make([]float64, len(w)), make([]float64, len(w))
	for i := range w {
		g := math.Abs(dw[i]) + math.Abs(float64(p.Decay)*w[i])
		boundS[i] = compute.Gamma(8)*(math.Abs(float64(p.Alpha)*s[i])+float64(p.Rest)*g*g) + 4*smallest
		below := math.Sqrt(r.Want[3][i]) + float64(p.Eps)
		root := min(math.Sqrt(boundS[i])/below, boundS[i]/max(r.Want[3][i], smallest))
		boundV[i] = compute.Gamma(4)*math.Abs(float64(p.Momentum)*v[i]) + g/below*(24*roundoff+root) + 2*smallest/below + 4*smallest
		boundW[i] = updateBound(w[i], r.Want[2][i], rate*boundV[i]) + 2*roundoff*rate*math.Abs(r.Want[4][i])
	}
	return [][]float64{nil, nil, boundW, boundS, boundV}
})
