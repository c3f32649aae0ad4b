package compiler

import (
	"context"
	"io/fs"

	"github.com/pumice-ml/pumice/internal/engine"
	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/internal/shader"
	"github.com/pumice-ml/pumice/internal/tapeoption"
	"github.com/pumice-ml/pumice/internal/tune"
)

// open is Open for tests of the machinery.
func open(ctx context.Context, want ...engine.Want) (*tune.Device, error) {
	d, err := Open(ctx, want...)
	if err != nil {
		return nil, err
	}
	return d.dev, nil
}

func newTape(dev *tune.Device, switches ...*tapeoption.Switches) *ir.Tape {
	return ir.NewTape(&Device{dev}, switches...)
}

// declare declares a kernel of a test.
func declare[P any](source func(file string) (*shader.Shader, error), name string, define func(p P, b [][]float64), model ir.Model) *ir.Kernel {
	return ir.Declare(source, name, define, model, 1)
}

func declareFS[P any](fsys fs.FS, name string, define func(p P, b [][]float64), model ir.Model) *ir.Kernel {
	return ir.Declare(func(file string) (*shader.Shader, error) { return shader.LoadFS(fsys, file) }, name, define, model, 1)
}
