package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/internal/webgpu"
)

// GPU is the engine behind a WebGPU device. It owns the device, its pipelines
// and the nonce.
type GPU struct {
	owner *Device
	dev   *webgpu.Device

	mu        sync.Mutex // nonce, pipelines, idle readers
	nonce     uint32
	nonces    *webgpu.Buffer
	pipelines map[pipelineKey]*compiled
	primed    map[*webgpu.Pipeline]bool // those that were dispatched
	flying    atomic.Int64              // measured nanoseconds submitted and not waited for
	written   atomic.Bool               // since the last submission
	ticks     struct {                  // of the device's clock (see tick)
		sync.Mutex
		period float64 // nanoseconds
		err    error
	}
}

type pipelineKey struct{ text, entry string }

// compiled is a pipeline once done is closed, or why there is none.
type compiled struct {
	done     chan struct{}
	pipeline *webgpu.Pipeline
	err      error
	told     func() // tells that the driver is through with it
}

func newGPU(owner *Device, dev *webgpu.Device) (*GPU, error) {
	nonces, err := dev.NewBuffer("nonce", 4, webgpu.Storage)
	if err != nil {
		return nil, err
	}
	return &GPU{owner: owner, dev: dev, nonces: nonces, pipelines: map[pipelineKey]*compiled{}, primed: map[*webgpu.Pipeline]bool{}}, nil
}

func (e *GPU) close() {
	// A device of wgpu 0.19 that is released with writes that no submission has carried
	// leaves them to the next device, whose first submission then ends the process.
	if e.written.Load() {
		if b, err := e.Alloc("flush", ir.F32, 1); err == nil {
			if r, err := e.Read(b); err == nil {
				_ = r.Wait(context.Background(), make([]uint32, 1))
			}
			e.free(b)
		}
	}
	for _, p := range e.pipelines {
		if p.pipeline != nil {
			p.pipeline.Release()
		}
	}
	e.nonces.Release()
	e.dev.Release()
}

// padded is the size of a tensor's buffer: whole vec4s, and never empty.
func padded(dtype ir.DType, n int) uint64 { return uint64(ir.Bytes(dtype, (max(n, 1)+3)/4*4)) }

func (e *GPU) Alloc(label string, dtype ir.DType, n int) (*Buffer, error) {
	b, err := e.dev.NewBuffer(label, padded(dtype, n), webgpu.Storage)
	if err != nil {
		return nil, err
	}
	return &Buffer{Label: label, DType: dtype, N: n, gpu: b}, nil
}

func (e *GPU) free(b *Buffer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, r := range b.readers {
		r.release()
	}
	b.readers = nil
	if b.Parent == nil {
		b.gpu.Release()
	}
}

func (e *GPU) Write(b *Buffer, words []uint32) error {
	if len(words) == 0 {
		return nil
	}
	if b.DType == ir.F16 {
		words = ir.PackF16(words)
	}
	e.written.Store(true)
	return e.dev.Write(b.gpu, uint64(ir.Bytes(b.DType, b.Offset)), asBytes(words))
}

func (e *GPU) submit(p *webgpu.Plan, first, last int) error {
	e.written.Store(false)
	return e.dev.Submit(p, first, last)
}

func (e *GPU) wait(ctx context.Context) error {
	if err := e.dev.Wait(ctx); err != nil {
		return err
	}
	e.flying.Store(0)
	return nil
}

// BuildErrors are why dispatches of a list cannot run, nil for those that can.
type BuildErrors []error

func (e BuildErrors) Error() string { return errors.Join(e...).Error() }

func (e BuildErrors) Unwrap() []error {
	return slices.DeleteFunc(slices.Clone(e), func(err error) bool { return err == nil })
}

// orNil is the errors, or nil where there is none.
func (e BuildErrors) orNil() error {
	if len(e.Unwrap()) == 0 {
		return nil
	}
	return e
}

