// Package ir is what a program is made of: kernels with their definitions and error models,
// parameters, tensors, dispatches, the tape that records them, and the rules by which
// dispatches may be replaced. A list of dispatches is the only intermediate form: what is
// recorded is one, each pass takes one and leaves one, and an engine runs one.
//
// It also says what a list means: an Evaluation computes, by the definitions, what launches
// should leave in their tensors, and how far a device may stray from that.
package ir

import (
	"fmt"
	"maps"
	"slices"

	"github.com/pumice-ml/pumice/internal/tapeoption"
)

// Tape records kernel runs. Layers call kernels on a tape's tensors and leave
// closures that record the backward runs; Compile turns the list into a Program
// for the tape's device. A tape is used by one goroutine. Compiling does not change it:
// it may be compiled again, to a program with tensors of its own, and recorded further.
type Tape struct {
	// Training says that the tape is recorded to train: dropout and the updates
	// of running statistics are recorded only then.
	Training bool
	// Clock holds two u32 numbers, the step and the seed, from which random
	// layers draw on the device. It is required where Training is set and a
	// layer calls Random.
	Clock *Param
	// Storage is F16 to store activations, their gradients, and the copies of weights
	// that layers read, as f16 on the device (see New, Grad and Param).
	Storage DType

	dev      Device
	list     []Dispatch
	slots    []*Slot
	params   map[*Param]*Tensor
	copies   map[*Param]*Tensor // of parameters, as f16
	casts    []Dispatch         // that make them, before the list
	backward []func()
	streams  uint32
	scope    string
	observe  func(d *Dispatch)
	rules    map[*Kernel][]*Rule // by the first kernel, in the order handed
	switches *tapeoption.Switches
}

// NewTape returns an empty tape for the device. The switches are for tests.
func NewTape(dev Device, switches ...*tapeoption.Switches) *Tape {
	t := &Tape{dev: dev, params: map[*Param]*Tensor{}, copies: map[*Param]*Tensor{}, rules: map[*Kernel][]*Rule{}, switches: &tapeoption.Switches{}}
	for _, s := range switches {
		t.switches = s
	}
	return t
}

// Unchanged notes what the tape is, and returns a function that makes it so again.
func (t *Tape) Unchanged() func() {
	before := *t
	before.rules, before.params, before.copies = maps.Clone(t.rules), maps.Clone(t.params), maps.Clone(t.copies)
	return func() { *t = before }
}

// Device is the device the tape records for.
func (t *Tape) Device() Device { return t.dev }

// Add adds a slot to the tape, and returns its tensor of a shape.
func (t *Tape) Add(s *Slot, shape []int) *Tensor {
	s.ID = len(t.slots)
	s.N = Elements(shape)
	if s.Name == "" {
		s.Name = fmt.Sprintf("t%d", s.ID)
	}
	t.slots = append(t.slots, s)
	x := &Tensor{tape: t, shape: slices.Clone(shape), base: s}
	s.First = x
	return x
}

// Input returns a tensor that the host writes with Program.Write.
func (t *Tape) Input(name string, dtype DType, shape ...int) *Tensor {
	return t.Add(&Slot{Name: name, DType: dtype, Input: true}, shape)
}

// Constant returns a tensor of the values, which the program owns. It panics where
// they do not fill the shape.
func (t *Tape) Constant(name string, values []float32, shape ...int) *Tensor {
	if len(values) != Elements(shape) {
		panic(fmt.Sprintf("compute: Constant %s: %d values, want %d for shape %v", name, len(values), Elements(shape), shape))
	}
	return t.Add(&Slot{Name: name, Input: true, Values: slices.Clone(values)}, shape)
}

// Param returns the tensor that holds p on the tape's device, the same one on
// every call. With the Storage F16 it is an f16 copy, unless p is Frozen or of u32: one
// that every run makes where the tape is for Training, or Master was asked for p before,
// or the device holds p, which may then change; else one that is uploaded in the place of p. It panics where p's length
// and shape differ.
func (t *Tape) Param(p *Param) *Tensor {
	if t.Storage == F16 && !p.Frozen && p.DType() == F32 {
		return t.copy(p)
	}
	return t.Master(p)
}

// Master is Param for whoever writes p: its own elements, never a copy.
func (t *Tape) Master(p *Param) *Tensor {
	if x, ok := t.params[p]; ok {
		return x
	}
	CheckParam(p, "Tape.Param")
	x := t.Add(&Slot{Name: p.Name, DType: p.DType(), Param: p}, p.Shape)
	t.params[p] = x
	return x
}

// New returns a tensor for a kernel's result, of the tape's Storage. Its elements are
// undefined until a kernel writes them: a kernel that writes it must write all of it.
func (t *Tape) New(shape ...int) *Tensor { return t.Add(&Slot{DType: t.Storage}, shape) }

// NewF32 is New for numbers that need the range and precision of f32 whatever the
// Storage: losses, statistics, parts of sums.
func (t *Tape) NewF32(shape ...int) *Tensor { return t.Add(&Slot{}, shape) }

// NewU32 is New for a tensor of u32.
func (t *Tape) NewU32(shape ...int) *Tensor { return t.Add(&Slot{DType: U32}, shape) }

// Zeros returns a tensor of the tape's Storage that starts every run at zero, for
// kernels that add to what they write. The compiler turns the first addition into an
// assignment.
func (t *Tape) Zeros(shape ...int) *Tensor {
	return t.Add(&Slot{Zeroed: true, DType: t.Storage}, shape)
}

