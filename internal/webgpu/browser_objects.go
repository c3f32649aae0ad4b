//go:build js

package webgpu

import (
	"fmt"
	"slices"
	"sync/atomic"
	"syscall/js"
)

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

// Pipeline is a compiled entry point. Its owner is who made it.
type Pipeline struct {
	v     js.Value
	slots []Slot
}

// describe is what a pipeline is made of in JavaScript.
func (d *Device) describe(s Source) (module js.Value, descriptor map[string]any) {
	module = d.v.Call("createShaderModule", map[string]any{"label": s.Label, "code": s.WGSL})
	entries := make([]any, len(s.Slots))
	for i, s := range s.Slots {
		kind := [...]string{Read: "read-only-storage", ReadWrite: "storage", UniformRead: "uniform"}[s.Access]
		entries[i] = map[string]any{"binding": s.Binding, "visibility": 4, "buffer": map[string]any{"type": kind}}
	}
	layout := d.v.Call("createBindGroupLayout", map[string]any{"entries": entries})
	return module, map[string]any{
		"label": s.Label, "layout": d.v.Call("createPipelineLayout", map[string]any{"bindGroupLayouts": []any{layout}}),
		"compute": map[string]any{"module": module, "entryPoint": s.Entry},
	}
}

// NewPipelines compiles entry points, all at once, and tells of them in their order. Where
// one fails they are made again, one by one, for the compiler's text.
func (d *Device) NewPipelines(list []Source, made func(i int)) ([]*Pipeline, []error) {
	pipelines, errs := make([]*Pipeline, len(list)), make([]error, len(list))
	promises, told := make([]any, len(list)), 0
	_, err := d.scoped(func() js.Value {
		for i, s := range list {
			_, descriptor := d.describe(s)
			promises[i] = d.v.Call("createComputePipelineAsync", descriptor)
		}
		return js.Global().Get("Promise").Call("allSettled", promises) // those that nobody awaits may fail, too
	})
	for i := 0; err == nil && i < len(list); i++ {
		var found js.Value // a device that is lost may settle none of its pipelines
		found, err = await(js.Global().Get("Promise").Call("race", []any{promises[i], d.v.Get("lost")}))
		if err == nil && found.Get("getBindGroupLayout").IsUndefined() {
			err = ErrLost
		}
		if err == nil {
			pipelines[i] = &Pipeline{found, list[i].Slots}
			made(i)
			told++
		}
	}
	if err == nil {
		return pipelines, errs
	}
	for i, s := range list {
		pipelines[i], errs[i] = d.NewPipeline(s.Label, s.WGSL, s.Entry, s.Slots)
		if i >= told {
			made(i)
		}
	}
	return pipelines, errs
}

// NewPipeline compiles an entry point; its error carries the compiler's text.
func (d *Device) NewPipeline(label, wgsl, entry string, slots []Slot) (*Pipeline, error) {
	var module js.Value
	v, err := d.scoped(func() js.Value {
		var descriptor map[string]any
		module, descriptor = d.describe(Source{label, wgsl, entry, slots})
		return d.v.Call("createComputePipeline", descriptor)
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

// NewBindGroup binds parts of buffers to a pipeline's slots, in order.
func (d *Device) NewBindGroup(label string, p *Pipeline, buffers []Range) (*BindGroup, error) {
	if len(buffers) != len(p.slots) {
		return nil, fmt.Errorf("webgpu: bind group %q: %d buffers, want %d: %w", label, len(buffers), len(p.slots), ErrInvalid)
	}
	entries, used := make([]any, len(buffers)), make([]*Buffer, len(buffers))
	for i, b := range buffers {
		if err := b.check(); err != nil {
			return nil, fmt.Errorf("webgpu: bind group %q: %w", label, err)
		}
		used[i] = b.Buffer
		entries[i] = map[string]any{"binding": p.slots[i].Binding, "resource": map[string]any{"buffer": b.v, "offset": float64(b.Offset), "size": float64(b.bytes())}}
	}
	v, err := d.scoped(func() js.Value {
		return d.v.Call("createBindGroup", map[string]any{"label": label, "layout": p.v.Call("getBindGroupLayout", 0), "entries": entries})
	})
	if err != nil {
		return nil, fmt.Errorf("webgpu: bind group %q: %w", label, err)
	}
	return &BindGroup{v, hold(used...)}, nil
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