// compile makes the pipelines that nobody made before, and waits for those that others
// make. Each pipeline's told must be called when the driver is through with it.
func (e *GPU) compile(all []prepared) (pipelines []*webgpu.Pipeline, told map[*webgpu.Pipeline]func(), err error) {
	of := make([]*compiled, len(all))
	var mine []*compiled
	var sources []webgpu.Source
	e.mu.Lock()
	for i, p := range all {
		if p.groups[0] == 0 {
			continue // nothing to do
		}
		key := pipelineKey{p.source.WGSL, p.source.Entry}
		if e.pipelines[key] == nil {
			e.pipelines[key] = &compiled{done: make(chan struct{})}
			mine, sources = append(mine, e.pipelines[key]), append(sources, p.source)
		}
		of[i] = e.pipelines[key]
	}
	e.mu.Unlock()
	if len(mine) > 0 {
		done := e.owner.Progress.Begin(Compiling, len(sources))
		for i, c := range mine {
			c.told = sync.OnceFunc(func() { done(sources[i].Label) })
		}
		pipelines, errs := e.dev.NewPipelines(sources, func(i int) {
			if !webgpu.Lazy {
				mine[i].told()
			}
		})
		for i, c := range mine {
			if c.pipeline, c.err = pipelines[i], errs[i]; c.err != nil {
				c.told()
			}
			close(c.done)
		}
	}
	errs := make([]error, len(all))
	pipelines, told = make([]*webgpu.Pipeline, len(all)), map[*webgpu.Pipeline]func(){}
	for i, c := range of {
		if c == nil {
			continue
		}
		<-c.done
		if pipelines[i] = c.pipeline; c.err != nil {
			errs[i] = fmt.Errorf("compute: kernel %s: %w", all[i].source.Label, c.err)
		} else {
			told[c.pipeline] = c.told
		}
	}
	return pipelines, told, BuildErrors(errs).orNil()
}

// bound is b as a dispatch binds it.
func (b *Buffer) bound() webgpu.Range {
	if b.Parent == nil {
		return webgpu.Range{Buffer: b.gpu}
	}
	return webgpu.Range{Buffer: b.gpu, Offset: uint64(ir.Bytes(b.DType, b.Offset)), Size: padded(b.DType, b.N)}
}

// Build makes the pipelines, side by side, the bind groups and the plan.
func (e *GPU) Build(list []ir.Dispatch, buffers func(*ir.Slot) *Buffer, bake bool) (built Runner, err error) {
	r := &GPURunner{Eng: e}
	all := make([]prepared, len(list))
	errs := make([]error, len(list))
	var wg sync.WaitGroup
	work := make(chan int)
	for range min(runtime.NumCPU(), len(list)) {
		wg.Go(func() {
			for i := range work {
				all[i], errs[i] = e.prepare(&list[i], bake)
			}
		})
	}
	for i := range list {
		work <- i
	}
	close(work)
	wg.Wait()
	if err := BuildErrors(errs).orNil(); err != nil {
		return nil, err
	}
	pipelines, told, err := e.compile(all)
	defer func() {
		if err != nil { // nothing will dispatch them
			for _, t := range told {
				t()
			}
		}
	}()
	if err != nil {
		return nil, err
	}
	var planned []webgpu.Command
	for i := range list {
		d := &list[i]
		c := webgpu.Command{Pipeline: pipelines[i], Groups: all[i].groups}
		r.Index = append(r.Index, len(planned))
		if c.Pipeline == nil {
			continue // nothing to do
		}
		var bound []webgpu.Range
		if !d.Baked(bake) {
			uniform, err := e.uniform(d)
			if err != nil {
				r.Release()
				return nil, err
			}
			r.uniforms = append(r.uniforms, uniform)
			bound = append(bound, webgpu.Range{Buffer: uniform})
		}
		for _, x := range d.Tensors {
			bound = append(bound, buffers(x.Base()).bound())
		}
		copies, err := e.oneUse(all[i].source.Slots, bound)
		for _, copied := range copies {
			r.copies, planned = append(r.copies, copied.Dst), append(planned, copied)
		}
		if err != nil {
			r.Release()
			return nil, fmt.Errorf("compute: kernel %s: %w", d.Kernel.Name(), err)
		}
		group, err := e.dev.NewBindGroup(d.Kernel.Name(), c.Pipeline, bound)
		if err != nil {
			r.Release()
			return nil, fmt.Errorf("compute: kernel %s: bind group: %w", d.Kernel.Name(), err)
		}
		r.groups = append(r.groups, group)
		c.Bindings = group
		planned = append(planned, c)
		d.Kernel.Ran()
	}
	r.Index = append(r.Index, len(planned))
	plan, err := e.dev.NewPlan(planned)
	if err != nil {
		r.Release()
		return nil, fmt.Errorf("compute: plan: %w", err)
	}
	r.plan, r.cost = plan, make([]time.Duration, len(planned))
	if err := e.prime(planned, told); err != nil {
		r.Release()
		return nil, fmt.Errorf("compute: prime: %w", err)
	}
	return r, nil
}

