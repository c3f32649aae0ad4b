package train

import (
	"fmt"
	"math"
	"slices"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/internal/ir"
)

// LossScale says how a loop that stores f16 keeps small gradients from vanishing there
// (Micikevicius et al. 2018): the loss is multiplied by a scale, and the gradients of
// the parameters, in f32, are divided by it. A step that finds one of them infinite or
// NaN changes no weight and no optimizer state, and halves the scale (running statistics
// follow the forward run all the same); after a number of good steps the scale
// is doubled, up to 2^24. The host takes no part in it. A step that is bad at a scale of 1
// is so without one: it ends the run with a NotFinite, at the step where Loop.Watch looks
// and at the end of the epoch or at the next checkpoint where it does not.
type LossScale struct {
	First    float64 // a power of 2 from 1 to 2^24; default 65536
	Interval int     // good steps after which the scale is doubled; default 2000
}

// largestScale is that of loss_scale.wgsl.
const largestScale = 1 << 24

// scaler is a LossScale on a device.
type scaler struct {
	first          float64
	interval       int
	scale, inverse *compute.Param // (1)
	counts         *compute.Param // (3): good steps, steps that were skipped, and bits: this one is to be, one was at scale 1
}

func newScaler(o LossScale) (*scaler, error) {
	first := orElse(o.First, 65536)
	if fraction, _ := math.Frexp(first); fraction != 0.5 || first < 1 || first > largestScale {
		return nil, fmt.Errorf("train: loss scale %v, want a power of 2 from 1 to 2^24", first)
	}
	if o.Interval < 0 {
		return nil, fmt.Errorf("train: loss scale: interval of %d steps, want 1 or more", o.Interval)
	}
	s := &scaler{
		first: first, interval: o.Interval, scale: compute.NewParam("train.scale", 1), inverse: compute.NewParam("train.unscale", 1),
		counts: compute.NewParamU32("train.scale_counts", 3),
	}
	if s.interval == 0 {
		s.interval = 2000
	}
	s.scale.Frozen, s.inverse.Frozen = true, true
	s.scale.Data[0], s.inverse.Data[0] = float32(first), float32(1/first)
	return s, nil
}

// arrays are what a checkpoint holds of it; there are none of a nil scaler.
func (s *scaler) arrays() []*compute.Param {
	if s == nil {
		return nil
	}
	return []*compute.Param{s.scale, s.inverse, s.counts}
}

// atOne is the bit of the counts that a step at scale 1 was bad.
const atOne = 2

// failed reports whether the counts on the host say that a step was bad at scale 1.
func (s *scaler) failed() bool { return s != nil && s.counts.Ints[2]&atOne != 0 }

// check returns an error of the steps so far where they failed.
func (s *scaler) check(step int) error {
	if s.failed() {
		return &NotFinite{Step: step, What: "gradient of the loss at scale 1"}
	}
	return nil
}

// backward records the backward runs from the scaled loss.
func (s *scaler) backward(t *compute.Tape, loss *compute.Tensor) {
	t.SetGrad(loss, t.Param(s.scale))
	t.BackwardFromGrads()
}

// start is the scale, or nil without one.
func (s *scaler) start() *compute.Param {
	if s == nil {
		return nil
	}
	return s.scale
}

// unscale records the division of the gradients, and whether all of them are finite.
func (s *scaler) unscale(t *compute.Tape, state *State) {
	p := lossScaleParams{Interval: uint32(s.interval)}
	counts, inverse := t.Param(s.counts), t.Param(s.inverse)
	state.each(t, func(_ string, _, dw *compute.Tensor) {
		p.N = uint32(dw.Len())
		lossScaleApply.Run(p, inverse, dw, counts)
	})
	state.Gate = t.NewU32(1)
	lossScaleSettle.Run(p, t.Param(s.scale), inverse, counts, state.Gate)
}

// update records an update that takes place where all gradients are finite. It returns an
// error where the optimizer does not look.
func (s *scaler) update(t *compute.Tape, o Optimizer, state *State) error {
	tape := (*ir.Tape)(t)
	first := len(tape.Dispatches())
	o.Update(t, state)
	for _, d := range tape.Dispatches()[first:] {
		changes := false
		if d.Kernel == (*ir.Kernel)(watchLook) {
			continue // which changes nothing of the model or the optimizer
		}
		for i, b := range d.Kernel.Bindings() {
			changes = changes || b.Access == "read_write" && d.Tensors[i].Param() != nil
		}
		if changes && !slices.Contains(d.Tensors, (*ir.Tensor)(state.Gate)) {
			return fmt.Errorf("train: optimizer %T, kernel %s: an update that does not look at State.Gate cannot skip steps, which storage as f16 needs", o, d.Kernel.Name())
		}
	}
	return nil
}

type lossScaleParams struct{ N, Interval uint32 }

var lossScaleApply = compute.NewKernel("loss_scale.apply", func(_ lossScaleParams, b [][]float64) {
	unscale, dw, found := b[0], b[1], b[2]
	for i, d := range dw {
		if !finite(float64(float32(d))) {
			found[2] = float64(uint32(found[2]) | 1)
		}
		dw[i] = d * unscale[0]
	}
}, compute.Exact)

var lossScaleSettle = compute.NewKernel("loss_scale.settle", func(p lossScaleParams, b [][]float64) {
	scale, inverse, counts, gate := b[0], b[1], b[2], b[3]
	if bits := uint32(counts[2]); bits&1 != 0 {
		counts[2] = float64(bits & atOne)
		if scale[0] > 1 {
			scale[0], inverse[0] = scale[0]/2, inverse[0]*2
		} else {
			counts[2] = atOne
		}
		counts[0], counts[1], gate[0] = 0, counts[1]+1, 0
		return
	}
	counts[2] = float64(uint32(counts[2]) & atOne)
	gate[0] = 1
	counts[0]++
	if counts[0] >= float64(p.Interval) {
		counts[0] = 0
		if scale[0] < largestScale {
			scale[0], inverse[0] = scale[0]*2, inverse[0]/2
		}
	}
}, compute.Exact)

// gated is a definition that changes nothing where the last tensor, the gate, is 0.
func gated[P any](define func(p P, b [][]float64)) func(p P, b [][]float64) {
	return func(p P, b [][]float64) {
		if last := len(b) - 1; b[last][0] != 0 {
			define(p, b[:last])
		}
	}
}

// gatedModel is the model of a gated kernel: exact where the gate is 0.
func gatedModel(m compute.Model) compute.Model {
	return compute.Func(func(r *compute.Reference32) [][]float64 {
		if r.In[len(r.In)-1][0] == 0 {
			return compute.Exact.Bound(r)
		}
		return m.Bound(r)
	})
}
