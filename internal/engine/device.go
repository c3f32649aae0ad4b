// Package engine runs lists of dispatches on devices: the GPU's, which dispatches WGSL
// through WebGPU, and the reference, which calls definitions. A Device holds the memory of
// parameters and programs, and the folder in which it keeps what it finds out.
package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/internal/webgpu"
)

// Device runs programs. The GPU device dispatches WGSL through WebGPU; the
// reference device calls the kernels' definitions in float64. A device is safe
// for several goroutines. Close frees everything it holds.
type Device struct {
	info   ir.Info
	Engine Engine

	mu       sync.Mutex
	params   map[*ir.Param]*Buffer
	ledger   map[string]*Usage
	closed   atomic.Bool
	Up       atomic.Int64
	Down     atomic.Int64
	Progress progress
	f16      bool                     // shaders may use f16
	stamps   bool                     // it writes timestamps
	Driver   func(text string) string // of tests: what a driver that is wrong makes of a text
}

// Engine is what differs between the GPU and the reference.
type Engine interface {
	Alloc(label string, dtype ir.DType, n int) (*Buffer, error)
	free(b *Buffer)
	Write(b *Buffer, words []uint32) error
	Read(b *Buffer) (Pending, error)
	Build(list []ir.Dispatch, buffers func(*ir.Slot) *Buffer, bake bool) (Runner, error)
	wait(ctx context.Context) error
	close()
}

// Pending is a read-back under way.
type Pending interface {
	Wait(ctx context.Context, dst []uint32) error
}

// Runner is a built program.
type Runner interface {
	Run(ctx context.Context) error
	Step(i int) error // runs one dispatch and waits for it
	Release()
}

// Buffer holds a tensor's elements on a device. Its owner frees it.
type Buffer struct {
	Label, owner string
	DType        ir.DType
	N            int
	Host         []float64      // reference
	round        bool           // reference: elements are kept as float32
	gpu          *webgpu.Buffer // GPU
	readers      []*reader      // GPU: idle read-back stages
	programs     int            // of a parameter: open programs that use it
	forgotten    bool           // of a parameter: to be freed with the last of them
	Parent       *Buffer        // the buffer that this one is a part of
	Offset       int            // elements before it there
	parts        int            // of a parent: those that are in use
}

// Want says which adapter to open; the zero value is the best one.
type Want struct {
	// Name must be part of the adapter's name, driver or backend, without case.
	Name string
	// DefaultLimits opens the adapter with the limits every WebGPU device
	// guarantees, to show that a program runs everywhere.
	DefaultLimits bool
}

// Adapters lists the GPU adapters of this machine, the best first: discrete,
// integrated, then software.
func Adapters(ctx context.Context) ([]ir.Info, error) {
	found, err := adapters(ctx)
	if err != nil {
		return nil, err
	}
	infos := make([]ir.Info, len(found))
	for i, a := range found {
		infos[i] = describe(a)
		a.Release()
	}
	return infos, nil
}

func adapters(ctx context.Context) ([]*webgpu.Adapter, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("compute: Adapters: %w", err)
	}
	found, err := webgpu.Adapters()
	if err != nil {
		return nil, fmt.Errorf("compute: Adapters: %w", err)
	}
	rank := func(a *webgpu.Adapter) int {
		return slices.Index([]string{"discrete", "integrated", "software"}, a.Info().Type) & 3
	}
	slices.SortStableFunc(found, func(a, b *webgpu.Adapter) int { return rank(a) - rank(b) })
	return found, nil
}

func describe(a *webgpu.Adapter) ir.Info {
	i := a.Info()
	return ir.Info{
		Name: i.Name, Vendor: i.Vendor, Driver: i.Driver, Backend: i.Backend, Type: i.Type,
		Binding: webgpu.Binding, Browser: webgpu.Browser(), Limits: a.Limits(), Features: a.Features(),
	}
}

