package ir

import (
	"fmt"
	"maps"
	"strings"

	"github.com/pumice-ml/pumice/internal/shader"
)

// Testable is nil where the kernel's shader says at which sizes it is judged: the shapes
// of its arrays, and a test (package shaders).
func (k *Kernel) Testable() error {
	sizes := k.TestSizes()
	shapes := k.read().shader.Shapes()
	for _, f := range k.read().shader.Params {
		if _, ok := sizes[f.Name]; !ok {
			return fmt.Errorf("compute: kernel %s: %s.wgsl has no line \"// test:\" with %s", k.name, k.read().shader.Name, f.Name)
		}
	}
	for _, b := range k.read().entry.Bindings {
		if shapes[b.Name] == nil {
			return fmt.Errorf("compute: kernel %s: the header of %s.wgsl has no shape of %s", k.name, k.read().shader.Name, b.Name)
		}
		for _, expr := range shapes[b.Name] {
			if _, err := shader.Eval(expr, wholes(sizes)); err != nil {
				return fmt.Errorf("compute: kernel %s: shape of %s: %w", k.name, b.Name, err)
			}
		}
	}
	return nil
}

// TestSizes are the values of the params at which the kernel is judged: those of the
// shader's header, 67 for the only whole number, 0.5 for others.
func (k *Kernel) TestSizes() map[string]float64 {
	sizes := maps.Clone(k.read().shader.Test)
	if sizes == nil {
		sizes = map[string]float64{}
	}
	var whole []string
	for _, f := range k.read().shader.Params {
		_, given := sizes[f.Name]
		switch {
		case f.Type != "f32":
			whole = append(whole, f.Name)
		case !given:
			sizes[f.Name] = 0.5
		}
	}
	if _, given := sizes[strings.Join(whole, " ")]; len(whole) == 1 && !given {
		sizes[whole[0]] = 67
	}
	return sizes
}

func wholes(sizes map[string]float64) func(string) (int, bool) {
	return func(name string) (int, bool) {
		v, ok := sizes[name]
		return int(v), ok
	}
}

// At is a run of the kernel at sizes, with tensors of its own of the shapes that the
// shader's header gives; its constants and types of storage are those of like.
func (k *Kernel) At(sizes map[string]float64, like *Dispatch) (d Dispatch, ok bool) {
	d = Dispatch{Kernel: k, Consts: like.Consts, Uniform: like.Uniform, Scope: like.Scope}
	d.Params = k.MakeParams(func(f shader.Field) float64 { return sizes[f.Name] })
	shapes, at := k.read().shader.Shapes(), map[string]*Tensor{}
	for i, b := range k.read().entry.Bindings {
		x := at[k.read().shader.Same[b.Name]]
		if x == nil {
			var shape []int
			for _, expr := range shapes[b.Name] {
				n, err := shader.Eval(expr, wholes(sizes))
				if err != nil || n < 0 {
					return d, false
				}
				shape = append(shape, n)
			}
			s := &Slot{ID: i, Name: b.Name, N: Elements(shape), DType: like.Tensors[i].base.DType, Input: !like.Tensors[i].base.Made()}
			x = View(s, shape...)
		}
		at[b.Name] = x
		d.Tensors = append(d.Tensors, x)
	}
	return d, true
}

// Test is the run at which the kernel is judged, with numbers stored so.
func (k *Kernel) Test(storage DType) (Dispatch, bool) {
	var like Dispatch
	for _, b := range k.read().entry.Bindings {
		x := View(&Slot{DType: storage})
		if b.Unsigned() {
			x.base.DType = U32
		}
		like.Tensors = append(like.Tensors, x)
	}
	return k.At(k.TestSizes(), &like)
}
