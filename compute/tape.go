package compute

import (
	"context"
	"fmt"
	"slices"

	"github.com/pumice-ml/pumice/internal/compiler"
	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/internal/tapeoption"
)

// Tape records kernel runs. Layers call kernels on a tape's tensors and leave
// closures that record the backward runs; Compile turns the list into a Program
// for the tape's device. A tape is used by one goroutine. Compiling does not change it:
// it may be compiled again, to a program with tensors of its own, and recorded further.
// Its fields are
//
//	// Training says that the tape is recorded to train: dropout and the updates
//	// of running statistics are recorded only then.
//	Training bool
//	// Clock holds two u32 numbers, the step and the seed, from which random
//	// layers draw on the device. It is required where Training is set and a
//	// layer calls Random.
//	Clock *Param
//	// Storage is F16 to store activations, their gradients, and the copies of weights
//	// that layers read, as f16 on the device (see New, Grad and Param).
//	Storage DType
type Tape ir.Tape

// NewTape returns an empty tape for the device. The switches are for tests.
func NewTape(dev *Device, switches ...*tapeoption.Switches) *Tape {
	return (*Tape)(ir.NewTape((*compiler.Device)(dev), switches...))
}

// Device is the device the tape records for.
func (t *Tape) Device() *Device { return (*Device)((*ir.Tape)(t).Device().(*compiler.Device)) }

// Input returns a tensor that the host writes with Program.Write.
func (t *Tape) Input(name string, dtype DType, shape ...int) *Tensor {
	return (*Tensor)((*ir.Tape)(t).Input(name, dtype, shape...))
}

// Constant returns a tensor of the values, which the program owns. It panics where
// they do not fill the shape.
func (t *Tape) Constant(name string, values []float32, shape ...int) *Tensor {
	return (*Tensor)((*ir.Tape)(t).Constant(name, values, shape...))
}

// Param returns the tensor that holds p on the tape's device, the same one on
// every call. With the Storage F16 it is an f16 copy, unless p is Frozen or of u32: one
// that every run makes where the tape is for Training, or Master was asked for p before,
// or the device holds p, which may then change; else one that is uploaded in the place of
// p. It panics where p's length and shape differ.
func (t *Tape) Param(p *Param) *Tensor { return (*Tensor)((*ir.Tape)(t).Param(p)) }

// Master is Param for whoever writes p: its own elements, never a copy.
func (t *Tape) Master(p *Param) *Tensor { return (*Tensor)((*ir.Tape)(t).Master(p)) }

// New returns a tensor for a kernel's result, of the tape's Storage. Its elements are
// undefined until a kernel writes them: a kernel that writes it must write all of it.
func (t *Tape) New(shape ...int) *Tensor { return (*Tensor)((*ir.Tape)(t).New(shape...)) }

// NewF32 is New for numbers that need the range and precision of f32 whatever the
// Storage: losses, statistics, parts of sums.
func (t *Tape) NewF32(shape ...int) *Tensor { return (*Tensor)((*ir.Tape)(t).NewF32(shape...)) }

// NewU32 is New for a tensor of u32.
func (t *Tape) NewU32(shape ...int) *Tensor { return (*Tensor)((*ir.Tape)(t).NewU32(shape...)) }

// Zeros returns a tensor of the tape's Storage that starts every run at zero, for
// kernels that add to what they write. The compiler turns the first addition into an
// assignment.
func (t *Tape) Zeros(shape ...int) *Tensor { return (*Tensor)((*ir.Tape)(t).Zeros(shape...)) }

// ZerosF32 is Zeros for numbers that need f32 (see NewF32).
func (t *Tape) ZerosF32(shape ...int) *Tensor { return (*Tensor)((*ir.Tape)(t).ZerosF32(shape...)) }

// Reshape returns a view of x with another shape of as many elements. It panics
// where the numbers differ. The gradient of a view is a view of the gradient.
func (t *Tape) Reshape(x *Tensor, shape ...int) *Tensor {
	return (*Tensor)((*ir.Tape)(t).Reshape((*ir.Tensor)(x), shape...))
}

