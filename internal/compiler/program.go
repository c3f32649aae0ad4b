// Package compiler compiles tapes to programs, runs them, and judges them dispatch by
// dispatch. Package compute shows its Device and Program to users.
package compiler

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/pumice-ml/pumice/internal/engine"
	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/internal/pass"
	"github.com/pumice-ml/pumice/internal/tune"
)

// Program is a compiled tape. Its pipelines, bind groups and buffers are made
// once; running it allocates nothing, on the host or the device. A program is
// safe for several goroutines, which take turns. Close frees its buffers; the
// parameters stay with the device.
type Program struct {
	dev   *tune.Device
	list  []ir.Dispatch // the launches
	bake  bool
	place pass.Placement

	mu        sync.Mutex
	runner    engine.Runner
	values    map[*ir.Slot][]float32 // of its constants
	storages  []*engine.Buffer       // what its tensors share
	shared    int64                  // bytes of those tensors
	nonFinite bool                   // see tapeoption.Switches
	judged    []string               // how each text was judged, where it was
	closed    bool
}

var programs atomic.Int64

// Compile turns the recorded list into a program for the tape's device, leaving
// out the named passes. The reference device runs the list as recorded. Another one
// judges each text that it has not run before. Errors wrap ErrLimit, ErrOutOfMemory
// or ErrWrongNumbers, or carry the shader compiler's message. The tape stays as it is.
func Compile(t *ir.Tape, without ...ir.Pass) (*Program, error) { return compileGuarded(t, 0, without) }

// compileGuarded makes every buffer of the program larger than its tensor by guard
// elements; where there are any, the program has parameters of its own. Texts that fail
// are refused, and the list is lowered again without them.
func compileGuarded(t *ir.Tape, guard int, without []ir.Pass) (*Program, error) {
	if guard > 0 { // whoever judges takes what is known to be right, and fast
		without = append(slices.Clone(without), ir.Measure)
	}
	dev := t.Device().(*Device).dev
	var before []string
	for {
		p, failed, err := compileOnce(t, guard, without)
		if failed == nil || err != nil {
			return p, err
		}
		if slices.Equal(failed, before) { // what is refused is made again
			return nil, fmt.Errorf("compute: %s: nothing can stand for what was refused, %v: %w", dev.Info().Name, dev.Refused(), ir.ErrWrongNumbers)
		}
		before = failed
	}
}

// compileOnce is compileGuarded, without a program where texts failed, whose keys it returns.
func compileOnce(t *ir.Tape, guard int, without []ir.Pass) (made *Program, failed []string, err error) {
	dev := t.Device().(*Device).dev
	if slices.ContainsFunc(t.Slots(), func(s *ir.Slot) bool { return s.DType == ir.F16 }) {
		if err := dev.Stores(ir.F16); err != nil {
			return nil, nil, err
		}
	}
	defer t.Unchanged()()
	runs := pass.Runs(without)
	p := &Program{dev: dev, bake: runs(ir.Specialise), place: pass.Placement{
		Name: fmt.Sprintf("program %d", programs.Add(1)), Guard: guard,
		Buffers: map[*ir.Slot]*engine.Buffer{}, Owned: map[*ir.Slot]*engine.Buffer{}, Wholes: map[*ir.Slot]*engine.Buffer{},
	}}
	defer func() {
		if made == nil {
			p.Close()
		}
	}()
	if p.list, p.values, err = pass.Lower(t, dev, runs, &p.place); err != nil {
		return nil, nil, err
	}
	for _, s := range t.Slots() {
		if s.Values != nil {
			p.values[s] = s.Values
		}
	}
	var storage map[*ir.Slot]int
	var sizes []int
	if !dev.IsReference() {
		for i := range p.list {
			p.list[i].Rewritten(t.Switches().Taken, p.bake)
		}
		if runs(ir.Check) && guard == 0 { // whoever judges looks at every element
			if p.judged, failed, err = dev.Verdicts(p.list, p.bake); failed != nil || err != nil {
				return nil, failed, err
			}
		}
		if runs(ir.Plan) && guard == 0 { // whoever judges wants each tensor alone, and NaN at the start
			storage, sizes = pass.Plan(p.list, func(s *ir.Slot) bool { return p.place.Buffers[s] != nil || p.values[s] != nil })
		}
	}
	if err := p.hold(t.Slots(), storage, sizes); err != nil {
		return nil, nil, err
	}
	p.runner, err = dev.Engine.Build(p.list, func(s *ir.Slot) *engine.Buffer { return p.place.Buffers[s] }, p.bake)
	if err != nil {
		return nil, nil, err
	}
	return p, nil, nil
}

