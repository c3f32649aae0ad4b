//go:build js

package webgpu

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall/js"
)

// Binding names the WebGPU binding.
const Binding = "navigator.gpu"

// Browser is the browser's name of itself.
func Browser() string { return js.Global().Get("navigator").Get("userAgent").String() }

// await blocks the goroutine until a promise settles.
func await(promise js.Value) (js.Value, error) {
	type result struct {
		value js.Value
		err   error
	}
	settled := make(chan result, 1)
	resolve := js.FuncOf(func(_ js.Value, args []js.Value) any {
		v := js.Undefined()
		if len(args) > 0 {
			v = args[0]
		}
		settled <- result{value: v}
		return nil
	})
	defer resolve.Release()
	reject := js.FuncOf(func(_ js.Value, args []js.Value) any {
		text := "rejected"
		if len(args) > 0 {
			text = args[0].Call("toString").String()
		}
		settled <- result{err: errors.New(text)}
		return nil
	})
	defer reject.Release()
	promise.Call("then", resolve, reject)
	r := <-settled
	return r.value, r.err
}

// Adapter is the browser's adapter.
type Adapter struct{ v js.Value }

// Adapters asks the browser for its high-performance adapter.
func Adapters() ([]*Adapter, error) {
	v, err := request()
	if err != nil {
		return nil, err
	}
	return []*Adapter{{v}}, nil
}

func request() (js.Value, error) {
	gpu := js.Global().Get("navigator").Get("gpu")
	if !gpu.Truthy() {
		return js.Value{}, fmt.Errorf("%w: this browser has no navigator.gpu", ErrNone)
	}
	v, err := await(gpu.Call("requestAdapter", map[string]any{"powerPreference": "high-performance"}))
	if err != nil {
		return js.Value{}, fmt.Errorf("%w: %w", ErrNone, err)
	}
	if !v.Truthy() {
		return js.Value{}, fmt.Errorf("%w: the browser refused an adapter", ErrNone)
	}
	return v, nil
}

// Info describes the adapter as far as the browser tells.
func (a *Adapter) Info() Info {
	i := a.v.Get("info")
	text := func(name string) string {
		if v := i.Get(name); v.Type() == js.TypeString {
			return v.String()
		}
		return ""
	}
	info := Info{Name: text("device"), Vendor: text("vendor"), Architecture: text("architecture"), Driver: text("description"), Backend: "webgpu", Type: "unknown"}
	if info.Name == "" {
		info.Name = strings.TrimSpace(info.Vendor + " " + info.Architecture)
	}
	if v := i.Get("isFallbackAdapter"); v.Type() == js.TypeBoolean && v.Bool() || info.Architecture == "swiftshader" {
		info.Type = "software"
	}
	return info
}

// Limits are the most that Open grants.
func (a *Adapter) Limits() Limits {
	l := a.v.Get("limits")
	number := func(name string) uint64 { return uint64(l.Get(name).Float()) }
	return Limits{
		StorageBuffersPerStage:  uint32(number("maxStorageBuffersPerShaderStage")),
		StorageBindingSize:      number("maxStorageBufferBindingSize"),
		BufferSize:              number("maxBufferSize"),
		UniformBindingSize:      number("maxUniformBufferBindingSize"),
		WorkgroupStorage:        uint32(number("maxComputeWorkgroupStorageSize")),
		InvocationsPerWorkgroup: uint32(number("maxComputeInvocationsPerWorkgroup")),
		WorkgroupSizeX:          uint32(number("maxComputeWorkgroupSizeX")),
		WorkgroupSizeY:          uint32(number("maxComputeWorkgroupSizeY")),
		WorkgroupSizeZ:          uint32(number("maxComputeWorkgroupSizeZ")),
		WorkgroupsPerDimension:  uint32(number("maxComputeWorkgroupsPerDimension")),
		StorageOffsetAlignment:  uint32(number("minStorageBufferOffsetAlignment")),
	}
}

var known = []string{"shader-f16", "subgroups", "timestamp-query"}

// Features lists the optional features among those Pumice knows.
func (a *Adapter) Features() []string {
	var names []string
	for _, name := range known {
		if a.v.Get("features").Call("has", name).Bool() {
			names = append(names, name)
		}
	}
	return names
}

// Release does nothing: the browser collects adapters.
func (a *Adapter) Release() {}

