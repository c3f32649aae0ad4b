package ir

import (
	"slices"
	"strconv"
	"strings"

	"github.com/pumice-ml/pumice/internal/shader"
)

// BindAll numbers the tensors that a launch binds, and gives the numbers that each
// dispatch has for its own.
func BindAll(list []Dispatch) (bound []*Tensor, numbers [][]int) {
	var types []string
	for i := range list {
		var own []int
		for k, x := range list[i].Tensors {
			b := list[i].Binding(k)
			at := -1
			for j, y := range bound {
				if y.base == x.base && types[j] == b.Type {
					at = j
				}
			}
			if at < 0 {
				at = len(bound)
				bound, types = append(bound, x), append(types, b.Type)
			}
			own = append(own, at)
		}
		numbers = append(numbers, own)
	}
	return bound, numbers
}

// Joined is one dispatch for the list, of a kernel made for it, on a device that takes so
// many workgroups in a dimension.
func Joined(list []Dispatch, perDimension int) (one Dispatch, err error) {
	bound, numbers := BindAll(list)
	bindings := make([]shader.Binding, len(bound))
	k := &Kernel{pc: list[0].Kernel.pc, shader: &shader.Shader{Name: "join"}}
	var parts []shader.Part
	var flops int64
	for i := range list {
		part := &list[i]
		grid, err := part.Grid(perDimension)
		if err != nil {
			return one, err
		}
		text, err := part.Text(true)
		if err != nil {
			return one, err
		}
		n, err := part.Flops(grid)
		if err != nil {
			return one, err
		}
		flops += n
		parts = append(parts, shader.Part{Shader: part.Kernel.read().shader, Entry: part.Kernel.read().entry, Text: text, Groups: grid, Bindings: numbers[i]})
		for j, number := range numbers[i] {
			bindings[number] = part.Binding(j)
			bindings[number].Number = number
		}
		k.parts = append(k.parts, part.Kernel)
	}
	text, groups, block, err := shader.Join(parts)
	if err != nil {
		return one, err
	}
	k.name, k.joined = Names(k.parts), text
	k.entry = shader.Entry{
		Name: "join", Workgroup: [3]int{block, 1, 1}, Bindings: bindings,
		Size: []string{strconv.Itoa(groups)}, Groups: true, Flops: strconv.FormatInt(flops, 10),
	}
	return Dispatch{Kernel: k, Tensors: bound, Scope: Scopes(list), Plain: list, Merged: Join}, nil
}

// Chained is a kernel for one run of the list, which k begins, of so many floating-point
// operations, by the text of s.
func Chained(k *Kernel, s *shader.Shader, list []Dispatch, flops int64) *Kernel {
	entry, _ := s.Entry(k.read().entry.Name)
	entry.Flops = strconv.FormatInt(flops, 10)
	one := &Kernel{pc: k.pc, shader: s, entry: entry, params: k.params}
	one.halves = slices.ContainsFunc(list, func(d Dispatch) bool { return d.Storage() == F16 })
	for _, d := range list {
		one.parts = append(one.parts, d.Kernel)
	}
	one.name = Names(one.parts)
	return one
}

// Names are those of kernels, joined by plus signs.
func Names(kernels []*Kernel) string {
	var all []string
	for _, k := range kernels {
		all = append(all, k.name)
	}
	return strings.Join(all, "+")
}

// Scopes are the parts of the model that the list is of, joined by plus signs.
func Scopes(list []Dispatch) string {
	var all []string
	for _, d := range list {
		if d.Scope != "" && !slices.Contains(all, d.Scope) {
			all = append(all, d.Scope)
		}
	}
	return strings.Join(all, "+")
}