// hold gives memory to the tensors that the launches, or the host, use: a storage to those
// that share one, of which there are so many words each.
func (p *Program) hold(slots []*ir.Slot, storage map[*ir.Slot]int, sizes []int) error {
	p.storages = make([]*engine.Buffer, len(sizes))
	all := p.place.Buffers
	need := func(s *ir.Slot) (err error) {
		if all[s] != nil {
			return nil
		}
		if i, ok := storage[s]; s.Param != nil && p.place.Guard == 0 {
			if all[s], err = p.dev.Use(s.Param); err == nil {
				p.place.Params = append(p.place.Params, s.Param)
			}
		} else if ok {
			if p.storages[i] == nil {
				p.storages[i], err = p.dev.Alloc(p.place.Name, fmt.Sprintf("storage %d", i), ir.F32, sizes[i])
			}
			all[s] = p.storages[i]
			p.shared += ir.Bytes(s.DType, s.N)
		} else if all[s], err = p.dev.Alloc(p.place.Name, s.Name, s.DType, s.N+p.place.Guard); err == nil {
			p.place.Owned[s] = all[s]
		}
		if v := p.values[s]; err == nil && v != nil {
			p.dev.Up.Add(ir.Bytes(s.DType, len(v)))
			err = p.dev.Engine.Write(all[s], ir.AsWords(v))
		}
		return err
	}
	for _, d := range p.list {
		for _, x := range d.Tensors {
			if err := need(x.Base()); err != nil {
				return err
			}
		}
	}
	for _, s := range slots {
		if s.Keep || s.Input && s.Values == nil {
			if err := need(s); err != nil {
				return err
			}
		}
	}
	return nil
}

// Run runs the program once. It returns when the work is submitted, or, where
// too much is waiting already, when that has finished. A cancelled context
// stops it before it begins, never in the middle.
func (p *Program) Run(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return fmt.Errorf("compute: %s: %w", p.place.Name, ir.ErrClosed)
	}
	if err := p.dev.Usable(); err != nil {
		return err
	}
	return p.runner.Run(ctx)
}

// Write sets an input, or a kept tensor, from float32 numbers, which are rounded to the
// nearest where x is stored as f16. It panics where x is of another type or size.
func (p *Program) Write(x *ir.Tensor, data []float32) error {
	return p.write(x, ir.F32, ir.AsWords(data))
}

// WriteU32 sets an input, or a kept tensor, of u32.
func (p *Program) WriteU32(x *ir.Tensor, data []uint32) error { return p.write(x, ir.U32, data) }

func (p *Program) write(x *ir.Tensor, dtype ir.DType, words []uint32) error {
	if ir.Numbers(x.DType()) != dtype || x.Len() != len(words) {
		panic(fmt.Sprintf("compute: Program.Write: %d elements of %v to %v", len(words), dtype, x))
	}
	b, err := p.buffer(x)
	if err != nil {
		return err
	}
	p.dev.Up.Add(ir.Bytes(x.DType(), len(words)))
	return p.dev.Engine.Write(b, words)
}

// Read waits for the work submitted so far and copies a kept tensor or an input
// to dst. It panics where x is not kept, or of another type or size.
func (p *Program) Read(ctx context.Context, x *ir.Tensor, dst []float32) error {
	r, err := p.ReadLater(x)
	if err != nil {
		return err
	}
	return r.Wait(ctx, dst)
}

