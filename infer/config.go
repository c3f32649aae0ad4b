package infer

import (
	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers"
)

// Config says how sessions hold a model; the zero value is f32.
type Config struct {
	// Storage is F16 to store activations and the weights' copies on the device as f16,
	// in half of the bytes, and to compute with f32. The device must have the feature
	// shader-f16, or Open's error wraps compute.ErrFeature. Every kernel is tested with
	// f16 on the device before it is used. Weights that the device holds as f32 when the
	// session opens, for a training loop say, are cast in every run instead, and so
	// follow the training; others are those of that moment, or of Device.Upload.
	Storage compute.DType
}

// Open is the function Open with a Config.
func (c Config) Open(dev *compute.Device, model layers.Layer, weights []byte, shape ...int) (*Session, error) {
	return open(c, dev, model, weights, shape)
}