// Open opens the best GPU adapter, or the best that fits want. It never falls
// back to anything else: without an adapter the error wraps ErrNoAdapter and
// says what was looked for, what is there, and how to get a driver.
func Open(ctx context.Context, want ...Want) (*Device, error) {
	var w Want
	if len(want) > 0 {
		w = want[0]
	}
	found, err := adapters(ctx)
	if err != nil {
		return nil, fmt.Errorf("compute: Open: %w\n%s", err, DriverHelp)
	}
	var names []string
	var chosen *webgpu.Adapter
	for _, a := range found {
		i := a.Info()
		names = append(names, fmt.Sprintf("%s (%s)", i.Name, i.Backend))
		fits := strings.Contains(strings.ToLower(i.Name+" "+i.Driver+" "+i.Backend), strings.ToLower(w.Name))
		if chosen == nil && fits {
			chosen = a
			continue
		}
		defer a.Release()
	}
	if chosen == nil && len(found) == 0 {
		return nil, fmt.Errorf("compute: Open: %w\n%s", ir.ErrNoAdapter, DriverHelp)
	}
	if chosen == nil {
		return nil, fmt.Errorf("compute: Open: no adapter matches %q; there is %s: %w", w.Name, strings.Join(names, ", "), ir.ErrNoAdapter)
	}
	defer chosen.Release()
	info := describe(chosen)
	limits := info.Limits
	if w.DefaultLimits {
		limits = webgpu.DefaultLimits
	}
	info.Limits = limits
	var features []string
	if slices.Contains(info.Features, "subgroups") && webgpu.Browser() == "" && !w.DefaultLimits {
		features = append(features, "subgroups") // of browsers' WGSL, which asks for them, nothing is known here
	}
	if slices.Contains(info.Features, shaderF16) && !w.DefaultLimits {
		features = append(features, shaderF16)
	}
	if slices.Contains(info.Features, webgpu.TimestampQuery) && webgpu.Browser() == "" && !w.DefaultLimits {
		features = append(features, webgpu.TimestampQuery) // see GPURunner.Profile
	}
	gpu, err := chosen.Open("pumice", limits, features)
	if err != nil {
		return nil, fmt.Errorf("compute: Open %s: %w", info.Name, err)
	}
	d := newDevice(info)
	d.Engine, err = newGPU(d, gpu)
	if err != nil {
		gpu.Release()
		return nil, fmt.Errorf("compute: Open %s: %w", info.Name, err)
	}
	d.f16, d.stamps = slices.Contains(features, shaderF16), slices.Contains(features, webgpu.TimestampQuery)
	if slices.Contains(features, "subgroups") {
		d.info.Subgroup = subgroup(ctx, gpu)
	}
	return d, nil
}

// DriverHelp says how to get a GPU driver.
const DriverHelp = `No GPU driver for Vulkan, Metal or DirectX 12 answered. To get one:
  Debian, Ubuntu   apt-get install libvulkan1 mesa-vulkan-drivers   (includes a software driver)
  Fedora           dnf install vulkan-loader mesa-vulkan-drivers
  Arch             pacman -S vulkan-icd-loader vulkan-swrast
  NVIDIA, AMD      the vendor's driver brings Vulkan; the loader is libvulkan1
  macOS, Windows   Metal and DirectX 12 are part of the system
The reference device needs none of them.`

func newDevice(info ir.Info) *Device {
	return &Device{info: info, params: map[*ir.Param]*Buffer{}, ledger: map[string]*Usage{}}
}

// Info describes the device.
func (d *Device) Info() ir.Info { return d.info }

// IsReference reports whether d is the reference device.
func (d *Device) IsReference() bool { return d.info.Backend == "gonum" }

func (d *Device) String() string {
	if d.IsReference() {
		return "reference (gonum, float64)"
	}
	return fmt.Sprintf("%s (%s, %s)", d.info.Name, d.info.Backend, d.info.Type)
}

// Wait returns when everything submitted so far has finished.
func (d *Device) Wait(ctx context.Context) error {
	if err := d.Usable(); err != nil {
		return err
	}
	return d.Engine.wait(ctx)
}

// Usable is ErrClosed once the device is closed.
func (d *Device) Usable() error {
	if d.closed.Load() {
		return fmt.Errorf("compute: device %s: %w", d.info.Name, ir.ErrClosed)
	}
	return nil
}

