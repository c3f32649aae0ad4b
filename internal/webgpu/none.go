//go:build !cgo && !js

package webgpu

import (
	"context"
	"fmt"
	"slices"
)

// Binding names the WebGPU binding: this build has none.
const Binding = "none"

// Lazy is whether drivers may finish a pipeline when it is first dispatched.
const Lazy = false

var errNone = fmt.Errorf("%w: this program was built without cgo, which the GPU path needs", ErrNone)

// Adapter, Device, Buffer, Pipeline, BindGroup and Plan have no values here:
// Adapters finds nothing to open.
type (
	Adapter struct{}
	Device  struct{}
	Buffer  struct {
		label string
		size  uint64
	}
	Pipeline  struct{}
	BindGroup struct{}
	Plan      struct{}
)

// Adapters returns ErrNone: a build without cgo has no GPU.
func Adapters() ([]*Adapter, error) { return nil, errNone }

// Info describes nothing.
func (a *Adapter) Info() Info { return Info{} }

// Limits are zero.
func (a *Adapter) Limits() Limits { return Limits{} }

// Features are none.
func (a *Adapter) Features() []string { return nil }

// Open returns ErrNone.
func (a *Adapter) Open(string, Limits, []string) (*Device, error) { return nil, errNone }

// Release does nothing.
func (a *Adapter) Release() {}

// NewBuffer returns ErrNone.
func (d *Device) NewBuffer(string, uint64, Usage) (*Buffer, error) { return nil, errNone }

// Write returns ErrNone.
func (d *Device) Write(*Buffer, uint64, []byte) error { return errNone }

// NewPipeline returns ErrNone.
func (d *Device) NewPipeline(_, _, _ string, _ []Slot) (*Pipeline, error) { return nil, errNone }

// NewPipelines returns ErrNone for each.
func (d *Device) NewPipelines(list []Source, made func(int)) ([]*Pipeline, []error) {
	for i := range list {
		made(i)
	}
	return make([]*Pipeline, len(list)), slices.Repeat([]error{errNone}, len(list))
}

// NewBindGroup returns ErrNone.
func (d *Device) NewBindGroup(string, *Pipeline, []Range) (*BindGroup, error) {
	return nil, errNone
}

// NewPlan returns ErrNone.
func (d *Device) NewPlan([]Command) (*Plan, error) { return nil, errNone }

// Submit returns ErrNone.
func (d *Device) Submit(*Plan, int, int) error { return errNone }

// Stamp returns ErrNone.
func (d *Device) Stamp(context.Context, *Plan, int, int) ([]Span, error) { return nil, errNone }

// Wait returns ErrNone.
func (d *Device) Wait(context.Context) error { return errNone }

// Read returns ErrNone.
func (d *Device) Read(context.Context, *Buffer, []byte) error { return errNone }

// Err returns ErrNone.
func (d *Device) Err() error { return errNone }

// Release does nothing.
func (d *Device) Release() {}

// Release does nothing.
func (b *Buffer) Release() {}

// Release does nothing.
func (p *Pipeline) Release() {}

// Release does nothing.
func (g *BindGroup) Release() {}

// Release does nothing.
func (p *Plan) Release() {}
