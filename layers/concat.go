package layers

import (
	"fmt"
	"slices"

	"github.com/pumice-ml/pumice/compute"
)

// Concat joins tensors along an axis, counted from the end where it is
// negative. It panics where there are none, the axis does not exist, or their
// other dimensions differ.
func Concat(t *compute.Tape, axis int, xs ...*compute.Tensor) *compute.Tensor {
	if len(xs) == 0 {
		panic("layers: Concat: no tensors, want at least one")
	}
	shape := slices.Clone(xs[0].Shape())
	at := axis
	if axis < 0 {
		at += len(shape)
	}
	if at < 0 || at >= len(shape) {
		panic(fmt.Sprintf("layers: Concat: axis %d of shape %v", axis, shape))
	}
	shape[at] = 0
	for _, x := range xs {
		s := slices.Clone(x.Shape())
		if len(s) == len(shape) {
			s[at] = shape[at]
		}
		if !slices.Equal(s, shape) {
			panic(fmt.Sprintf("layers: Concat: shapes %v and %v, want the same but for axis %d", xs[0].Shape(), x.Shape(), axis))
		}
		shape[at] += x.Dim(at)
	}
	y := t.New(shape...)
	outer, total, first := compute.Elements(shape[:at]), compute.Elements(shape[at:]), 0
	for _, x := range xs {
		p := concatParams{uint32(outer), uint32(compute.Elements(x.Shape()[at:])), uint32(first), uint32(total)}
		first += int(p.Width)
		concatForward.Run(p, x, y)
		t.OnBackward(func() { concatBackward.Run(p, t.Grad(y), t.Grad(x)) })
	}
	return y
}

type concatParams struct{ Outer, Width, First, Total uint32 }

// place is where element i of x stands in y.
func (p concatParams) place(i int) int {
	return i/int(p.Width)*int(p.Total) + int(p.First) + i%int(p.Width)
}

var concatForward = compute.NewKernel("concat.forward", func(p concatParams, b [][]float64) {
	x, y := b[0], b[1]
	for i := range x {
		y[p.place(i)] = x[i]
	}
}, compute.Exact)

var concatBackward = compute.NewKernel("concat.backward", func(p concatParams, b [][]float64) {
	dy, dx := b[0], b[1]
	for i := range dx {
		dx[i] += dy[p.place(i)]
	}
}, compute.Exact)
