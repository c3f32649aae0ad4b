package train

import (
	"fmt"
	"math"

	"github.com/pumice-ml/pumice/compute"
)

// Optimizer records one update of every parameter from its gradient. Its state
// lives in parameters of its own on the device, so that a checkpoint holds it. One that has
// a method Check() error is asked, before training starts, whether its settings are sound.
type Optimizer interface {
	// Update records the runs that update the parameters, by name: it writes
	// Tape.Master(p) and reads t.Grad(t.Param(p)). With Loop.Storage F16 each of its
	// runs must have State.Gate among its tensors, or Run returns an error.
	Update(t *compute.Tape, s *State)
	// LearningRate is the rate that training starts with.
	LearningRate() float64
}

// State is what an optimizer works on: the parameters to train, the learning
// rate, which the host may change between steps, and arrays of its own.
type State struct {
	Names  []string
	Params []*compute.Param
	Rate   *compute.Param // (1)
	// Gate, where there is one, is a u32 number that is 0 in steps in which every run
	// of Update must leave everything as it is.
	Gate *compute.Tensor

	groups *groupRates // nil without groups
	extra  map[string]*compute.Param
	order  []string
}

// Slot returns the array of the optimizer's own with a name, made of zeros at
// first use.
func (s *State) Slot(name string, shape ...int) *compute.Param {
	if p, ok := s.extra[name]; ok {
		return p
	}
	p := compute.NewParam(name, shape...)
	p.Frozen = true
	if s.extra == nil {
		s.extra = map[string]*compute.Param{}
	}
	s.extra[name] = p
	s.order = append(s.order, name)
	return p
}

// Slots are the arrays of the optimizer's own, in the order of their making.
func (s *State) Slots() (all []*compute.Param) {
	for _, name := range s.order {
		all = append(all, s.extra[name])
	}
	return all
}

// updateKernels are those that update a parameter: plain, where there is a gate, where
// there are groups, and where there are both.
type updateKernels struct{ plain, gated, grouped, groupedGated *compute.Kernel }

// begin records what an update with the optimizer's weight decay needs before it.
func (s *State) begin(t *compute.Tape, decay float64) {
	if s.groups != nil {
		s.groups.record(t, s.Rate, decay)
	}
}

// update records the update of a parameter: of its gradient, and of the tensors that
// follow the rate in the kernels.
func (s *State) update(t *compute.Tape, k updateKernels, params any, name string, dw *compute.Tensor, rest ...*compute.Tensor) {
	if s.groups == nil {
		s.run(k.plain, k.gated, params, append([]*compute.Tensor{dw, t.Master(s.Rate)}, rest...)...)
		return
	}
	all := append([]*compute.Tensor{dw}, rest...)
	s.run(k.grouped, k.groupedGated, params, append(all, t.Master(s.groups.of[name]), s.groups.rates)...)
}

// run records a run of a kernel, or, where there is a gate, of the one that has it as
// its last tensor.
func (s *State) run(k, gated *compute.Kernel, params any, tensors ...*compute.Tensor) {
	if s.Gate == nil {
		k.Run(params, tensors...)
		return
	}
	gated.Run(params, append(tensors, s.Gate)...)
}

func (s *State) each(t *compute.Tape, f func(name string, w, dw *compute.Tensor)) {
	for i, p := range s.Params {
		f(s.Names[i], t.Master(p), t.Grad(t.Param(p)))
	}
}

// setting is a number of an optimizer, and its range in float32; most is not in it where
// open is set.
type setting struct {
	name             string
	got, least, most float64
	open             bool
}

// checkSettings returns an error where one is out of its range.
func checkSettings(of string, settings ...setting) error {
	for _, s := range settings {
		v, rest := float64(float32(s.got)), "at most"
		if s.open {
			rest = "below"
		}
		if !(s.got >= s.least && v >= s.least && v <= s.most && !(s.open && v == s.most)) {
			return fmt.Errorf("train: %s: %s is %v, want %v or more, and %s %v, in float32", of, s.name, s.got, s.least, rest, s.most)
		}
	}
	return nil
}

func orElse(x, fallback float64) float64 {
	if x == 0 {
		return fallback
	}
	return x
}

// OptimizerByName returns sgd (momentum 0.9), adam, adamw or rmsprop with a
// learning rate; 0 is the optimizer's own default.
func OptimizerByName(name string, rate float64) (Optimizer, error) {
	switch name {
	case "sgd":
		return &SGD{LR: rate, Momentum: 0.9}, nil
	case "adam":
		return &Adam{LR: rate}, nil
	case "adamw":
		return &AdamW{LR: rate}, nil
	case "rmsprop":
		return &RMSprop{LR: rate}, nil
	}
	return nil, fmt.Errorf("train: optimizer %q, want sgd, adam, adamw or rmsprop", name)
}

// roundoff is the unit roundoff of float32, smallest its smallest normal number.
const (
	roundoff = 0x1p-24
	smallest = 0x1p-126
)

// declareUpdates declares the kernels of an optimizer's shader, whose definition takes the
// rates and the tensors that are not theirs, and so does its bound: of those before the
// run, then of those after it. The rate is the second tensor.
func declareUpdates[P any](shader string, decay func(p P) float32, define func(p P, of rates, b [][]float64), bound func(p P, of rates, before, after [][]float64) [][]float64) updateKernels {
	plain := func(p P, b [][]float64) { define(p, sameRates(b[1], decay(p)), without(b)) }
	grouped := func(p P, b [][]float64) {
		last := len(b) - 2
		define(p, ratesOf(b[last], b[last+1]), b[:last])
	}
	plainModel := compute.Func(func(r *compute.Reference32) [][]float64 {
		p := r.Params.(P)
		bounds := bound(p, sameRates(r.In[1], decay(p)), without(r.In), without(r.Want))
		return append([][]float64{nil, nil}, bounds[1:]...)
	})
	groupedModel := compute.Func(func(r *compute.Reference32) [][]float64 {
		n := len(r.In) - 2
		if len(r.In) > 0 && r.Kernel.Bindings()[len(r.In)-1].Name == "gate" {
			n--
		}
		bounds := bound(r.Params.(P), ratesOf(r.In[n], r.In[n+1]), r.In[:n], r.Want[:n])
		return append(bounds, nil, nil)
	})
	return updateKernels{
		compute.NewKernel(shader+".step", plain, plainModel), compute.NewKernel(shader+".step_gated", gated(plain), gatedModel(plainModel)),
		compute.NewKernel(shader+".step_grouped", grouped, groupedModel), compute.NewKernel(shader+".step_grouped_gated", gated(grouped), gatedModel(groupedModel)),
	}
}

// without is the tensors but for the second.
func without(b [][]float64) [][]float64 { return append([][]float64{b[0]}, b[2:]...) }

// updateBound is the rounding of w and what the update is off by.
func updateBound(before, after, off float64) float64 {
	return off + 2*roundoff*(math.Abs(before)+math.Abs(after)) + smallest
}
