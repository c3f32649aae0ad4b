package train

import (
	"math"

	"github.com/pumice-ml/pumice/compute"
)

// RMSprop is Hinton's optimizer as in PyTorch: s = Alpha*s + (1-Alpha)*g^2, v =
// Momentum*v + g/(sqrt(s)+Eps), w -= LR*v.
type RMSprop struct {
	LR       float64 // default 0.01
	Alpha    float64 // below 1; default 0.99
	Eps      float64 // default 1e-8
	Momentum float64 // 0 to 1
	Decay    float64 // weight decay
}

// LearningRate is LR or its default.
func (o *RMSprop) LearningRate() float64 { return orElse(o.LR, 0.01) }

// Check returns an error where a field but LR is out of range.
func (o *RMSprop) Check() error {
	return checkSettings("RMSprop",
		setting{"Alpha", orElse(o.Alpha, 0.99), 0, 1, true}, setting{"Eps", orElse(o.Eps, 1e-8), smallest, math.MaxFloat32, false},
		setting{"Momentum", o.Momentum, 0, 1, false}, setting{"Decay", o.Decay, 0, math.MaxFloat32, false})
}

// Update records one dispatch per parameter.
func (o *RMSprop) Update(t *compute.Tape, s *State) {
	alpha := orElse(o.Alpha, 0.99)
	s.begin(t, o.Decay)
	s.each(t, func(name string, w, dw *compute.Tensor) {
		p := rmspropParams{
			N: uint32(w.Len()), Alpha: float32(alpha), Rest: float32(1 - alpha),
			Eps: float32(orElse(o.Eps, 1e-8)), Momentum: float32(o.Momentum), Decay: float32(o.Decay),
		}
		s.update(t, rmspropStep, p, name, dw, w, t.Param(s.Slot("square."+name, w.Shape()...)), t.Param(s.Slot("velocity."+name, w.Shape()...)))
	})
}

type rmspropParams struct {
	N                                 uint32
	Alpha, Rest, Eps, Momentum, Decay float32
}

var rmspropStep = declareUpdates("rmsprop", func(p rmspropParams) float32 { return p.Decay }, func(p rmspropParams, of rates, b [][]float64) {
	dw, w, s, v := b[0], b[1], b[2], b[3]
	for i := range w {
		rate, decay := of(i)
		g := dw[i] + decay*w[i]
		s[i] = float64(p.Alpha)*s[i] + float64(p.Rest)*g*g
		v[i] = float64(p.Momentum)*v[i] + g/(math.Sqrt(s[i])+float64(p.Eps))
		w[i] -= rate * v[i]
	}
}, func(p rmspropParams, of rates, before, after [][]float64) [][]float64 {
	// g has 2 roundings (3 with decay), s 6 more, all its terms positive; the
	// quotient is off by 20u of itself beside what g and s are off by, and g may be
	// flushed before it; v and w add 2 roundings each.
	dw, w, s, v := before[0], before[1], before[2], before[3]
	boundW, boundS, boundV := make([]float64, len(w)), make([]float64, len(w)), make([]float64, len(w))
	for i := range w {
		rate, decay := of(i)
		rate = math.Abs(rate)
		g := math.Abs(dw[i]) + math.Abs(decay*w[i])
		boundS[i] = compute.Gamma(8)*(math.Abs(float64(p.Alpha)*s[i])+float64(p.Rest)*g*g) + 4*smallest
		below := math.Sqrt(after[2][i]) + float64(p.Eps)
		root := min(math.Sqrt(boundS[i])/below, boundS[i]/max(after[2][i], smallest))
		boundV[i] = compute.Gamma(4)*math.Abs(float64(p.Momentum)*v[i]) + g/below*(24*roundoff+root) + 2*smallest/below + 4*smallest
		boundW[i] = updateBound(w[i], after[1][i], rate*boundV[i]) + 2*roundoff*rate*math.Abs(after[3][i])
	}
	return [][]float64{nil, boundW, boundS, boundV}
})
