package compiler

import (
	"context"

	"github.com/pumice-ml/pumice/internal/engine"
	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/internal/judge"
	"github.com/pumice-ml/pumice/internal/pass"
	"github.com/pumice-ml/pumice/internal/tune"
)

// Device is a device that judges what it runs and finds out what is fast there. Package
// compute shows it without the machinery.
type Device struct{ dev *tune.Device }

// Open opens a GPU device (see engine.Open).
func Open(ctx context.Context, want ...engine.Want) (*Device, error) {
	d, err := engine.Open(ctx, want...)
	if err != nil {
		return nil, err
	}
	return &Device{tune.New(judge.New(d))}, nil
}

// Reference returns the device that runs definitions (see engine.Reference).
func Reference() *Device { return &Device{tune.New(judge.New(engine.Reference()))} }

// Machine is what the device does its work by.
func (d *Device) Machine() *tune.Device { return d.dev }

// Info describes the device.
func (d *Device) Info() ir.Info { return d.dev.Info() }

// IsReference reports whether d is the reference device.
func (d *Device) IsReference() bool { return d.dev.IsReference() }

// Holds reports whether the device has a copy of the parameter.
func (d *Device) Holds(p *ir.Param) bool { return d.dev.Holds(p) }

// Stores is nil where the device can store tensors of the type.
func (d *Device) Stores(t ir.DType) error { return d.dev.Stores(t) }

// Lowered lists what a tape compiles to, without the named passes and before dispatches
// are merged, without compiling it or testing kernels.
func Lowered(t *ir.Tape, without ...ir.Pass) []ir.Dispatch {
	defer t.Unchanged()()
	list, _, _ := pass.Lower(t, t.Device().(*Device).dev, pass.Runs(append(without, ir.Check)), nil) // only Check fails
	return list
}
