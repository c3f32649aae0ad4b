package compute

import (
	"context"
	"fmt"

	"github.com/pumice-ml/pumice/internal/compiler"
	"github.com/pumice-ml/pumice/internal/engine"
	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/internal/tune"
)

// Device runs programs. The GPU device dispatches WGSL through WebGPU; the
// reference device calls the kernels' definitions in float64. A device is safe
// for several goroutines. Close frees everything it holds.
type Device compiler.Device

// Limits are the WebGPU limits of a device, in bytes and counts.
type Limits = ir.Limits

// Info describes a device or an adapter that could become one.
type Info struct {
	Name     string // the adapter's name, or "reference"
	Vendor   string
	Driver   string
	Backend  string // vulkan, metal, dx12, webgpu, or gonum
	Type     string // discrete, integrated, software, unknown, or cpu
	Binding  string // the WebGPU binding and its version
	Browser  string // what the browser calls itself, if there is one
	Limits   Limits
	Features []string // optional WebGPU features the adapter offers
	Subgroup int      // of an open device: invocations of a subgroup; 0 where there are none, or they vary
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
func Adapters(ctx context.Context) ([]Info, error) {
	found, err := engine.Adapters(ctx)
	all := make([]Info, len(found))
	for i, info := range found {
		all[i] = Info(info)
	}
	return all, err
}

// Open opens the best GPU adapter, or the best that fits want. It never falls
// back to anything else: without an adapter the error wraps ErrNoAdapter and
// says what was looked for, what is there, and how to get a driver.
func Open(ctx context.Context, want ...Want) (*Device, error) {
	var wants []engine.Want
	for _, w := range want {
		wants = append(wants, engine.Want(w))
	}
	d, err := compiler.Open(ctx, wants...)
	return (*Device)(d), err
}

// Reference returns the device that runs the kernels' definitions in float64:
// the meaning of every program, and the path for a machine without a GPU.
// Parameters are float32 there too: what a kernel writes to one is rounded, so
// that a checkpoint holds all there is.
func Reference() *Device { return (*Device)(compiler.Reference()) }

// machine is what does the work.
func (d *Device) machine() *tune.Device { return (*compiler.Device)(d).Machine() }

// Info describes the device.
func (d *Device) Info() Info { return Info(d.machine().Info()) }

// IsReference reports whether d is the reference device.
func (d *Device) IsReference() bool { return d.machine().IsReference() }

func (d *Device) String() string { return d.machine().String() }

// Stores is nil where the device can store tensors of a type, or else an error that
// wraps ErrFeature.
func (d *Device) Stores(t DType) error { return d.machine().Stores(t) }

// Wait returns when everything submitted so far has finished.
func (d *Device) Wait(ctx context.Context) error { return d.machine().Wait(ctx) }

// Close frees everything the device holds; what is still in use of it then fails
// with ErrClosed. No call may be under way.
func (d *Device) Close() error { return d.machine().Close() }

// Upload replaces the device's values of the parameters by the host's. Those
// the device does not hold yet are uploaded when they are first used. It panics
// where a parameter changed its size.
func (d *Device) Upload(params ...*Param) error { return d.machine().Upload(params...) }

// Download brings the device's values of the parameters to the host's arrays.
// Those the device never used are left as they are.
func (d *Device) Download(ctx context.Context, params ...*Param) error {
	return d.machine().Download(ctx, params...)
}

// Forget frees the device's copies of the parameters; those that an open program
// uses, with the last such program.
func (d *Device) Forget(params ...*Param) { d.machine().Forget(params...) }

// UploadPart is Upload of n elements of one parameter, from index first on. It panics
// where the parameter has no such elements.
func (d *Device) UploadPart(p *Param, first, n int) error {
	return d.machine().UploadPart(p, first, n)
}

// Holds reports whether the device has a copy of the parameter, which may be newer
// than the host's.
func (d *Device) Holds(p *Param) bool { return d.machine().Holds(p) }

// Usage is what one owner holds of a device's memory.
type Usage struct {
	Owner   string // a program's name, or "parameters"
	Buffers int
	Bytes   int64
}

// Ledger lists the live buffers of the device by owner, sorted by name. A
// closed device with closed programs has none.
func (d *Device) Ledger() (all []Usage) {
	for _, u := range d.machine().Ledger() {
		all = append(all, Usage(u))
	}
	return all
}

// Progress says how far a device is with building programs, all of them together: Done of
// the Total kernels of a stage. Total grows where another program begins meanwhile, and
// starts anew once all are done.
type Progress struct {
	Stage       string // compile: the driver makes machine code of a text; judge: what a text computes is tested
	Done, Total int
	Name        string // the kernel just done; "" at the beginning
}

// OnProgress has f called when building begins and with each kernel that is done, from
// one goroutine at a time, until remove is called. f must return soon, and must not call
// OnProgress or remove, nor compile.
func (d *Device) OnProgress(f func(Progress)) (remove func()) {
	return d.machine().OnProgress(func(p engine.Progress) { f(Progress(p)) })
}

// Refused lists what programs of d would have run, had it computed what it should: texts of
// variants of kernels, or of merges or specialisations, for which the pass is named.
func (d *Device) Refused() (all []string) {
	for _, r := range d.machine().Refused() {
		all = append(all, fmt.Sprintf("%s of %s: %s", r.Variant, r.Kernel, r.Reason))
	}
	return all
}

// Tune says whether programs compiled from now on take the variants of kernels that
// are the fastest on the device, as measured, instead of those that suit it by rule.
// Where it is not called, the environment's PUMICE_TUNE (1 or 0) decides, and without
// that GPUs tune and software adapters do not: measuring pays where programs run long.
//
// What is measured, once, is every class of params that a program has: the variants that
// can do it and pass their tests on the device, in turn, with samples of 300 ms in all;
// building, testing and first running each comes on top. The choice is kept for later
// processes in PUMICE_CACHE, or pumice in the user's cache folder, for the adapter, its
// driver and this version of Pumice, and so a program computes the same bits in every run;
// on two machines that chose differently it need not.
func (d *Device) Tune(on bool) { d.machine().Tune(on) }