// replay walks a prebuilt array of commands: one call from Go for a submission.
const replay = `
const encoder = device.createCommandEncoder();
let pass = null;
for (let i = first; i < last; i++) {
	const c = commands[i];
	if (c.pipeline) {
		pass ??= encoder.beginComputePass();
		pass.setPipeline(c.pipeline);
		pass.setBindGroup(0, c.group);
		pass.dispatchWorkgroups(c.x, c.y, c.z);
	} else {
		pass?.end();
		pass = null;
		encoder.copyBufferToBuffer(c.src, c.srcOffset, c.dst, c.dstOffset, c.size);
	}
}
pass?.end();
device.queue.submit([encoder.finish()]);`

// Device is an open device. Its owner is who opened it.
type Device struct {
	v      js.Value
	replay js.Value
	limits Limits
	create sync.Mutex // error scopes belong to the device
	mu     sync.Mutex
	err    error
}

// Open opens a device with the limits and features, no more.
func (a *Adapter) Open(label string, limits Limits, want []string) (*Device, error) {
	names := make([]any, len(want))
	for i, name := range want {
		if !slices.Contains(a.Features(), name) {
			return nil, fmt.Errorf("webgpu: the adapter has no feature %q, it has %v: %w", name, a.Features(), ErrInvalid)
		}
		names[i] = name
	}
	// An adapter makes one device (WebGPU, "consumed"), so this one is asked for
	// anew.
	adapter, err := request()
	if err != nil {
		return nil, err
	}
	v, err := await(adapter.Call("requestDevice", map[string]any{"label": label, "requiredFeatures": names, "requiredLimits": map[string]any{
		"maxStorageBuffersPerShaderStage":   limits.StorageBuffersPerStage,
		"maxStorageBufferBindingSize":       float64(limits.StorageBindingSize),
		"maxBufferSize":                     float64(limits.BufferSize),
		"maxUniformBufferBindingSize":       float64(limits.UniformBindingSize),
		"maxComputeWorkgroupStorageSize":    limits.WorkgroupStorage,
		"maxComputeInvocationsPerWorkgroup": limits.InvocationsPerWorkgroup,
		"maxComputeWorkgroupSizeX":          limits.WorkgroupSizeX,
		"maxComputeWorkgroupSizeY":          limits.WorkgroupSizeY,
		"maxComputeWorkgroupSizeZ":          limits.WorkgroupSizeZ,
		"maxComputeWorkgroupsPerDimension":  limits.WorkgroupsPerDimension,
	}}))
	if err != nil {
		return nil, fmt.Errorf("webgpu: open: %w: %w", ErrInvalid, err)
	}
	d := &Device{v: v, limits: limits, replay: js.Global().Get("Function").New("device", "commands", "first", "last", replay)}
	// Writes and submissions are not scoped: what is wrong with them comes here.
	uncaptured := js.FuncOf(func(_ js.Value, args []js.Value) any {
		e, kind := args[0].Get("error"), ErrInvalid
		if e.Get("constructor").Get("name").String() == "GPUOutOfMemoryError" {
			kind = ErrOutOfMemory
		}
		d.fail(fmt.Errorf("%w: %s", kind, e.Get("message").String()))
		return nil
	})
	v.Call("addEventListener", "uncapturederror", uncaptured)
	var lost js.Func
	lost = js.FuncOf(func(_ js.Value, args []js.Value) any {
		d.fail(fmt.Errorf("%w: %s: %s", ErrLost, args[0].Get("reason").String(), args[0].Get("message").String()))
		v.Call("removeEventListener", "uncapturederror", uncaptured)
		uncaptured.Release()
		lost.Release()
		return nil
	})
	v.Get("lost").Call("then", lost)
	return d, nil
}

// fail keeps the first error, which every later call returns.
func (d *Device) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err == nil {
		d.err = err
	}
}

// Err is the reason why the device is of no more use, or nil.
func (d *Device) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

// Release destroys the device.
func (d *Device) Release() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err == nil {
		d.err = fmt.Errorf("device was released: %w", ErrInvalid)
		d.v.Call("destroy")
	}
}

// scoped runs f between error scopes and returns what they caught.
func (d *Device) scoped(f func() js.Value) (js.Value, error) {
	if err := d.Err(); err != nil {
		return js.Value{}, err
	}
	d.create.Lock()
	defer d.create.Unlock()
	d.v.Call("pushErrorScope", "out-of-memory")
	d.v.Call("pushErrorScope", "validation")
	v := f()
	invalid, err := await(d.v.Call("popErrorScope"))
	memory, err2 := await(d.v.Call("popErrorScope"))
	switch {
	case d.Err() != nil:
		return v, d.Err()
	case err != nil || err2 != nil:
		return v, fmt.Errorf("%w: %w", ErrLost, errors.Join(err, err2))
	case invalid.Truthy():
		return v, fmt.Errorf("%w: %s", ErrInvalid, invalid.Get("message").String())
	case memory.Truthy():
		return v, fmt.Errorf("%w: %s", ErrOutOfMemory, memory.Get("message").String())
	}
	return v, nil
}

