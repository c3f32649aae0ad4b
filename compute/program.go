package compute

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
)

// Program is a compiled tape. Its pipelines, bind groups and buffers are made
// once; running it allocates nothing, on the host or the device. A program is
// safe for several goroutines, which take turns. Close frees its buffers; the
// parameters stay with the device.
type Program struct {
	dev  *Device
	name string
	list []Dispatch // the launches
	bake bool
	// guard is how many elements stand behind each tensor, and wholes are those that
	// others have places in, where a program is judged.
	guard  int
	wholes map[*slot]*buffer

	mu        sync.Mutex
	runner    runner
	buffers   map[*slot]*buffer   // what the program owns
	values    map[*slot][]float32 // of its constants
	storages  []*buffer           // what its tensors share
	shared    int64               // bytes of those tensors
	params    []*Param            // what it uses of the device's
	nonFinite bool                // see tapeoption.Switches
	judged    []string            // how each text was judged, where it was
	closed    bool
}

var programs atomic.Int64

// Compile turns the recorded list into a program for the tape's device, leaving
// out the named passes. The reference device runs the list as recorded. Another one
// judges each text that it has not run before. Errors wrap ErrLimit, ErrOutOfMemory
// or ErrWrongNumbers, or carry the shader compiler's message. The tape stays as it is.
func (t *Tape) Compile(without ...Pass) (*Program, error) { return t.compile(0, without) }

// compile makes every buffer of the program larger than its tensor by guard
// elements; where there are any, the program has parameters of its own. Texts that fail
// are refused, and the list is lowered again without them.
func (t *Tape) compile(guard int, without []Pass) (*Program, error) {
	if guard > 0 { // whoever judges takes what is known to be right, and fast
		without = append(slices.Clone(without), Measure)
	}
	var before []string
	for {
		p, failed, err := t.compileOnce(guard, without)
		if failed == nil || err != nil {
			return p, err
		}
		if slices.Equal(failed, before) { // what is refused is made again
			return nil, fmt.Errorf("compute: %s: nothing can stand for what was refused, %v: %w", t.dev.info.Name, t.dev.Refused(), ErrWrongNumbers)
		}
		before = failed
	}
}

// compileOnce is compile, without a program where texts failed, whose keys it returns.
func (t *Tape) compileOnce(guard int, without []Pass) (p *Program, failed []string, err error) {
	if slices.ContainsFunc(t.slots, func(s *slot) bool { return s.dtype == F16 }) {
		if err := t.dev.Stores(F16); err != nil {
			return nil, nil, err
		}
	}
	defer t.unchanged()()
	runs := passes(without)
	list, values, err := t.lower(runs)
	if err != nil {
		return nil, nil, err
	}
	for _, s := range t.slots {
		if s.values != nil {
			values[s] = s.values
		}
	}
	p = &Program{
		dev: t.dev, name: fmt.Sprintf("program %d", programs.Add(1)), list: list, values: values,
		bake: runs(Specialise), buffers: map[*slot]*buffer{},
		guard: guard, wholes: map[*slot]*buffer{},
	}
	all := map[*slot]*buffer{}
	var storage map[*slot]int
	var sizes []int
	fail := func(err error) (*Program, []string, error) {
		p.Close()
		return nil, nil, err
	}
	if !t.dev.IsReference() {
		if runs(Batch) {
			if list, err = p.batch(list, all); err != nil {
				return fail(err)
			}
		}
		if runs(Chain) {
			if list, err = t.chain(list, all, p.bake); err != nil {
				return fail(err)
			}
		}
		if runs(Join) && p.bake {
			if list, err = t.join(list, all); err != nil {
				return fail(err)
			}
		}
		p.list = list
		for i := range list {
			list[i].rewritten(t.switches.Taken, p.bake)
		}
		if runs(Check) && guard == 0 { // whoever judges looks at every element
			if p.judged, failed, err = t.dev.judged(list, p.bake); failed != nil || err != nil {
				p.Close()
				return nil, failed, err
			}
		}
		if runs(Plan) && guard == 0 { // whoever judges wants each tensor alone, and NaN at the start
			storage, sizes = plan(list, func(s *slot) bool { return all[s] != nil || values[s] != nil })
		}
	}
	p.storages = make([]*buffer, len(sizes))
	need := func(s *slot) error {
		if all[s] != nil {
			return nil
		}
		var err error
		if s.param != nil && guard == 0 {
			if all[s], err = t.dev.use(s.param); err == nil {
				p.params = append(p.params, s.param)
			}
		} else if i, ok := storage[s]; ok {
			if p.storages[i] == nil {
				p.storages[i], err = t.dev.alloc(p.name, fmt.Sprintf("storage %d", i), F32, sizes[i])
			}
			all[s] = p.storages[i]
			p.shared += s.dtype.bytes(s.n)
		} else {
			if all[s], err = t.dev.alloc(p.name, s.name, s.dtype, s.n+guard); err == nil {
				p.buffers[s] = all[s]
			}
		}
		if v := values[s]; err == nil && v != nil {
			t.dev.up.Add(s.dtype.bytes(len(v)))
			err = t.dev.eng.write(all[s], asWords(v))
		}
		return err
	}
	for _, d := range list {
		for _, x := range d.Tensors {
			if err := need(x.base); err != nil {
				return fail(err)
			}
		}
	}
	for _, s := range t.slots {
		if s.keep || s.input && s.values == nil {
			if err := need(s); err != nil {
				return fail(err)
			}
		}
	}
	p.runner, err = t.dev.eng.build(list, func(s *slot) *buffer { return all[s] }, p.bake)
	if err != nil {
		return fail(err)
	}
	return p, nil, nil
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
		return fmt.Errorf("compute: %s: %w", p.name, ErrClosed)
	}
	if err := p.dev.open(); err != nil {
		return err
	}
	return p.runner.run(ctx)
}

