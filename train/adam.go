package train

import (
	"math"

	"github.com/pumice-ml/pumice/compute"
)

// Adam is the optimizer of Kingma and Ba (2015), as in PyTorch: Decay adds
// Decay*w to the gradient.
type Adam struct {
	LR    float64 // default 0.001
	Beta1 float64 // below 1; default 0.9
	Beta2 float64 // below 1; default 0.999
	Eps   float64 // default 1e-8
	Decay float64 // weight decay
}

// AdamW is Adam with decoupled weight decay (Loshchilov and Hutter 2019): w
// shrinks by LR*Decay before the update.
type AdamW struct {
	LR    float64 // default 0.001
	Beta1 float64 // below 1; default 0.9
	Beta2 float64 // below 1; default 0.999
	Eps   float64 // default 1e-8
	Decay float64 // weight decay; default 0.01, negative for none
}

// LearningRate is LR or its default.
func (o *Adam) LearningRate() float64 { return orElse(o.LR, 0.001) }

// LearningRate is LR or its default.
func (o *AdamW) LearningRate() float64 { return orElse(o.LR, 0.001) }

// Check returns an error where a field but LR is out of range.
func (o *Adam) Check() error { return o.check("Adam") }

// Check returns an error where a field but LR is out of range.
func (o *AdamW) Check() error { return o.adam().check("AdamW") }

func (o *Adam) check(of string) error {
	return checkSettings(of,
		setting{"Beta1", orElse(o.Beta1, 0.9), 0, 1, true}, setting{"Beta2", orElse(o.Beta2, 0.999), 0, 1, true},
		setting{"Eps", orElse(o.Eps, 1e-8), smallest, math.MaxFloat32, false}, setting{"Decay", o.Decay, 0, math.MaxFloat32, false})
}

// adam is the Adam that does the update.
func (o *AdamW) adam() *Adam {
	return &Adam{Beta1: o.Beta1, Beta2: o.Beta2, Eps: o.Eps, Decay: max(orElse(o.Decay, 0.01), 0)}
}

// Update records one dispatch per parameter and one for the bias corrections.
func (o *Adam) Update(t *compute.Tape, s *State) { o.record(t, s, 0) }

// Update records one dispatch per parameter and one for the bias corrections.
func (o *AdamW) Update(t *compute.Tape, s *State) {
	o.adam().record(t, s, 1)
}

func (o *Adam) record(t *compute.Tape, s *State, decoupled uint32) {
	b1, b2 := orElse(o.Beta1, 0.9), orElse(o.Beta2, 0.999)
	p := adamParams{
		Beta1: float32(b1), Rest1: float32(1 - b1), Beta2: float32(b2), Rest2: float32(1 - b2),
		Eps: float32(orElse(o.Eps, 1e-8)), Decay: float32(o.Decay), Decoupled: decoupled,
	}
	s.begin(t, o.Decay)
	q := t.Param(s.Slot("correction", 2))
	s.run(adamCorrect, adamCorrectGated, p, q)
	s.each(t, func(name string, w, dw *compute.Tensor) {
		p.N = uint32(w.Len())
		s.update(t, adamStep, p, name, dw, q, w, t.Param(s.Slot("mean."+name, w.Shape()...)), t.Param(s.Slot("square."+name, w.Shape()...)))
	})
}

type adamParams struct {
	N                                      uint32
	Beta1, Rest1, Beta2, Rest2, Eps, Decay float32
	Decoupled                              uint32
}

var (
	adamCorrect      = compute.NewKernel("adam.correct", adamCorrectDefine, compute.Dot(2))
	adamCorrectGated = compute.NewKernel("adam.correct_gated", gated(adamCorrectDefine), gatedModel(compute.Dot(2)))
)

func adamCorrectDefine(p adamParams, b [][]float64) {
	q := b[0]
	q[0] = q[0]*float64(p.Beta1) + float64(p.Rest1)
	q[1] = q[1]*float64(p.Beta2) + float64(p.Rest2)
}

var adamStep = declareUpdates("adam", func(p adamParams) float32 { return p.Decay }, func(p adamParams, of rates, b [][]float64) {
	dw, q, w, m, v := b[0], b[1], b[2], b[3], b[4]
	for i := range w {
		rate, decay := of(i)
		g := dw[i]
		if p.Decoupled != 0 {
			w[i] -= rate * decay * w[i]
		} else {
			g += decay * w[i]
		}
		m[i] = float64(p.Beta1)*m[i] + float64(p.Rest1)*g
		v[i] = float64(p.Beta2)*v[i] + float64(p.Rest2)*g*g
		w[i] -= rate * (m[i] / q[0]) / (math.Sqrt(v[i]/q[1]) + float64(p.Eps))
	}
}, func(p adamParams, of rates, before, after [][]float64) [][]float64 {
	// g has 2 roundings, m 2 more on each term, v 6 of g^2 and its sum, all
	// terms positive. The update is a quotient: divisions are off by 2.5 ULP (5u)
	// each and the root by 2.5 ULP after half the error of its argument: under
	// 30u of it altogether, beside what m is off by; and rate * m/q may be flushed.
	// The decay of w has 4.
	dw, q, w, m, v := before[0], before[1], before[2], before[3], before[4]
	boundW, boundM, boundV := make([]float64, len(w)), make([]float64, len(w)), make([]float64, len(w))
	for i := range w {
		rate, decay := of(i)
		g := math.Abs(dw[i])
		if p.Decoupled == 0 {
			g += math.Abs(decay * w[i])
		}
		boundM[i] = compute.Gamma(5)*(math.Abs(float64(p.Beta1)*m[i])+float64(p.Rest1)*g) + 4*smallest
		boundV[i] = compute.Gamma(8)*(math.Abs(float64(p.Beta2)*v[i])+float64(p.Rest2)*g*g) + 4*smallest
		below := q[0] * (math.Sqrt(after[4][i]/q[1]) + float64(p.Eps))
		// what v is off by moves its root by at most the root of that
		root := math.Sqrt(boundV[i]/q[1]) / (math.Sqrt(after[4][i]/q[1]) + float64(p.Eps))
		root = min(root, boundV[i]/max(after[4][i], smallest))
		off := math.Abs(rate)/below*(boundM[i]+math.Abs(after[3][i])*(30*roundoff+root)) + 2*smallest*q[0]/below
		boundW[i] = updateBound(w[i], after[2][i], off) + 4*roundoff*math.Abs(rate*decay*w[i])
	}
	return [][]float64{nil, nil, boundW, boundM, boundV}
})