// ZerosF32 is Zeros for numbers that need f32 (see NewF32).
func (t *Tape) ZerosF32(shape ...int) *Tensor { return t.Add(&Slot{Zeroed: true}, shape) }

// Reshape returns a view of x with another shape of as many elements. It panics
// where the numbers differ. The gradient of a view is a view of the gradient.
func (t *Tape) Reshape(x *Tensor, shape ...int) *Tensor {
	if Elements(shape) != x.Len() {
		panic(fmt.Sprintf("compute: Reshape: %v to %v: %d elements, want %d", x, shape, Elements(shape), x.Len()))
	}
	return &Tensor{tape: t, shape: slices.Clone(shape), base: x.base}
}

// Grad returns the gradient of the loss with respect to x, in x's shape. It
// starts every run at zero, and every kernel adds to it. It is stored as x is, but that
// of a parameter always as f32.
func (t *Tape) Grad(x *Tensor) *Tensor {
	if x.DType() == U32 {
		panic(fmt.Sprintf("compute: Grad: %v has no gradient", x))
	}
	if x.base.grad == nil {
		s := &Slot{Name: "d" + x.base.Name, Zeroed: true, DType: x.DType()}
		if x.base.Param != nil || x.base.copied {
			s.DType = F32
		}
		t.Add(s, x.base.First.shape)
		x.base.grad = s
	}
	return &Tensor{tape: t, shape: x.shape, base: x.base.grad}
}

// OnBackward leaves a closure that records backward runs; Backward calls the
// closures in reverse order.
func (t *Tape) OnBackward(record func()) {
	scope := t.scope
	t.backward = append(t.backward, func() { t.in(scope, record) })
}

// Within records what belongs to a part of a model, such as "3 Linear(512, 10)", so
// that reports can name it. Parts within parts are joined by a slash.
func (t *Tape) Within(part string, record func()) {
	if t.scope != "" {
		part = t.scope + "/" + part
	}
	t.in(part, record)
}

func (t *Tape) in(scope string, record func()) {
	defer func(before string) { t.scope = before }(t.scope)
	t.scope = scope
	record()
}

// Backward records the gradients of the sum of loss's elements with respect to
// everything it was computed from. It may be called once.
func (t *Tape) Backward(loss *Tensor) {
	t.Seed(loss, 1)
	t.BackwardFromGrads()
}

// BackwardFromGrads is Backward from the gradients that Seed and SetGrad gave.
func (t *Tape) BackwardFromGrads() {
	for _, record := range slices.Backward(t.backward) {
		record()
	}
	t.backward = nil
}

// Seed sets the gradient of x to a constant before the backward runs.
func (t *Tape) Seed(x *Tensor, value float32) {
	d := t.Grad(x)
	d.base.Zeroed = false
	Fill.Run(FillParams{uint32(d.Len()), value}, d)
}

// SetGrad uses g, of as many elements, as the gradient of x: where a gradient
// comes from outside. It panics where x has a gradient already.
func (t *Tape) SetGrad(x, g *Tensor) {
	if x.base.grad != nil || g.Len() != x.Len() || g.DType() == U32 {
		panic(fmt.Sprintf("compute: SetGrad: gradient of %v from %v", x, g))
	}
	x.base.grad = g.base
}

// Random returns the tape's clock and the number of a stream of random numbers
// of its own, for a layer that draws them (see Uniform). It panics on a tape
// without a clock.
func (t *Tape) Random() (clock *Tensor, stream uint32) {
	if t.Clock == nil {
		panic("compute: Tape.Random: the tape has no Clock")
	}
	t.streams++
	return t.Param(t.Clock), t.streams
}

// Keep marks tensors that the caller may read back; everything that nobody
// reads is dropped by the compiler. Parameters are always kept.
func (t *Tape) Keep(xs ...*Tensor) {
	for _, x := range xs {
		x.base.Keep = true
	}
}

// Dispatches is the recorded list; the caller must not change it.
func (t *Tape) Dispatches() []Dispatch { return t.list }

// FillParams are those of Fill: the number of elements, and what each becomes.
type FillParams struct {
	N     uint32
	Value float32
}

// Fill is y = value.
var Fill = NewKernel("fill.forward", func(p FillParams, b [][]float64) {
	for i := range b[0][:p.N] {
		b[0][i] = float64(p.Value)
	}
}, Exact)

// Kept are the tensors that the caller may read back.
func (t *Tape) Kept() (kept []*Tensor) {
	for _, s := range t.slots {
		if s.Keep {
			kept = append(kept, s.First)
		}
	}
	return kept
}

// Slots are what the elements of the tape's tensors are kept in.
func (t *Tape) Slots() []*Slot { return t.slots }

// Switches are those of tests.
func (t *Tape) Switches() *tapeoption.Switches { return t.switches }

// All is the recorded list, after the runs that make f16 copies of parameters.
func (t *Tape) All() []Dispatch { return slices.Concat(t.casts, t.list) }

// Observe has f, if it is not nil, called before each run is recorded, with the run. f may
// record others before it, for which it is not called. It returns what was called before.
func (t *Tape) Observe(f func(d *Dispatch)) (before func(d *Dispatch)) {
	before, t.observe = t.observe, f
	return before
}
