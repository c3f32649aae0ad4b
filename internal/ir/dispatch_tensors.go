package ir

import (
	"fmt"
	"reflect"
	"slices"
)

// Results are the tensors that dispatches write, each once.
func Results(list []Dispatch) (all []*Slot) {
	for _, d := range list {
		for i, x := range d.Tensors {
			if d.Writes(i) && !slices.Contains(all, x.base) {
				all = append(all, x.base)
			}
		}
	}
	return all
}

// Feeds reports whether d writes what another dispatch uses.
func (d *Dispatch) Feeds(other *Dispatch) bool {
	return slices.ContainsFunc(Results([]Dispatch{*d}), other.Uses)
}

// Uses reports whether d reads or writes s.
func (d *Dispatch) Uses(s *Slot) bool {
	return slices.ContainsFunc(d.Tensors, func(x *Tensor) bool { return x.base == s })
}

// Adds reports whether d's kernel adds to what it writes.
func (d *Dispatch) Adds() bool { return slices.Contains(d.Kernel.read().entry.Consts, "accumulate") }

// Written is the one tensor that d writes, or nil where there are more.
func (d *Dispatch) Written() (x *Tensor) {
	for i, y := range d.Tensors {
		if d.Writes(i) {
			if x != nil {
				return nil
			}
			x = y
		}
	}
	return x
}

// Named is the tensor that the shader calls so. It panics where there is none.
func (d *Dispatch) Named(name string) *Tensor {
	for i := range d.Tensors {
		if d.Binding(i).Name == name {
			return d.Tensors[i]
		}
	}
	panic(fmt.Sprintf("compute: kernel %s has no tensor %s", d.Kernel.name, name))
}

// Elements reports whether tensor i of d has an element for each invocation.
func (d *Dispatch) Elements(i int) bool {
	return slices.Equal(d.Kernel.read().shader.Shapes()[d.Binding(i).Name], []string{d.Kernel.read().entry.Each})
}

// Sized is d's params with n elements.
func (d *Dispatch) Sized(n int) any {
	p := reflect.New(d.Kernel.params).Elem()
	p.Set(reflect.ValueOf(d.Params))
	for i, f := range d.Kernel.read().shader.Params {
		if f.Name == d.Kernel.read().entry.Each {
			p.Field(i).SetUint(uint64(n))
		}
	}
	return p.Interface()
}
