package infer

import (
	"context"
	"fmt"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers"
)

// OpenInt8 is Open with int8 weights in the place of the float32 ones of Linear and
// Conv2D layers (see layers.Quantize): they are made on the host, so that the device
// holds a quarter of the bytes. The weights are those of the float32 model, and are
// set there as Open does, or read back from the device where it holds them and weights
// is nil. The session's own are made once: a model that is trained further needs
// another session.
func OpenInt8(ctx context.Context, dev *compute.Device, model layers.Layer, weights []byte, shape ...int) (*Session, error) {
	fail := func(err error) (*Session, error) { return nil, fmt.Errorf("infer: OpenInt8: %w", err) }
	if dev == nil {
		return fail(fmt.Errorf("no device"))
	}
	var params []*compute.Param
	for _, p := range layers.Params(model) {
		params = append(params, p)
	}
	if weights == nil {
		if err := dev.Download(ctx, params...); err != nil {
			return fail(err)
		}
	} else {
		if err := layers.Load(weights, "weights", model); err != nil {
			return fail(fmt.Errorf("%w: %w", ErrWeights, err))
		}
		if err := dev.Upload(params...); err != nil {
			return fail(err)
		}
	}
	small, err := layers.Quantize(model)
	if err != nil {
		return fail(fmt.Errorf("%w: %w", ErrWeights, err))
	}
	return Open(dev, small, nil, shape...)
}
