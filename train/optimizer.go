package train

import (
	"fmt"
	"math"

	"github.com/pumice-ml/pumice/compute"
)

// Optimizer records one update of every parameter from its gradient. Its state
// lives in parameters of its own on the device, so that a checkpoint holds it.
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

	extra map[string]*compute.Param
	order []string
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

// updateBound is the rounding of w and what the update is off by.
func updateBound(before, after, off float64) float64 {
	return off + 2*roundoff*(math.Abs(before)+math.Abs(after)) + smallest
}
