// Package testdata holds numbers from outside, for tests only: layers, losses
// and optimizers as PyTorch computes them. testdata/pytorch says how they were
// made.
package testdata

import (
	"embed"
	"encoding/json"
	"fmt"
	"math"
)

//go:embed pytorch/*.json pytorch/*.safetensors
var files embed.FS

// Tensor is an array of numbers, row-major.
type Tensor struct {
	Shape []int     `json:"shape"`
	Data  []float64 `json:"data"`
}

// Case is one call of PyTorch with its inputs and results.
type Case struct {
	Name    string            `json:"name"`
	Torch   string            `json:"torch"` // the call, as text
	Options map[string]any    `json:"options"`
	Tensors map[string]Tensor `json:"tensors"`
}

// PyTorch returns the cases of a group, such as "conv2d". It panics on an
// unknown group.
func PyTorch(group string) []Case {
	text, err := files.ReadFile("pytorch/" + group + ".json")
	if err != nil {
		panic(fmt.Sprintf("testdata: no group %q", group))
	}
	var cases []Case
	if err := json.Unmarshal(text, &cases); err != nil {
		panic(fmt.Sprintf("testdata: group %q: %v", group, err))
	}
	return cases
}

// StateDict is a PyTorch state dict of a small CNN in safetensors form.
func StateDict() []byte {
	b, err := files.ReadFile("pytorch/cnn.safetensors")
	if err != nil {
		panic(err)
	}
	return b
}

// Float is a number among the options. It panics where there is none.
func (c Case) Float(option string) float64 {
	v, ok := c.Options[option].(float64)
	if !ok {
		panic(fmt.Sprintf("testdata: case %s: option %s is %v, want a number", c.Name, option, c.Options[option]))
	}
	return v
}

// Int is a whole number among the options. It panics where there is none.
func (c Case) Int(option string) int {
	v := c.Float(option)
	if v != math.Trunc(v) {
		panic(fmt.Sprintf("testdata: case %s: option %s is %v, want a whole number", c.Name, option, v))
	}
	return int(v)
}

// Has reports whether the case has a tensor.
func (c Case) Has(tensor string) bool { _, ok := c.Tensors[tensor]; return ok }

func (c Case) tensor(name string) Tensor {
	t, ok := c.Tensors[name]
	if !ok {
		panic(fmt.Sprintf("testdata: case %s has no tensor %s", c.Name, name))
	}
	return t
}

// Shape is a tensor's dimensions, none for a scalar. Like F64, F32 and U32 it
// panics on an unknown tensor.
func (c Case) Shape(tensor string) []int { return c.tensor(tensor).Shape }

// F64 is a tensor's elements, row-major; for inputs, exact float32 values.
func (c Case) F64(tensor string) []float64 { return c.tensor(tensor).Data }

// F32 is a tensor's elements rounded to float32.
func (c Case) F32(tensor string) []float32 {
	var out []float32
	for _, v := range c.F64(tensor) {
		out = append(out, float32(v))
	}
	return out
}

// U32 is a tensor's elements as whole numbers, such as labels. It panics on an
// element that is not one.
func (c Case) U32(tensor string) []uint32 {
	var out []uint32
	for _, v := range c.F64(tensor) {
		if v != math.Trunc(v) || v < 0 || v > math.MaxUint32 {
			panic(fmt.Sprintf("testdata: case %s: %s holds %v, want whole numbers", c.Name, tensor, v))
		}
		out = append(out, uint32(v))
	}
	return out
}
