package compute

import (
	"context"

	"github.com/pumice-ml/pumice/internal/compiler"
	"github.com/pumice-ml/pumice/internal/ir"
)

// Program is a compiled tape. Its pipelines, bind groups and buffers are made
// once; running it allocates nothing, on the host or the device. A program is
// safe for several goroutines, which take turns. Close frees its buffers; the
// parameters stay with the device.
type Program compiler.Program

func (p *Program) inner() *compiler.Program { return (*compiler.Program)(p) }

// Run runs the program once. It returns when the work is submitted, or, where
// too much is waiting already, when that has finished. A cancelled context
// stops it before it begins, never in the middle.
func (p *Program) Run(ctx context.Context) error { return p.inner().Run(ctx) }

// Write sets an input, or a kept tensor, from float32 numbers, which are rounded to the
// nearest where x is stored as f16. It panics where x is of another type or size.
func (p *Program) Write(x *Tensor, data []float32) error {
	return p.inner().Write((*ir.Tensor)(x), data)
}

// WriteU32 sets an input, or a kept tensor, of u32.
func (p *Program) WriteU32(x *Tensor, data []uint32) error {
	return p.inner().WriteU32((*ir.Tensor)(x), data)
}

// Read waits for the work submitted so far and copies a kept tensor or an input
// to dst. It panics where x is not kept, or of another type or size.
func (p *Program) Read(ctx context.Context, x *Tensor, dst []float32) error {
	return p.inner().Read(ctx, (*ir.Tensor)(x), dst)
}

// ReadU32 is Read for a tensor of u32.
func (p *Program) ReadU32(ctx context.Context, x *Tensor, dst []uint32) error {
	return p.inner().ReadU32(ctx, (*ir.Tensor)(x), dst)
}

// Readback is a read under way; Wait must be called once.
type Readback compiler.Readback

// ReadLater asks for the values x has when the work submitted so far is done,
// without waiting; runs may follow.
func (p *Program) ReadLater(x *Tensor) (*Readback, error) {
	r, err := p.inner().ReadLater((*ir.Tensor)(x))
	return (*Readback)(r), err
}

// Wait waits for the values of a float32 tensor and copies them to dst.
func (r *Readback) Wait(ctx context.Context, dst []float32) error {
	return (*compiler.Readback)(r).Wait(ctx, dst)
}

// WaitU32 is Wait for a tensor of u32.
func (r *Readback) WaitU32(ctx context.Context, dst []uint32) error {
	return (*compiler.Readback)(r).WaitU32(ctx, dst)
}

// Memory is how many bytes of device memory the program holds, parameters not
// counted, and how many it would if no two tensors shared theirs.
func (p *Program) Memory() (held, alone int64) { return p.inner().Memory() }

// Close frees what the program owns. It may be called twice.
func (p *Program) Close() error { return p.inner().Close() }
