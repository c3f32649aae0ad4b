// Package webgpu is the one door to the graphics API: the only package that
// knows a WebGPU binding. It offers what Pumice needs and nothing else, in
// paired files with the same declarations:
//
//   - native.go, the default: wgpu-native through github.com/oliverbestmann/webgpu;
//   - native_cogentcore.go, build tag cogentcore: github.com/cogentcore/webgpu;
//   - browser.go (GOOS=js): navigator.gpu through syscall/js;
//   - none.go (CGO_ENABLED=0): no adapters, and an error that says why.
//
// Each implementation declares the same things:
//
//	const Binding string // name and version of the binding
//	const Lazy bool      // whether drivers may finish a pipeline when it is first dispatched
//
//	func Adapters() ([]*Adapter, error)
//	func (a *Adapter) Info() Info
//	func (a *Adapter) Limits() Limits
//	func (a *Adapter) Features() []string
//	func (a *Adapter) Open(label string, limits Limits, features []string) (*Device, error)
//	func (a *Adapter) Release()
//
//	func (d *Device) NewBuffer(label string, size uint64, usage Usage) (*Buffer, error)
//	func (d *Device) Write(b *Buffer, offset uint64, data []byte) error
//	func (d *Device) NewPipeline(label, wgsl, entry string, slots []Slot) (*Pipeline, error)
//	func (d *Device) NewPipelines(list []Source, made func(i int)) ([]*Pipeline, []error)
//	func (d *Device) NewBindGroup(label string, p *Pipeline, buffers []*Buffer) (*BindGroup, error)
//	func (d *Device) NewPlan(commands []Command) (*Plan, error)
//	func (d *Device) Submit(p *Plan, first, last int) error
//	func (d *Device) Stamp(ctx context.Context, p *Plan, first, last int) ([]Span, error)
//	func (d *Device) Wait(ctx context.Context) error
//	func (d *Device) Read(ctx context.Context, b *Buffer, dst []byte) error
//	func (d *Device) Err() error
//	func (d *Device) Release()
//
//	func (b *Buffer) Release()
//	func (p *Pipeline) Release()
//	func (g *BindGroup) Release()
//	func (p *Plan) Release()
//
// NewBuffer returns zeroed memory. A Storage buffer can be bound, written,
// and copied from and to; a Uniform buffer bound and written; a Staging buffer
// copied to and read by the host. NewPipeline's slots are the bindings the entry
// point uses, in the order in which NewBindGroup takes their buffers. NewPipelines makes
// several, side by side where the binding can; each has a pipeline or an error, and made is
// called once for each that is done. A Plan is
// an immutable list of commands; Submit encodes commands first to last-1 into
// one command buffer, consecutive dispatches in one compute pass, and submits
// it: in the native files by one call into C that allocates nothing on the Go
// heap. Stamp submits and waits, with each dispatch in a pass of its own between two
// timestamps, on a device opened with TimestampQuery; else it returns ErrNoStamps.
// Submissions run in the order of Submit, and a Write takes effect
// between the submissions around it. Wait returns when everything submitted
// before has finished. Read maps a Staging buffer once all submitted work that
// writes it is done, copies len(dst) bytes and unmaps it.
//
// Release may be called at any time and more than once: objects that submitted
// work still uses live until that work is done. All methods are safe for use
// by several goroutines. Errors wrap ErrLost, ErrOutOfMemory or ErrInvalid.
package webgpu

import (
	"errors"
	"fmt"
)

var (
	// ErrNone says that no adapter was found, or that this build has no binding.
	ErrNone = errors.New("no WebGPU adapter")
	// ErrLost says that the device is gone: the driver was reset or removed.
	ErrLost = errors.New("device lost")
	// ErrOutOfMemory says that the driver could not allocate.
	ErrOutOfMemory = errors.New("out of device memory")
	// ErrInvalid says that the API refused a call; the text is the driver's.
	ErrInvalid = errors.New("refused by the driver")
	// ErrNoStamps says that the device writes no timestamps.
	ErrNoStamps = errors.New("no timestamps")
)

// Info describes an adapter. Backend is one of vulkan, metal, dx12, webgpu;
// Type is one of discrete, integrated, software, unknown.
type Info struct {
	Name, Vendor, Architecture, Driver string
	Backend, Type                      string
	VendorID, DeviceID                 uint32
}