// Close frees everything the device holds; what is still in use of it then fails
// with ErrClosed. No call may be under way.
func (d *Device) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed.Swap(true) {
		return nil
	}
	for _, b := range d.params {
		d.freeLocked(b)
	}
	d.params = nil
	d.Engine.close()
	return nil
}

// Alloc allocates n elements for an owner, whom the ledger names. Free ends that.
func (d *Device) Alloc(owner, label string, dtype ir.DType, n int) (*Buffer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.allocLocked(owner, label, dtype, n)
}

func (d *Device) allocLocked(owner, label string, dtype ir.DType, n int) (*Buffer, error) {
	if err := d.Usable(); err != nil {
		return nil, err
	}
	size := uint64(ir.Bytes(dtype, n))
	if limit := min(d.info.Limits.StorageBindingSize, d.info.Limits.BufferSize); size > limit {
		return nil, fmt.Errorf("compute: tensor %s of %d elements needs %d bytes, a binding holds at most %d: %w", label, n, size, limit, ir.ErrLimit)
	}
	b, err := d.Engine.Alloc(label, dtype, n)
	if err != nil {
		return nil, fmt.Errorf("compute: tensor %s of %d elements (%d bytes): %w", label, n, size, err)
	}
	b.owner = owner
	use := d.ledger[owner]
	if use == nil {
		use = &Usage{Owner: owner}
		d.ledger[owner] = use
	}
	use.Buffers++
	use.Bytes += int64(size)
	return b, nil
}

// Free frees a buffer, and the one that it was the last part of.
func (d *Device) Free(b *Buffer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.freeLocked(b)
}

func (d *Device) freeLocked(b *Buffer) {
	d.Engine.free(b)
	if b.Parent != nil {
		if b.Parent.parts--; b.Parent.parts == 0 {
			d.freeLocked(b.Parent)
		}
		return
	}
	if use := d.ledger[b.owner]; use != nil {
		use.Buffers--
		use.Bytes -= ir.Bytes(b.DType, b.N)
		if use.Buffers == 0 {
			delete(d.ledger, b.owner)
		}
	}
}

// ReadInto waits for what was submitted and copies the bits of a buffer, f16 as float32.
func (d *Device) ReadInto(ctx context.Context, b *Buffer, dst []uint32) error {
	r, err := d.Engine.Read(b)
	if err != nil {
		return err
	}
	d.Down.Add(ir.Bytes(b.DType, len(dst)))
	return r.Wait(ctx, dst)
}

// Usage is what one owner holds of a device's memory.
type Usage struct {
	Owner   string // a program's name, or "parameters"
	Buffers int
	Bytes   int64
}

// Ledger lists the live buffers of the device by owner, sorted by name. A
// closed device with closed programs has none.
func (d *Device) Ledger() []Usage {
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []Usage
	for _, use := range d.ledger {
		list = append(list, *use)
	}
	slices.SortFunc(list, func(a, b Usage) int { return strings.Compare(a.Owner, b.Owner) })
	return list
}

// Pipelines is how many pipelines the device keeps: one for each text that its programs
// have run.
func (d *Device) Pipelines() int {
	e, ok := d.Engine.(*GPU)
	if !ok {
		return 0
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.pipelines)
}

// Traffic counts the bytes of tensors moved between host and device.
type Traffic struct{ Up, Down int64 }

// Traffic returns the bytes moved since the device was opened.
func (d *Device) Traffic() Traffic { return Traffic{d.Up.Load(), d.Down.Load()} }

// asBytes views words as bytes; every platform of ours is little-endian.
func asBytes(x []uint32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), 4*len(x))
}

// shaderF16 is the feature that lets shaders store f16.
const shaderF16 = "shader-f16"

// Stores is nil where the device can store tensors of a type, or else an error that
// wraps ErrFeature.
func (d *Device) Stores(t ir.DType) error {
	if t != ir.F16 || d.f16 {
		return nil
	}
	why := "does not offer it"
	if slices.Contains(d.info.Features, shaderF16) {
		why = "was opened without it, with the limits that every device guarantees"
	}
	return fmt.Errorf("compute: tensors of f16 need the feature %s, %s %s: %w", shaderF16, d.info.Name, why, ir.ErrFeature)
}