// Grad returns the gradient of the loss with respect to x, in x's shape. It
// starts every run at zero, and every kernel adds to it. It is stored as x is, but that
// of a parameter always as f32.
func (t *Tape) Grad(x *Tensor) *Tensor { return (*Tensor)((*ir.Tape)(t).Grad((*ir.Tensor)(x))) }

// OnBackward leaves a closure that records backward runs; Backward calls the
// closures in reverse order.
func (t *Tape) OnBackward(record func()) { (*ir.Tape)(t).OnBackward(record) }

// Within records what belongs to a part of a model, such as "3 Linear(512, 10)", so
// that reports can name it. Parts within parts are joined by a slash.
func (t *Tape) Within(part string, record func()) { (*ir.Tape)(t).Within(part, record) }

// Backward records the gradients of the sum of loss's elements with respect to
// everything it was computed from. It may be called once.
func (t *Tape) Backward(loss *Tensor) { (*ir.Tape)(t).Backward((*ir.Tensor)(loss)) }

// BackwardFromGrads is Backward from the gradients that Seed and SetGrad gave.
func (t *Tape) BackwardFromGrads() { (*ir.Tape)(t).BackwardFromGrads() }

// Seed sets the gradient of x to a constant before the backward runs.
func (t *Tape) Seed(x *Tensor, value float32) { (*ir.Tape)(t).Seed((*ir.Tensor)(x), value) }

// SetGrad uses g, of as many elements, as the gradient of x: where a gradient
// comes from outside. It panics where x has a gradient already.
func (t *Tape) SetGrad(x, g *Tensor) { (*ir.Tape)(t).SetGrad((*ir.Tensor)(x), (*ir.Tensor)(g)) }

// Random returns the tape's clock and the index of a stream of random numbers
// of its own, for a layer that draws them (see Uniform). It panics on a tape
// without a clock.
func (t *Tape) Random() (clock *Tensor, stream uint32) {
	x, stream := (*ir.Tape)(t).Random()
	return (*Tensor)(x), stream
}

// Keep marks tensors that the caller may read back; everything that nobody
// reads is dropped by the compiler. Parameters are always kept.
func (t *Tape) Keep(xs ...*Tensor) { (*ir.Tape)(t).Keep(inner(xs)...) }

// Compile turns the recorded list into a program for the tape's device. The reference
// device runs the list as recorded. Another one judges each text that it has not run
// before. Errors wrap ErrLimit, ErrOutOfMemory or ErrWrongNumbers, or carry the shader
// compiler's message. The tape stays as it is.
//
// To find a fault, passes of the compiler may be left out: prune, hoist, fuse, choose,
// accumulate, overwrite, batch, chain, join, plan, specialise; the judging, check; and the
// measuring of variants, measure. PUMICE_DEBUG=-chain,-join leaves them out everywhere. It
// panics where there is no such pass.
func (t *Tape) Compile(without ...string) (*Program, error) {
	p, err := compiler.Compile((*ir.Tape)(t), passes("Compile", without)...)
	return (*Program)(p), err
}

// Verify compiles the tape, runs it dispatch by dispatch on copies of the parameters, and
// judges every element that each dispatch writes by its definition and error model. Inputs
// are set by the callback, which gets the program. The error wraps ErrWrongNumbers where
// an element is illegal, where something is written behind a tensor's end, or where a
// second run gives other bits; it names the first of them.
func (t *Tape) Verify(ctx context.Context, inputs func(p *Program) error, without ...string) error {
	found, err := compiler.Verify(ctx, (*ir.Tape)(t), func(p *compiler.Program) error {
		if inputs == nil {
			return nil
		}
		return inputs((*Program)(p))
	}, passes("Verify", without)...)
	for _, d := range found {
		if err == nil && !d.Legal {
			err = fmt.Errorf("compute: %s: %v: %w", t.Device().Info().Name, d, ErrWrongNumbers)
		}
	}
	return err
}

// passes are those of the names.
func passes(op string, names []string) (all []ir.Pass) {
	known := append(ir.Passes(), ir.Check, ir.Measure)
	for _, name := range names {
		if !slices.Contains(known, ir.Pass(name)) {
			panic(fmt.Sprintf("compute: Tape.%s: pass %q, want one of %q", op, name, known))
		}
		all = append(all, ir.Pass(name))
	}
	return all
}
