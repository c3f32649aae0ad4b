package compute

import (
	"io/fs"

	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/internal/shader"
)

// Kernel is an entry point of a shader together with the Go function that
// defines what it computes and the error model that says how far a device may
// stray. Declare kernels as package variables; they are registered by that.
type Kernel ir.Kernel

// NewKernel declares the kernel "shader.entry" of Pumice's own shaders. P is a
// struct whose fields, in order, are those of the shader's Params (uint32, int32
// or float32; names are compared without case). The definition gets the params
// and the tensors that the entry point uses, by binding number, as float64; it
// writes those that are read_write, and leaves the others alone. Where the
// shader has "const accumulate" it adds to them. A name may give constants of the
// shader other values: "shader.entry,rows=4,columns=8" is a kernel of its own, with
// its own test and verdict.
//
// The shader is read when the kernel is first used; where it and Go do not fit, that
// panics.
func NewKernel[P any](name string, define func(p P, b [][]float64), model Model) *Kernel {
	return (*Kernel)(ir.Declare(shader.Load, name, define, model, 1))
}

// NewKernelFS declares a kernel of a shader file in fsys: one's own kernel under
// the same rules as ours.
func NewKernelFS[P any](fsys fs.FS, name string, define func(p P, b [][]float64), model Model) *Kernel {
	return (*Kernel)(ir.Declare(func(file string) (*shader.Shader, error) { return shader.LoadFS(fsys, file) }, name, define, model, 1))
}

// Name is "shader.entry", with the constants that NewKernel was given.
func (k *Kernel) Name() string { return (*ir.Kernel)(k).Name() }

// Run records one run of k on the tape of the tensors, which are those the entry
// point uses, by binding number. It panics where their number, types or tapes do
// not fit, or where a tensor that is written is bound twice.
func (k *Kernel) Run(params any, tensors ...*Tensor) { (*ir.Kernel)(k).Run(params, inner(tensors)...) }