// Limits are the WebGPU limits that compute depends on, in bytes and counts.
type Limits struct {
	StorageBuffersPerStage   uint32 `json:"maxStorageBuffersPerShaderStage"`
	StorageBindingSize       uint64 `json:"maxStorageBufferBindingSize"`
	BufferSize               uint64 `json:"maxBufferSize"`
	UniformBindingSize       uint64 `json:"maxUniformBufferBindingSize"`
	WorkgroupStorage         uint32 `json:"maxComputeWorkgroupStorageSize"`
	InvocationsPerWorkgroup  uint32 `json:"maxComputeInvocationsPerWorkgroup"`
	WorkgroupSizeX           uint32 `json:"maxComputeWorkgroupSizeX"`
	WorkgroupSizeY           uint32 `json:"maxComputeWorkgroupSizeY"`
	WorkgroupSizeZ           uint32 `json:"maxComputeWorkgroupSizeZ"`
	WorkgroupsPerDimension   uint32 `json:"maxComputeWorkgroupsPerDimension"`
	StorageOffsetAlignment   uint32 `json:"minStorageBufferOffsetAlignment"`
	SubgroupMin, SubgroupMax uint32 `json:"-"` // 0 where unknown
}

// DefaultLimits are what every WebGPU adapter guarantees (WebGPU, section 3.6.2).
var DefaultLimits = Limits{
	StorageBuffersPerStage:  8,
	StorageBindingSize:      128 << 20,
	BufferSize:              256 << 20,
	UniformBindingSize:      64 << 10,
	WorkgroupStorage:        16 << 10,
	InvocationsPerWorkgroup: 256,
	WorkgroupSizeX:          256,
	WorkgroupSizeY:          256,
	WorkgroupSizeZ:          64,
	WorkgroupsPerDimension:  65535,
	StorageOffsetAlignment:  256,
}

// Usage says what a buffer is for.
type Usage uint8

// The usages.
const (
	Storage Usage = iota
	Uniform
	Staging
	resolved // queries are copied to it
)

// TimestampQuery is the feature that Stamp needs.
const TimestampQuery = "timestamp-query"

// Span is when a dispatch began and ended, in ticks of the device's clock. WebGPU wants
// nanoseconds; wgpu-native gives what the driver does, and does not tell what a tick is.
// The clock may start anew (WebGPU, "timestamp"), so that End is less than Begin.
type Span struct{ Begin, End uint64 }

// Access says how an entry point uses a binding.
type Access uint8

// The kinds of access.
const (
	Read Access = iota
	ReadWrite
	UniformRead
)

// Slot is one binding of group 0 that an entry point uses.
type Slot struct {
	Binding uint32
	Access  Access
}

// Source is what a pipeline is compiled from.
type Source struct {
	Label, WGSL, Entry string
	Slots              []Slot
}

// Range is a part of a buffer that a dispatch binds, from a multiple of the limit
// StorageOffsetAlignment; all of it where Size is 0.
type Range struct {
	*Buffer
	Offset, Size uint64
}

// Whole are all of the buffers.
func Whole(buffers ...*Buffer) []Range {
	ranges := make([]Range, len(buffers))
	for i, b := range buffers {
		ranges[i] = Range{Buffer: b}
	}
	return ranges
}

// check is ErrInvalid where the part is not inside of the buffer.
func (r Range) check() error {
	if r.Offset > r.Buffer.size || r.Size > r.Buffer.size-r.Offset {
		return fmt.Errorf("bytes %d to %d of buffer %q, which has %d: %w", r.Offset, r.Offset+r.Size, r.Buffer.label, r.Buffer.size, ErrInvalid)
	}
	return nil
}

func (r Range) bytes() uint64 {
	if r.Size == 0 {
		return r.Buffer.size - r.Offset
	}
	return r.Size
}

// Command is a dispatch, where Pipeline is set, or else a copy of Size bytes
// (offsets and size are multiples of 4).
type Command struct {
	Pipeline *Pipeline
	Bindings *BindGroup
	Groups   [3]uint32

	Src, Dst             *Buffer
	SrcOffset, DstOffset uint64
	Size                 uint64
}