// ReadU32 is Read for a tensor of u32.
func (p *Program) ReadU32(ctx context.Context, x *ir.Tensor, dst []uint32) error {
	r, err := p.ReadLater(x)
	if err != nil {
		return err
	}
	return r.WaitU32(ctx, dst)
}

// Readback is a read under way; Wait must be called once.
type Readback struct {
	x *ir.Tensor
	r engine.Pending
}

// ReadLater asks for the values x has when the work submitted so far is done,
// without waiting; runs may follow.
func (p *Program) ReadLater(x *ir.Tensor) (*Readback, error) {
	b, err := p.buffer(x)
	if err != nil {
		return nil, err
	}
	r, err := p.dev.Engine.Read(b)
	if err != nil {
		return nil, fmt.Errorf("compute: read %v: %w", x, err)
	}
	p.dev.Down.Add(ir.Bytes(x.DType(), x.Len()))
	return &Readback{x, r}, nil
}

// Wait waits for the values of a float32 tensor and copies them to dst.
func (r *Readback) Wait(ctx context.Context, dst []float32) error {
	return r.wait(ctx, ir.F32, ir.AsWords(dst))
}

// WaitU32 is Wait for a tensor of u32.
func (r *Readback) WaitU32(ctx context.Context, dst []uint32) error {
	return r.wait(ctx, ir.U32, dst)
}

func (r *Readback) wait(ctx context.Context, dtype ir.DType, dst []uint32) error {
	if ir.Numbers(r.x.DType()) != dtype || r.x.Len() != len(dst) {
		panic(fmt.Sprintf("compute: Read: %v to %d elements of %v", r.x, len(dst), dtype))
	}
	if err := r.r.Wait(ctx, dst); err != nil {
		return fmt.Errorf("compute: read %v: %w", r.x, err)
	}
	return nil
}

func (p *Program) buffer(x *ir.Tensor) (*engine.Buffer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, fmt.Errorf("compute: %s: %w", p.place.Name, ir.ErrClosed)
	}
	if err := p.dev.Usable(); err != nil {
		return nil, err
	}
	b := p.place.Owned[x.Base()]
	if b == nil && x.Base().Param != nil {
		return p.dev.Param(x.Base().Param)
	}
	if b == nil || !(x.Base().Keep || x.Base().Input) {
		panic(fmt.Sprintf("compute: %v is not kept by its tape", x))
	}
	return b, nil
}

// Set64 sets any tensor of a program on the reference device to float64
// numbers, without rounding: for numerical differentiation. It panics on another
// device.
func (p *Program) Set64(x *ir.Tensor, data []float64) { copy(p.host(x), data) }

// Get64 copies a tensor of a program on the reference device. It panics on
// another device, and where the program does not use x.
func (p *Program) Get64(x *ir.Tensor) []float64 { return slices.Clone(p.host(x)) }

func (p *Program) host(x *ir.Tensor) []float64 {
	b := p.place.Owned[x.Base()]
	if x.Base().Param != nil {
		b, _ = p.dev.Param(x.Base().Param)
	}
	if !p.dev.IsReference() || b == nil {
		panic(fmt.Sprintf("compute: %v is not in a program on the reference device", x))
	}
	return b.Host
}

// Close frees what the program owns. It may be called twice.
func (p *Program) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	p.closed = true
	if p.runner != nil {
		p.runner.Release()
	}
	for _, b := range p.place.Owned {
		p.dev.Free(b)
	}
	for _, b := range p.storages {
		if b != nil {
			p.dev.Free(b)
		}
	}
	for _, used := range p.place.Params {
		p.dev.Drop(used)
	}
	p.place, p.storages = pass.Placement{Name: p.place.Name}, nil
	return nil
}

// Memory is how many bytes of device memory the program holds, parameters not
// counted, and how many it would if no two tensors shared theirs.
func (p *Program) Memory() (held, alone int64) {
	for _, b := range p.place.Owned {
		held += ir.Bytes(b.DType, b.N)
	}
	alone = held
	for _, b := range p.storages {
		held += ir.Bytes(b.DType, b.N)
	}
	return held, alone + p.shared
}
