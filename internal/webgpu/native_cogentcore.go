//go:build cgo && !js && cogentcore

package webgpu

/*
#define PUMICE_POLL_BRIEFLY
#include "replay.h"

// As in webgpu.h of wgpu-native 0.19.
extern void wgpuBufferMapAsync(void *buffer, uint32_t mode, size_t offset, size_t size, void *callback, void *userdata);
extern void wgpuQueueOnSubmittedWorkDone(void *queue, void *callback, void *userdata);
extern void wgpuDevicePushErrorScope(void *device, uint32_t filter);
extern void wgpuDevicePopErrorScope(void *device, void *callback, void *userdata);

static void pumice_mapped(uint32_t status, void *state) { pumice_finish(state, status == 0); }

static void pumice_worked(uint32_t status, void *state) { pumice_finish(state, status == 0); }

static void pumice_popped(uint32_t type, char const *message, void *state) {
	pumice_state *s = state;
	if (type != 0) {
		strncpy(s->text, message != NULL && *message != 0 ? message : "out of memory", sizeof s->text - 1);
	}
	pumice_finish(s, type == 0);
}

static int pumice_read(void *device, void *buffer, void *dst, size_t size) {
	pumice_state s = {0};
	wgpuBufferMapAsync(buffer, 1, 0, size, pumice_mapped, &s);
	if (!pumice_await(device, &s)) return 0;
	memcpy(dst, wgpuBufferGetConstMappedRange(buffer, 0, size), size);
	wgpuBufferUnmap(buffer);
	return 1;
}

static int pumice_wait(void *device, void *queue) {
	pumice_state s = {0};
	wgpuQueueOnSubmittedWorkDone(queue, pumice_worked, &s);
	return pumice_await(device, &s);
}

static void pumice_push_memory(void *device) { wgpuDevicePushErrorScope(device, 1); }

static char *pumice_pop_memory(void *device) {
	pumice_state s = {0};
	wgpuDevicePopErrorScope(device, pumice_popped, &s);
	return pumice_await(device, &s) ? NULL : strdup(s.text);
}

typedef char const *pumice_label;
#define PUMICE_TIMESTAMPS 1
#include "stamp.h"
*/
import "C"

import (
	"fmt"
	"slices"
	"sync"
	"unsafe"

	"github.com/cogentcore/webgpu/wgpu"
)

// Binding names the WebGPU binding and its version.
const Binding = "cogentcore/webgpu v0.23.0 (wgpu-native 0.19.4)"

// Lazy is whether drivers may finish a pipeline when it is first dispatched.
const Lazy = true

// sideBySide says that pipelines may be compiled by several threads: serial lets one in.
const sideBySide = false

// serial lets one thread at a time into the library: wgpu 0.19 aborts the
// process when one thread creates or submits while another polls.
var serial sync.Mutex

// primary are Vulkan, Metal and DirectX 12: an instance for all backends would
// also start EGL, which prints to the terminal.
const primary wgpu.InstanceBackend = 1<<0 | 1<<2 | 1<<3

var instance = sync.OnceValue(func() *wgpu.Instance {
	wgpu.SetLogLevel(wgpu.LogLevelOff)
	quiet()
	return wgpu.CreateInstance(&wgpu.InstanceDescriptor{Backends: primary})
})

// features leave out shader-f16, which wgpu 0.19 offers and whose shader compiler cannot
// read.
var features = map[wgpu.FeatureName]string{
	wgpu.FeatureNameTimestampQuery: TimestampQuery,
}

// Adapter is a GPU, or a software driver, that can be opened.
type Adapter struct{ a *wgpu.Adapter }

// Adapters lists the adapters of the system's primary backends.
func Adapters() ([]*Adapter, error) {
	var list []*Adapter
	for _, a := range instance().EnumerateAdapters(&wgpu.InstanceEnumerateAdapterOptons{Backends: primary}) {
		list = append(list, &Adapter{a})
	}
	return list, nil
}

// Info describes the adapter.
func (a *Adapter) Info() Info {
	// wgpu 0.19 gives the number of the device as its name, and the name as the
	// description.
	i := a.a.GetInfo()
	return Info{
		Name: i.DriverDescription, Vendor: i.VendorName, Architecture: i.Architecture,
		Backend: map[wgpu.BackendType]string{wgpu.BackendTypeVulkan: "vulkan", wgpu.BackendTypeMetal: "metal", wgpu.BackendTypeD3D12: "dx12"}[i.BackendType],
		Type: map[wgpu.AdapterType]string{
			wgpu.AdapterTypeDiscreteGPU: "discrete", wgpu.AdapterTypeIntegratedGPU: "integrated",
			wgpu.AdapterTypeCPU: "software", wgpu.AdapterTypeUnknown: "unknown",
		}[i.AdapterType],
		VendorID: i.VendorId, DeviceID: i.DeviceId,
	}
}

// Limits are the most that Open grants.
func (a *Adapter) Limits() Limits { return fromNative(a.a.GetLimits().Limits) }