// Write sets an input, or a kept tensor, from float32 numbers, which are rounded to the
// nearest where x is stored as f16. It panics where x is of another type or size.
func (p *Program) Write(x *Tensor, data []float32) error { return p.write(x, F32, asWords(data)) }

// WriteU32 sets an input, or a kept tensor, of u32.
func (p *Program) WriteU32(x *Tensor, data []uint32) error { return p.write(x, U32, data) }

func (p *Program) write(x *Tensor, dtype DType, words []uint32) error {
	if x.dtype.numbers() != dtype || x.Len() != len(words) {
		panic(fmt.Sprintf("compute: Program.Write: %d elements of %v to %v", len(words), dtype, x))
	}
	b, err := p.buffer(x)
	if err != nil {
		return err
	}
	p.dev.up.Add(x.dtype.bytes(len(words)))
	return p.dev.eng.write(b, words)
}

// Read waits for the work submitted so far and copies a kept tensor or an input
// to dst. It panics where x is not kept, or of another type or size.
func (p *Program) Read(ctx context.Context, x *Tensor, dst []float32) error {
	r, err := p.ReadLater(x)
	if err != nil {
		return err
	}
	return r.Wait(ctx, dst)
}

// ReadU32 is Read for a tensor of u32.
func (p *Program) ReadU32(ctx context.Context, x *Tensor, dst []uint32) error {
	r, err := p.ReadLater(x)
	if err != nil {
		return err
	}
	return r.WaitU32(ctx, dst)
}

// Readback is a read under way; Wait must be called once.
type Readback struct {
	x *Tensor
	r pending
}

// ReadLater asks for the values x has when the work submitted so far is done,
// without waiting; runs may follow.
func (p *Program) ReadLater(x *Tensor) (*Readback, error) {
	b, err := p.buffer(x)
	if err != nil {
		return nil, err
	}
	r, err := p.dev.eng.read(b)
	if err != nil {
		return nil, fmt.Errorf("compute: read %v: %w", x, err)
	}
	p.dev.down.Add(x.dtype.bytes(x.Len()))
	return &Readback{x, r}, nil
}

// Wait waits for the values of a float32 tensor and copies them to dst.
func (r *Readback) Wait(ctx context.Context, dst []float32) error {
	return r.wait(ctx, F32, asWords(dst))
}

// WaitU32 is Wait for a tensor of u32.
func (r *Readback) WaitU32(ctx context.Context, dst []uint32) error {
	return r.wait(ctx, U32, dst)
}

func (r *Readback) wait(ctx context.Context, dtype DType, dst []uint32) error {
	if r.x.dtype.numbers() != dtype || r.x.Len() != len(dst) {
		panic(fmt.Sprintf("compute: Read: %v to %d elements of %v", r.x, len(dst), dtype))
	}
	if err := r.r.wait(ctx, dst); err != nil {
		return fmt.Errorf("compute: read %v: %w", r.x, err)
	}
	return nil
}

func (p *Program) buffer(x *Tensor) (*buffer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, fmt.Errorf("compute: %s: %w", p.name, ErrClosed)
	}
	if err := p.dev.open(); err != nil {
		return nil, err
	}
	b := p.buffers[x.base]
	if b == nil && x.base.param != nil {
		return p.dev.param(x.base.param)
	}
	if b == nil || !(x.base.keep || x.base.input) {
		panic(fmt.Sprintf("compute: %v is not kept by its tape", x))
	}
	return b, nil
}

// Set64 sets any tensor of a program on the reference device to float64
// numbers, without rounding: for numerical differentiation. It panics on another
// device.
func (p *Program) Set64(x *Tensor, data []float64) { copy(p.host(x), data) }

// Get64 copies a tensor of a program on the reference device. It panics on
// another device, and where the program does not use x.
func (p *Program) Get64(x *Tensor) []float64 { return slices.Clone(p.host(x)) }

func (p *Program) host(x *Tensor) []float64 {
	b := p.buffers[x.base]
	if x.base.param != nil {
		b, _ = p.dev.param(x.base.param)
	}
	if !p.dev.IsReference() || b == nil {
		panic(fmt.Sprintf("compute: %v is not in a program on the reference device", x))
	}
	return b.host
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
		p.runner.release()
	}
	for _, b := range p.buffers {
		p.dev.free(b)
	}
	for _, b := range p.storages {
		if b != nil {
			p.dev.free(b)
		}
	}
	for _, used := range p.params {
		p.dev.drop(used)
	}
	p.buffers, p.storages, p.params = nil, nil, nil
	return nil
}

// Memory is how many bytes of device memory the program holds, parameters not
// counted, and how many it would if no two tensors shared theirs.
func (p *Program) Memory() (held, alone int64) {
	for _, b := range p.buffers {
		held += b.dtype.bytes(b.n)
	}
	alone = held
	for _, b := range p.storages {
		held += b.dtype.bytes(b.n)
	}
	return held, alone + p.shared
}
