package main

import (
	"fmt"

	"github.com/spf13/pflag"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers"
)

// dtypeFlag adds --dtype, for training or for a model that infers.
func (c *choices) dtypeFlag(f *pflag.FlagSet, training bool) {
	text := "what activations and weights are stored as: f32, or f16 where the adapter has shader-f16"
	if !training {
		text += "; or int8: weights of one byte, with a scale for each output channel"
	}
	c.training = training
	f.StringVar(&c.dtype, "dtype", "f32", text)
}

// storage is what --dtype says of tensors.
func (c *choices) storage() (compute.DType, error) {
	switch {
	case c.dtype == "f16":
		return compute.F16, nil
	case c.dtype == "f32" || c.dtype == "int8" && !c.training:
		return compute.F32, nil
	case c.training:
		return 0, fmt.Errorf("--dtype %q, want f32 or f16", c.dtype)
	}
	return 0, fmt.Errorf("--dtype %q, want f32, f16 or int8", c.dtype)
}

// weighed is the model with weights of the type that --dtype says.
func (c *choices) weighed(model layers.Layer) (layers.Layer, error) {
	if c.dtype == "int8" {
		return layers.Quantize(model)
	}
	return model, nil
}
