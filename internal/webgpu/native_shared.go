//go:build cgo && !js

package webgpu

/*
#include "replay.h"
*/
import "C"

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"
)

// shared counts the references to an object of the API: the caller's one, and
// one for each plan that uses it.
type shared struct {
	refs     atomic.Int32
	released atomic.Bool
	free     func()
}

func (s *shared) retain() { s.refs.Add(1) }

func (s *shared) drop() {
	serial.Lock()
	defer serial.Unlock()
	s.dropSerial()
}

// dropSerial is drop for a caller that holds serial.
func (s *shared) dropSerial() {
	if s.refs.Add(-1) == 0 {
		s.free()
	}
}

// Release gives up the caller's reference.
func (s *shared) Release() {
	if s.released.CompareAndSwap(false, true) {
		s.drop()
	}
}

func newShared(s *shared, free func()) {
	s.free = free
	s.refs.Store(1)
}

// Buffer is memory on the device. Its owner is who made it.
type Buffer struct {
	shared
	label string
	size  uint64
	usage Usage
	raw   unsafe.Pointer
}

// Pipeline is a compiled entry point. Its owner is who made it.
type Pipeline struct {
	shared
	label string
	slots []Slot
	raw   unsafe.Pointer
	made  nativePipeline
}

// BindGroup is the buffers that a dispatch binds. Its owner is who made it.
type BindGroup struct {
	shared
	raw unsafe.Pointer
}

// Plan is a list of commands in C memory. Its owner is who made it.
type Plan struct {
	mu       sync.RWMutex
	commands *C.pumice_command
	n        int
	uses     []interface{ drop() }
}

// Device is an open device and its queue. Its owner is who opened it.
type Device struct {
	life shared // one reference of the owner, and one of each object
	nativeDevice
	limits Limits
	stamps bool // opened with TimestampQuery
	raw    unsafe.Pointer
	queue  unsafe.Pointer
	mu     sync.RWMutex // held to read while the raw handles are in use
	create sync.Mutex   // error scopes belong to the device, not to a thread
	closed bool
}

func newDevice(native nativeDevice, raw unsafe.Pointer, limits Limits, stamps bool) *Device {
	d := &Device{nativeDevice: native, limits: limits, stamps: stamps, raw: raw, queue: C.wgpuDeviceGetQueue(raw)}
	newShared(&d.life, native.release)
	return d
}

// own makes the first reference to an object of the device. The device outlives
// its objects: wgpu 0.19 confuses the objects of two devices where one was freed
// before its own.
func (d *Device) own(s *shared, free func()) {
	d.life.retain()
	newShared(s, func() {
		free()
		d.life.dropSerial()
	})
}

// quiet keeps Mesa's device-select layer, which asks the desktop for its GPU,
// from printing an error where there is no desktop.
func quiet() {
	if os.Getenv("XDG_RUNTIME_DIR") == "" && os.Getenv("NODEVICE_SELECT") == "" {
		os.Setenv("NODEVICE_SELECT", "1")
	}
}

var errReleased = fmt.Errorf("device was released: %w", ErrInvalid)

// NewBuffer makes a buffer of size bytes, all zero.
func (d *Device) NewBuffer(label string, size uint64, usage Usage) (*Buffer, error) {
	if size > d.limits.BufferSize {
		return nil, fmt.Errorf("webgpu: buffer %q of %d bytes, at most %d: %w", label, size, d.limits.BufferSize, ErrInvalid)
	}
	d.create.Lock()
	defer d.create.Unlock()
	serial.Lock()
	defer serial.Unlock()
	if d.closed {
		return nil, fmt.Errorf("webgpu: buffer %q: %w", label, errReleased)
	}
	b := &Buffer{label: label, size: size, usage: usage}
	raw, free, err := d.newBuffer(d.raw, label, size, usage)
	if err != nil {
		return nil, fmt.Errorf("webgpu: buffer %q of %d bytes: %w", label, size, err)
	}
	b.raw = raw
	d.own(&b.shared, free)
	return b, nil
}

