//go:build js

package webgpu

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall/js"
)

// Binding names the WebGPU binding.
const Binding = "navigator.gpu"

// Lazy is whether drivers may finish a pipeline when it is first dispatched.
const Lazy = false

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

var known = []string{"shader-f16", "subgroups", TimestampQuery}

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

// Stamp returns ErrNoStamps. Browsers round timestamps to 100 us, unless they are started
// for developers, and most dispatches are shorter than that.
func (d *Device) Stamp(context.Context, *Plan, int, int) ([]Span, error) {
	return nil, fmt.Errorf("webgpu: stamp: browsers round timestamps to 100 us: %w", ErrNoStamps)
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
