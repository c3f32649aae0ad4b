package train

import (
	"context"
	"fmt"
	"math"

	"github.com/pumice-ml/pumice/compute"
)

// EMA keeps an exponential moving average of the trained weights on the device: after
// each update e += (1-Decay)*(w-e), which starts at the first weights (Polyak and Juditsky
// 1992; Decay as in TensorFlow's ExponentialMovingAverage). Running statistics are not
// averaged.
type EMA struct {
	Decay float64 // above 0, below 1; default 0.999
	// WarmUp makes the decay of update t, counted from 0, the smaller one of Decay and
	// (1+t)/(10+t), so that the first weights are soon forgotten.
	WarmUp bool
	// Use has the averages take the place of the weights where a model is measured or
	// given away: for evaluations, for LoadModel, and in the model when Run returns.
	// Without it they are in checkpoints, as "ema.NAME", and nothing else changes.
	Use bool
}

func (e *EMA) check() error {
	if d := orElse(e.Decay, 0.999); !positive(d) || float32(d) >= 1 {
		return fmt.Errorf("train: EMA: Decay is %v, want above 0 and below 1, in float32 too", e.Decay)
	}
	return nil
}

// averages are those of a run, in the order of State.Params.
type averages struct {
	EMA
	of   []*compute.Param
	all  []*compute.Param
	swap *compute.Program
}

func newAverages(e *EMA, s *State) *averages {
	if e == nil {
		return nil
	}
	a := &averages{EMA: *e, of: s.Params}
	for i, p := range s.Params {
		v := compute.NewParam("ema."+s.Names[i], p.Shape...)
		v.Frozen = true
		copy(v.Data, p.Data)
		a.all = append(a.all, v)
	}
	return a
}

// arrays are what a checkpoint holds of it; there are none of nil averages.
func (a *averages) arrays() []*compute.Param {
	if a == nil {
		return nil
	}
	return a.all
}

// record records what one update adds to the averages.
func (a *averages) record(t *compute.Tape, clock *compute.Param) {
	p := emaParams{Decay: float32(orElse(a.Decay, 0.999))}
	if a.WarmUp {
		p.Warm = 1
	}
	for i, v := range a.all {
		p.N = uint32(v.Len())
		emaUpdate.Run(p, t.Param(clock), t.Master(a.of[i]), t.Param(v))
	}
}

// compile makes the program that exchanges weights and averages.
func (a *averages) compile(dev *compute.Device, without ...string) (err error) {
	t := compute.NewTape(dev)
	for i, v := range a.all {
		emaSwap.Run(emaParams{N: uint32(v.Len())}, t.Master(a.of[i]), t.Master(v))
	}
	a.swap, err = t.Compile(without...)
	return err
}

// exchange exchanges weights and averages where these are to be used.
func (a *averages) exchange(ctx context.Context) error {
	if a == nil || !a.Use {
		return nil
	}
	return a.swap.Run(context.WithoutCancel(ctx))
}

func (a *averages) close() {
	if a != nil && a.swap != nil {
		a.swap.Close()
	}
}

type emaParams struct {
	N, Warm uint32
	Decay   float32
}

func (p emaParams) decay(clock float64) float64 {
	if p.Warm != 0 {
		return min(float64(p.Decay), (1+clock)/(10+clock))
	}
	return float64(p.Decay)
}

var emaUpdate = compute.NewKernel("ema.update", func(p emaParams, b [][]float64) {
	w, e := b[1], b[2]
	d := p.decay(b[0][0])
	for i := range e {
		e[i] += (1 - d) * (w[i] - e[i])
	}
}, compute.Func(func(r *compute.Reference32) [][]float64 {
	// With a warm-up the decay has a clock that is rounded, two sums and a quotient of 2.5
	// ULP. What is left of 1 is rounded, and so are the distance, their product and the sum.
	p := r.Params.(emaParams)
	d, off := p.decay(r.In[0][0]), roundoff
	if p.Warm != 0 {
		off += compute.Gamma(4+5) * d
	}
	out := make([]float64, len(r.In[2]))
	for i, e := range r.In[2] {
		far := math.Abs(r.In[1][i]) + math.Abs(e)
		out[i] = far*(off*(1+compute.Gamma(3))+compute.Gamma(3)*(1-d)) + roundoff*math.Abs(r.Want[2][i]) + 4*smallest
	}
	return [][]float64{nil, nil, out}
}))

var emaSwap = compute.NewKernel("ema.swap", func(p emaParams, b [][]float64) {
	for i := range b[0] {
		b[0][i], b[1][i] = b[1][i], b[0][i]
	}
}, compute.Exact)
