package main

import (
	"fmt"

	"github.com/spf13/pflag"

	"github.com/pumice-ml/pumice/layers"
)

// dtype is the type of the weights that a model infers with.
type dtype string

func (d *dtype) flag(f *pflag.FlagSet) {
	f.StringVar((*string)(d), "dtype", "f32", "f32, or int8: weights of one byte, with a scale for each output channel")
}

// of is the model with weights of the type.
func (d dtype) of(model layers.Layer) (layers.Layer, error) {
	switch d {
	case "f32":
		return model, nil
	case "int8":
		return layers.Quantize(model)
	}
	return nil, fmt.Errorf("--dtype %q, want f32 or int8", string(d))
}