// NewPipeline compiles an entry point; its error carries the compiler's text.
func (d *Device) NewPipeline(label, wgsl, entry string, slots []Slot) (*Pipeline, error) {
	pipelines, errs := d.NewPipelines([]Source{{label, wgsl, entry, slots}}, func(int) {})
	return pipelines[0], errs[0]
}

// NewPipelines compiles entry points, side by side where the binding allows it. An error
// scope belongs to the device, so that an error may be found by the neighbour of what
// caused it: where there was one all are made again, one by one. made may be called from
// several goroutines.
func (d *Device) NewPipelines(list []Source, made func(i int)) ([]*Pipeline, []error) {
	d.create.Lock()
	defer d.create.Unlock()
	serial.Lock()
	defer serial.Unlock()
	pipelines, errs := make([]*Pipeline, len(list)), make([]error, len(list))
	once := make([]sync.Once, len(list))
	if abreast := min(runtime.NumCPU(), len(list)); sideBySide && abreast > 1 {
		var wg sync.WaitGroup
		var next atomic.Int64
		for range abreast {
			wg.Go(func() {
				for i := next.Add(1) - 1; int(i) < len(list); i = next.Add(1) - 1 {
					pipelines[i], errs[i] = d.compile(list[i])
					once[i].Do(func() { made(int(i)) })
				}
			})
		}
		wg.Wait()
		if errors.Join(errs...) == nil {
			return pipelines, errs
		}
		for _, p := range pipelines {
			if p != nil {
				p.released.Store(true)
				p.dropSerial()
			}
		}
	}
	for i, s := range list {
		pipelines[i], errs[i] = d.compile(s)
		once[i].Do(func() { made(i) })
	}
	return pipelines, errs
}

// compile makes a pipeline for a caller that holds create and serial.
func (d *Device) compile(s Source) (*Pipeline, error) {
	if d.closed {
		return nil, fmt.Errorf("webgpu: pipeline %q: %w", s.Label, errReleased)
	}
	made, raw, err := d.newPipeline(s.Label, s.WGSL, s.Entry, s.Slots)
	if err != nil {
		return nil, fmt.Errorf("webgpu: pipeline %q: %w: %w", s.Label, ErrInvalid, err)
	}
	p := &Pipeline{label: s.Label, slots: s.Slots, raw: raw, made: made}
	d.own(&p.shared, made.release)
	return p, nil
}

// NewBindGroup binds parts of buffers to a pipeline's slots, in order.
func (d *Device) NewBindGroup(label string, p *Pipeline, buffers []Range) (*BindGroup, error) {
	d.create.Lock()
	defer d.create.Unlock()
	serial.Lock()
	defer serial.Unlock()
	if d.closed {
		return nil, fmt.Errorf("webgpu: bind group %q: %w", label, errReleased)
	}
	if len(buffers) != len(p.slots) {
		return nil, fmt.Errorf("webgpu: bind group %q: %d buffers, want %d: %w", label, len(buffers), len(p.slots), ErrInvalid)
	}
	for _, b := range buffers {
		if b.released.Load() {
			return nil, fmt.Errorf("webgpu: bind group %q: buffer %q was released: %w", label, b.label, ErrInvalid)
		}
		if err := b.check(); err != nil {
			return nil, fmt.Errorf("webgpu: bind group %q: %w", label, err)
		}
	}
	raw, free, err := d.newBindGroup(label, p, buffers)
	if err != nil {
		return nil, fmt.Errorf("webgpu: bind group %q: %w: %w", label, ErrInvalid, err)
	}
	g := &BindGroup{raw: raw}
	d.own(&g.shared, free)
	return g, nil
}