// Buffer is memory on the device. Its owner is who made it.
type Buffer struct {
	v        js.Value
	label    string
	size     uint64
	usage    Usage
	users    atomic.Int32 // the owner, bind groups and plans
	released bool
}

// drop counts one user less; the last one frees the memory, once the work
// submitted so far is done with it.
func (b *Buffer) drop() {
	if b.users.Add(-1) == 0 {
		b.v.Call("destroy")
	}
}

// NewBuffer makes a buffer of size bytes, all zero.
func (d *Device) NewBuffer(label string, size uint64, usage Usage) (*Buffer, error) {
	if size > d.limits.BufferSize {
		return nil, fmt.Errorf("webgpu: buffer %q of %d bytes, at most %d: %w", label, size, d.limits.BufferSize, ErrInvalid)
	}
	// MAP_READ 1, COPY_SRC 4, COPY_DST 8, UNIFORM 64, STORAGE 128
	flags := [...]int{Storage: 128 | 4 | 8, Uniform: 64 | 8, Staging: 1 | 8}[usage]
	v, err := d.scoped(func() js.Value {
		return d.v.Call("createBuffer", map[string]any{"label": label, "size": float64(size), "usage": flags})
	})
	if err != nil {
		return nil, fmt.Errorf("webgpu: buffer %q of %d bytes: %w", label, size, err)
	}
	b := &Buffer{v: v, label: label, size: size, usage: usage}
	b.users.Add(1)
	return b, nil
}

// Release gives the buffer up; bind groups and plans that use it keep it.
func (b *Buffer) Release() {
	if !b.released {
		b.released = true
		b.drop()
	}
}

// Write copies data into a buffer, after the work submitted so far.
func (d *Device) Write(b *Buffer, offset uint64, data []byte) error {
	if err := d.Err(); err != nil {
		return err
	}
	if offset%4 != 0 || len(data)%4 != 0 || offset+uint64(len(data)) > b.size || b.usage == Staging || b.released {
		return fmt.Errorf("webgpu: write %d bytes at %d of buffer %q (%d bytes): %w", len(data), offset, b.label, b.size, ErrInvalid)
	}
	bytes := js.Global().Get("Uint8Array").New(len(data))
	js.CopyBytesToJS(bytes, data)
	d.v.Get("queue").Call("writeBuffer", b.v, float64(offset), bytes)
	return nil
}

// Pipeline is a compiled entry point. Its owner is who made it.
type Pipeline struct {
	v     js.Value
	slots []Slot
}

// NewPipeline compiles an entry point; its error carries the compiler's text.
func (d *Device) NewPipeline(label, wgsl, entry string, slots []Slot) (*Pipeline, error) {
	var module js.Value
	v, err := d.scoped(func() js.Value {
		module = d.v.Call("createShaderModule", map[string]any{"label": label, "code": wgsl})
		entries := make([]any, len(slots))
		for i, s := range slots {
			kind := [...]string{Read: "read-only-storage", ReadWrite: "storage", UniformRead: "uniform"}[s.Access]
			entries[i] = map[string]any{"binding": s.Binding, "visibility": 4, "buffer": map[string]any{"type": kind}}
		}
		layout := d.v.Call("createBindGroupLayout", map[string]any{"entries": entries})
		return d.v.Call("createComputePipeline", map[string]any{
			"label": label, "layout": d.v.Call("createPipelineLayout", map[string]any{"bindGroupLayouts": []any{layout}}),
			"compute": map[string]any{"module": module, "entryPoint": entry},
		})
	})
	if err != nil {
		if !module.Truthy() {
			return nil, fmt.Errorf("webgpu: pipeline %q: %w", label, err)
		}
		if info, err2 := await(module.Call("getCompilationInfo")); err2 == nil {
			for i := range info.Get("messages").Length() {
				m := info.Get("messages").Index(i)
				err = fmt.Errorf("%w\n%s: line %d: %s", err, m.Get("type").String(), m.Get("lineNum").Int(), m.Get("message").String())
			}
		}
		return nil, fmt.Errorf("webgpu: pipeline %q: %w", label, err)
	}
	return &Pipeline{v, slots}, nil
}

// Release leaves the pipeline to the browser.
func (p *Pipeline) Release() {}

// BindGroup is the buffers that a dispatch binds. Its owner is who made it.
type BindGroup struct {
	v    js.Value
	uses []*Buffer
}