// Features lists the optional features among those Pumice knows.
func (a *Adapter) Features() []string {
	var names []string
	for f, name := range features {
		if a.a.HasFeature(f) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Release gives the adapter up.
func (a *Adapter) Release() { a.a.Release() }

// Open opens a device with the limits and features, no more.
func (a *Adapter) Open(label string, limits Limits, want []string) (*Device, error) {
	if err := bounded(limits, a.Limits()); err != nil {
		return nil, err
	}
	var names []wgpu.FeatureName
	for _, name := range want {
		found := false
		for f, n := range features {
			if n == name && a.a.HasFeature(f) {
				names, found = append(names, f), true
			}
		}
		if !found {
			return nil, fmt.Errorf("webgpu: the adapter has no feature %q, it has %v: %w", name, a.Features(), ErrInvalid)
		}
	}
	native := toNative(limits)
	dev, err := a.a.RequestDevice(&wgpu.DeviceDescriptor{Label: label, RequiredFeatures: names, RequiredLimits: &wgpu.RequiredLimits{Limits: native}})
	if err != nil {
		return nil, fmt.Errorf("webgpu: open %s: %w: %w", a.Info().Name, ErrInvalid, err)
	}
	return newDevice(nativeDevice{dev}, raw(dev), limits, slices.Contains(want, TimestampQuery)), nil
}

type nativeDevice struct{ dev *wgpu.Device }

func (d nativeDevice) release() { d.dev.Release() }

type nativePipeline struct {
	pipeline *wgpu.ComputePipeline
	layout   *wgpu.BindGroupLayout
}

func (p nativePipeline) release() {
	p.pipeline.Release()
	p.layout.Release()
}

func (d nativeDevice) newBuffer(device unsafe.Pointer, label string, size uint64, usage Usage) (unsafe.Pointer, func(), error) {
	C.pumice_push_memory(device)
	b, err := d.dev.CreateBuffer(&wgpu.BufferDescriptor{Label: label, Size: size, Usage: [...]wgpu.BufferUsage{
		Storage:  wgpu.BufferUsageStorage | wgpu.BufferUsageCopySrc | wgpu.BufferUsageCopyDst,
		Uniform:  wgpu.BufferUsageUniform | wgpu.BufferUsageCopyDst,
		Staging:  wgpu.BufferUsageMapRead | wgpu.BufferUsageCopyDst,
		resolved: wgpu.BufferUsageQueryResolve | wgpu.BufferUsageCopySrc,
	}[usage]})
	text := C.pumice_pop_memory(device)
	if text != nil {
		defer C.free(unsafe.Pointer(text))
		if err == nil {
			b.Release()
		}
		return nil, nil, fmt.Errorf("%w: %s", ErrOutOfMemory, C.GoString(text))
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return raw(b), b.Release, nil
}

func (d nativeDevice) newPipeline(label, wgsl, entry string, slots []Slot) (nativePipeline, unsafe.Pointer, error) {
	var p nativePipeline
	module, err := d.dev.CreateShaderModule(&wgpu.ShaderModuleDescriptor{Label: label, WGSLDescriptor: &wgpu.ShaderModuleWGSLDescriptor{Code: wgsl}})
	if err != nil {
		return p, nil, err
	}
	defer module.Release()
	entries := make([]wgpu.BindGroupLayoutEntry, len(slots))
	for i, s := range slots {
		entries[i] = wgpu.BindGroupLayoutEntry{Binding: s.Binding, Visibility: wgpu.ShaderStageCompute, Buffer: wgpu.BufferBindingLayout{Type: [...]wgpu.BufferBindingType{
			Read: wgpu.BufferBindingTypeReadOnlyStorage, ReadWrite: wgpu.BufferBindingTypeStorage, UniformRead: wgpu.BufferBindingTypeUniform,
		}[s.Access]}}
	}
	p.layout, err = d.dev.CreateBindGroupLayout(&wgpu.BindGroupLayoutDescriptor{Label: label, Entries: entries})
	if err != nil {
		return p, nil, err
	}
	layout, err := d.dev.CreatePipelineLayout(&wgpu.PipelineLayoutDescriptor{Label: label, BindGroupLayouts: []*wgpu.BindGroupLayout{p.layout}})
	if err != nil {
		p.layout.Release()
		return p, nil, err
	}
	defer layout.Release()
	p.pipeline, err = d.dev.CreateComputePipeline(&wgpu.ComputePipelineDescriptor{Label: label, Layout: layout, Compute: wgpu.ProgrammableStageDescriptor{Module: module, EntryPoint: entry}})
	if err != nil {
		p.layout.Release()
		return p, nil, err
	}
	return p, raw(p.pipeline), nil
}

func (d nativeDevice) newBindGroup(label string, p *Pipeline, buffers []Range) (unsafe.Pointer, func(), error) {
	entries := make([]wgpu.BindGroupEntry, len(buffers))
	for i, b := range buffers {
		entries[i] = wgpu.BindGroupEntry{Binding: p.slots[i].Binding, Buffer: bufferOf(b.raw), Offset: b.Offset, Size: b.bytes()}
	}
	g, err := d.dev.CreateBindGroup(&wgpu.BindGroupDescriptor{Label: label, Layout: p.made.layout, Entries: entries})
	if err != nil {
		return nil, nil, err
	}
	return raw(g), g.Release, nil
}

func waitQueue(device, queue unsafe.Pointer) bool { return C.pumice_wait(device, queue) == 1 }

func readBuffer(device, buffer unsafe.Pointer, dst []byte) bool {
	return C.pumice_read(device, buffer, unsafe.Pointer(unsafe.SliceData(dst)), C.size_t(len(dst))) == 1
}

func newQueries(device unsafe.Pointer, n int) unsafe.Pointer {
	return C.pumice_new_queries(device, C.uint32_t(n))
}

func stampCommands(device, queue, commands unsafe.Pointer, n int, set, resolve, stage unsafe.Pointer) {
	C.pumice_stamp(device, queue, (*C.pumice_command)(commands), C.size_t(n), set, resolve, stage)
}

// bufferOf is the binding's object for a handle, for the length of a call.
func bufferOf(handle unsafe.Pointer) *wgpu.Buffer {
	b := &wgpu.Buffer{}
	setRaw(b, handle)
	return b
}