// NewPlan copies the commands to C memory and holds what they use.
func (d *Device) NewPlan(commands []Command) (*Plan, error) {
	p := &Plan{n: len(commands)}
	for i, c := range commands {
		if c.Pipeline != nil {
			if c.Pipeline.released.Load() || c.Bindings == nil || c.Bindings.released.Load() {
				return nil, fmt.Errorf("webgpu: plan: command %d uses a released pipeline or bind group: %w", i, ErrInvalid)
			}
			continue
		}
		if c.Src == nil || c.Dst == nil || c.Src.released.Load() || c.Dst.released.Load() {
			return nil, fmt.Errorf("webgpu: plan: command %d copies a released buffer: %w", i, ErrInvalid)
		}
		if (c.SrcOffset|c.DstOffset|c.Size)%4 != 0 || c.SrcOffset+c.Size > c.Src.size || c.DstOffset+c.Size > c.Dst.size || c.Src == c.Dst {
			return nil, fmt.Errorf("webgpu: plan: command %d copies %d bytes at %d of %q (%d bytes) to %d of %q (%d bytes): %w",
				i, c.Size, c.SrcOffset, c.Src.label, c.Src.size, c.DstOffset, c.Dst.label, c.Dst.size, ErrInvalid)
		}
	}
	p.commands = (*C.pumice_command)(C.calloc(C.size_t(max(1, p.n)), C.sizeof_pumice_command))
	for i, to := range unsafe.Slice(p.commands, p.n) {
		c := commands[i]
		if c.Pipeline != nil {
			to.pipeline, to.group = c.Pipeline.raw, c.Bindings.raw
			to.x, to.y, to.z = C.uint32_t(c.Groups[0]), C.uint32_t(c.Groups[1]), C.uint32_t(c.Groups[2])
			c.Pipeline.retain()
			c.Bindings.retain()
			p.uses = append(p.uses, c.Pipeline, c.Bindings)
		} else {
			to.src, to.dst = c.Src.raw, c.Dst.raw
			to.src_offset, to.dst_offset, to.size = C.uint64_t(c.SrcOffset), C.uint64_t(c.DstOffset), C.uint64_t(c.Size)
			c.Src.retain()
			c.Dst.retain()
			p.uses = append(p.uses, c.Src, c.Dst)
		}
		unsafe.Slice(p.commands, p.n)[i] = to
	}
	return p, nil
}

// Release frees the plan.
func (p *Plan) Release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.commands == nil {
		return
	}
	C.free(unsafe.Pointer(p.commands))
	p.commands = nil
	for _, u := range p.uses {
		u.drop()
	}
	p.uses = nil
}

