package ir

import "github.com/pumice-ml/pumice/internal/webgpu"

// Limits are the WebGPU limits of a device, in bytes and counts.
type Limits = webgpu.Limits

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

// Device is what recording asks of the device that will run the list.
type Device interface {
	Info() Info
	IsReference() bool
	// Holds reports whether the device has a copy of the parameter.
	Holds(p *Param) bool
	// Stores is nil where tensors of the type can be stored, or else an error.
	Stores(t DType) error
}