// oneUse gives a dispatch copies of its own of what it would read of a buffer that it
// writes as well, of which WebGPU takes one use only: parameters to which another program
// gave places in one buffer. It returns the copying, which goes before the dispatch.
func (e *GPU) oneUse(slots []webgpu.Slot, bound []webgpu.Range) (copies []webgpu.Command, err error) {
	written := map[*webgpu.Buffer]bool{}
	for i, b := range bound {
		written[b.Buffer] = written[b.Buffer] || slots[i].Access == webgpu.ReadWrite
	}
	for i, b := range bound {
		if slots[i].Access == webgpu.ReadWrite || !written[b.Buffer] {
			continue
		}
		own, err := e.dev.NewBuffer("copy", b.Size, webgpu.Storage)
		if err != nil {
			return copies, err
		}
		copies = append(copies, webgpu.Command{Src: b.Buffer, SrcOffset: b.Offset, Dst: own, Size: b.Size})
		bound[i] = webgpu.Range{Buffer: own}
	}
	return copies, nil
}

// prepared is a dispatch as the device gets it. Where groups are 0 there is nothing to do.
type prepared struct {
	source webgpu.Source
	groups [3]uint32
}

func (e *GPU) prepare(d *ir.Dispatch, bake bool) (prepared, error) {
	groups, err := d.Grid(int(e.owner.info.Limits.WorkgroupsPerDimension))
	if err != nil || groups[0] == 0 {
		return prepared{}, err
	}
	if err := d.CheckTrips(); err != nil {
		return prepared{}, err
	}
	entry, limits := d.Kernel.Entry(), e.owner.info.Limits
	w := entry.Workgroup
	if n := entry.Shared; n > int(limits.WorkgroupStorage) {
		return prepared{}, fmt.Errorf("compute: kernel %s: %d bytes of workgroup memory, at most %d: %w", d.Kernel.Name(), n, limits.WorkgroupStorage, ir.ErrLimit)
	}
	if !d.Kernel.RunsOn(e.owner) {
		return prepared{}, fmt.Errorf("compute: kernel %s needs subgroups of %d invocations, the device has %d (0 is none): %w", d.Kernel.Name(), w[0]*w[1]*w[2], e.owner.info.Subgroup, ir.ErrLimit)
	}
	if n := w[0] * w[1] * w[2]; n > int(limits.InvocationsPerWorkgroup) {
		return prepared{}, fmt.Errorf("compute: kernel %s: workgroup of %d invocations, at most %d: %w", d.Kernel.Name(), n, limits.InvocationsPerWorkgroup, ir.ErrLimit)
	}
	text, err := d.Text(bake)
	if err != nil {
		return prepared{}, err
	}
	var slots []webgpu.Slot
	if !d.Baked(bake) {
		slots = append(slots, webgpu.Slot{Binding: 0, Access: webgpu.UniformRead})
	}
	for _, b := range entry.Bindings {
		slots = append(slots, slotOf(uint32(b.Number), b.Access))
	}
	if f := e.owner.Driver; f != nil {
		text = f(text)
	}
	return prepared{webgpu.Source{Label: d.Kernel.Name(), WGSL: text, Entry: entry.Name, Slots: slots}, groups}, nil
}

func slotOf(number uint32, access string) webgpu.Slot {
	if access == "read_write" {
		return webgpu.Slot{Binding: number, Access: webgpu.ReadWrite}
	}
	return webgpu.Slot{Binding: number, Access: webgpu.Read}
}

func (e *GPU) uniform(d *ir.Dispatch) (*webgpu.Buffer, error) {
	words := d.Kernel.Words(d.Params)
	b, err := e.dev.NewBuffer(d.Kernel.Name()+" params", uint64(len(words))*4, webgpu.Uniform)
	if err != nil {
		return nil, err
	}
	return b, e.dev.Write(b, 0, asBytes(words))
}