// Submit sends commands first to last-1.
func (d *Device) Submit(p *Plan, first, last int) error {
	if first < 0 || last > p.n || first > last {
		return fmt.Errorf("webgpu: submit commands %d to %d of %d: %w", first, last, p.n, ErrInvalid)
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.raw == nil {
		return fmt.Errorf("webgpu: submit: %w", errReleased)
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.commands == nil {
		return fmt.Errorf("webgpu: submit: the plan was released: %w", ErrInvalid)
	}
	if first == last {
		return nil
	}
	from := (*C.pumice_command)(unsafe.Add(unsafe.Pointer(p.commands), uintptr(first)*C.sizeof_pumice_command))
	serial.Lock()
	C.pumice_submit(d.raw, d.queue, from, C.size_t(last-first))
	serial.Unlock()
	return nil
}

// Write copies data into a buffer, after the work submitted so far.
func (d *Device) Write(b *Buffer, offset uint64, data []byte) error {
	if offset%4 != 0 || len(data)%4 != 0 || offset+uint64(len(data)) > b.size || b.usage == Staging {
		return fmt.Errorf("webgpu: write %d bytes at %d of buffer %q (%d bytes): %w", len(data), offset, b.label, b.size, ErrInvalid)
	}
	if len(data) == 0 {
		return nil
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.raw == nil || b.released.Load() {
		return fmt.Errorf("webgpu: write to buffer %q: %w", b.label, errReleased)
	}
	b.retain()
	defer b.drop()
	serial.Lock()
	C.wgpuQueueWriteBuffer(d.queue, b.raw, C.uint64_t(offset), unsafe.Pointer(unsafe.SliceData(data)), C.size_t(len(data)))
	serial.Unlock()
	runtime.KeepAlive(data)
	return nil
}

// Wait returns when everything submitted before has finished.
func (d *Device) Wait(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.raw == nil {
		return fmt.Errorf("webgpu: wait: %w", errReleased)
	}
	serial.Lock()
	ok := waitQueue(d.raw, d.queue)
	serial.Unlock()
	if !ok {
		return fmt.Errorf("webgpu: wait: %w", ErrLost)
	}
	return ctx.Err()
}

// Read copies a staging buffer to dst when the work that fills it is done.
func (d *Device) Read(ctx context.Context, b *Buffer, dst []byte) error {
	if b.usage != Staging || uint64(len(dst)) > b.size || len(dst)%4 != 0 {
		return fmt.Errorf("webgpu: read %d bytes of buffer %q (%d bytes): %w", len(dst), b.label, b.size, ErrInvalid)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.raw == nil || b.released.Load() {
		return fmt.Errorf("webgpu: read buffer %q: %w", b.label, errReleased)
	}
	if len(dst) == 0 {
		return nil
	}
	b.retain()
	defer b.drop()
	serial.Lock()
	ok := readBuffer(d.raw, b.raw, dst)
	serial.Unlock()
	if !ok {
		return fmt.Errorf("webgpu: read buffer %q: mapping failed: %w", b.label, ErrLost)
	}
	return ctx.Err()
}

// Err is the reason why the device is lost, or nil. The native library aborts
// the process instead, so there is never one.
func (d *Device) Err() error { return nil }

// Release gives the device up when calls in progress have returned; it is freed
// with the last of its objects.
func (d *Device) Release() {
	d.create.Lock()
	defer d.create.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.raw == nil {
		return
	}
	serial.Lock()
	defer serial.Unlock()
	waitQueue(d.raw, d.queue)
	C.wgpuQueueRelease(d.queue)
	d.raw, d.queue, d.closed = nil, nil, true
	d.life.dropSerial()
}

// bounded checks that limits are the default ones or what the adapter has.
func bounded(asked, has Limits) error {
	for _, l := range []struct {
		name       string
		asked, has uint64
	}{
		{"maxStorageBuffersPerShaderStage", uint64(asked.StorageBuffersPerStage), uint64(has.StorageBuffersPerStage)},
		{"maxStorageBufferBindingSize", asked.StorageBindingSize, has.StorageBindingSize},
		{"maxBufferSize", asked.BufferSize, has.BufferSize},
		{"maxUniformBufferBindingSize", asked.UniformBindingSize, has.UniformBindingSize},
		{"maxComputeWorkgroupStorageSize", uint64(asked.WorkgroupStorage), uint64(has.WorkgroupStorage)},
		{"maxComputeInvocationsPerWorkgroup", uint64(asked.InvocationsPerWorkgroup), uint64(has.InvocationsPerWorkgroup)},
		{"maxComputeWorkgroupSizeX", uint64(asked.WorkgroupSizeX), uint64(has.WorkgroupSizeX)},
		{"maxComputeWorkgroupSizeY", uint64(asked.WorkgroupSizeY), uint64(has.WorkgroupSizeY)},
		{"maxComputeWorkgroupSizeZ", uint64(asked.WorkgroupSizeZ), uint64(has.WorkgroupSizeZ)},
		{"maxComputeWorkgroupsPerDimension", uint64(asked.WorkgroupsPerDimension), uint64(has.WorkgroupsPerDimension)},
	} {
		if l.asked > l.has {
			return fmt.Errorf("webgpu: limit %s is %d, the adapter has %d: %w", l.name, l.asked, l.has, ErrInvalid)
		}
	}
	return nil
}