// NewBindGroup binds buffers to a pipeline's slots, in order.
func (d *Device) NewBindGroup(label string, p *Pipeline, buffers []*Buffer) (*BindGroup, error) {
	if len(buffers) != len(p.slots) {
		return nil, fmt.Errorf("webgpu: bind group %q: %d buffers, want %d: %w", label, len(buffers), len(p.slots), ErrInvalid)
	}
	entries := make([]any, len(buffers))
	for i, b := range buffers {
		entries[i] = map[string]any{"binding": p.slots[i].Binding, "resource": map[string]any{"buffer": b.v}}
	}
	v, err := d.scoped(func() js.Value {
		return d.v.Call("createBindGroup", map[string]any{"label": label, "layout": p.v.Call("getBindGroupLayout", 0), "entries": entries})
	})
	if err != nil {
		return nil, fmt.Errorf("webgpu: bind group %q: %w", label, err)
	}
	return &BindGroup{v, hold(buffers...)}, nil
}

// hold makes a bind group or a plan a user of the buffers.
func hold(buffers ...*Buffer) []*Buffer {
	for _, b := range buffers {
		b.users.Add(1)
	}
	return slices.Clone(buffers)
}

func drop(buffers []*Buffer) {
	for _, b := range buffers {
		b.drop()
	}
}

// Release gives the bind group up; plans that use it keep its buffers.
func (g *BindGroup) Release() {
	drop(g.uses)
	g.uses = nil
}

// Plan is a list of commands as a JavaScript array. Its owner is who made it.
type Plan struct {
	v    js.Value
	n    int
	uses []*Buffer
}

// NewPlan builds the array that Submit replays.
func (d *Device) NewPlan(commands []Command) (*Plan, error) {
	list := make([]any, len(commands))
	var uses []*Buffer
	for i, c := range commands {
		if c.Pipeline != nil {
			list[i] = map[string]any{"pipeline": c.Pipeline.v, "group": c.Bindings.v, "x": c.Groups[0], "y": c.Groups[1], "z": c.Groups[2]}
			uses = append(uses, c.Bindings.uses...)
			continue
		}
		if (c.SrcOffset|c.DstOffset|c.Size)%4 != 0 || c.SrcOffset+c.Size > c.Src.size || c.DstOffset+c.Size > c.Dst.size || c.Src == c.Dst {
			return nil, fmt.Errorf("webgpu: plan: command %d copies %d bytes from %q to %q: %w", i, c.Size, c.Src.label, c.Dst.label, ErrInvalid)
		}
		uses = append(uses, c.Src, c.Dst)
		list[i] = map[string]any{
			"src": c.Src.v, "srcOffset": float64(c.SrcOffset), "dst": c.Dst.v, "dstOffset": float64(c.DstOffset), "size": float64(c.Size),
		}
	}
	return &Plan{js.ValueOf(list), len(commands), hold(uses...)}, nil
}

// Release gives the array up, and the buffers it uses.
func (p *Plan) Release() {
	drop(p.uses)
	p.v, p.n, p.uses = js.Undefined(), -1, nil
}

// Submit sends commands first to last-1 by one call.
func (d *Device) Submit(p *Plan, first, last int) error {
	if err := d.Err(); err != nil {
		return err
	}
	if first < 0 || last > p.n || first > last {
		return fmt.Errorf("webgpu: submit commands %d to %d of %d: %w", first, last, p.n, ErrInvalid)
	}
	if first < last {
		d.replay.Invoke(d.v, p.v, first, last)
	}
	return nil
}

// Wait returns when everything submitted before has finished.
func (d *Device) Wait(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := await(d.v.Get("queue").Call("onSubmittedWorkDone")); err != nil {
		return fmt.Errorf("webgpu: wait: %w: %w", ErrLost, err)
	}
	return d.Err()
}

// Read copies a staging buffer to dst when the work that fills it is done.
func (d *Device) Read(ctx context.Context, b *Buffer, dst []byte) error {
	if b.usage != Staging || uint64(len(dst)) > b.size || b.released {
		return fmt.Errorf("webgpu: read %d bytes of buffer %q (%d bytes): %w", len(dst), b.label, b.size, ErrInvalid)
	}
	if err := ctx.Err(); err != nil || len(dst) == 0 {
		return err
	}
	if err := d.Err(); err != nil {
		return err
	}
	if _, err := await(b.v.Call("mapAsync", 1, 0, len(dst))); err != nil {
		return fmt.Errorf("webgpu: read buffer %q: %w: %w", b.label, ErrLost, err)
	}
	js.CopyBytesToGo(dst, js.Global().Get("Uint8Array").New(b.v.Call("getMappedRange", 0, len(dst))))
	b.v.Call("unmap")
	return ctx.Err()
}
