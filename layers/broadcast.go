package layers

import (
	"fmt"

	"github.com/pumice-ml/pumice/compute"
)

// Add is a + b with NumPy's broadcasting: shapes are aligned at their last
// dimension, and a dimension of 1 or none is repeated. It panics where shapes do
// not fit or have more than 6 dimensions.
func Add(t *compute.Tape, a, b *compute.Tensor) *compute.Tensor {
	p, y := broadcast(t, "Add", a, b)
	p.run(broadcastAdd, broadcastAddTo, broadcastAddSame, a, b, y)
	t.OnBackward(func() {
		dy := t.Grad(y)
		for i, x := range []*compute.Tensor{a, b} {
			if s, repeated := p.of(i).sum(); repeated {
				sumInto(t, s, dy, t.Grad(x))
			} else {
				broadcastBackwardAdd.Run(p, dy, t.Grad(x))
			}
		}
	})
	return y
}

// Mul is a * b, element by element, with the broadcasting of Add.
func Mul(t *compute.Tape, a, b *compute.Tensor) *compute.Tensor {
	p, y := broadcast(t, "Mul", a, b)
	p.run(broadcastMultiply, broadcastMultiplyBy, broadcastMultiplySame, a, b, y)
	t.OnBackward(func() {
		dy := t.Grad(y)
		for i, x := range []*compute.Tensor{a, b} {
			other := []*compute.Tensor{b, a}[i]
			if s, repeated := p.of(i).sum(); repeated {
				terms := t.NewF32(y.Shape()...)
				broadcastMultiplyBy.Run(p.of(i).beside(), dy, other, terms)
				sumInto(t, s, terms, t.Grad(x))
			} else {
				broadcastBackwardMultiply.Run(p.of(i), other, dy, t.Grad(x))
			}
		}
	})
	return y
}

// broadcastParams are the shape of y and the strides of a and b, 0 where they
// repeat. Dimensions that need no distinction are joined.
type broadcastParams struct {
	N0, N1, N2, N3, N4, N5 uint32
	A0, A1, A2, A3, A4, A5 uint32
	B0, B1, B2, B3, B4, B5 uint32
}

const axes = 6

func (p broadcastParams) arrays() (n, a, b [axes]uint32) {
	return [axes]uint32{p.N0, p.N1, p.N2, p.N3, p.N4, p.N5},
		[axes]uint32{p.A0, p.A1, p.A2, p.A3, p.A4, p.A5},
		[axes]uint32{p.B0, p.B1, p.B2, p.B3, p.B4, p.B5}
}

func newBroadcastParams(n, a, b [axes]uint32) broadcastParams {
	return broadcastParams{
		n[0], n[1], n[2], n[3], n[4], n[5],
		a[0], a[1], a[2], a[3], a[4], a[5],
		b[0], b[1], b[2], b[3], b[4], b[5],
	}
}

// of puts operand i first: 0 leaves a and b, 1 exchanges them.
func (p broadcastParams) of(i int) broadcastParams {
	n, a, b := p.arrays()
	if i == 1 {
		a, b = b, a
	}
	return newBroadcastParams(n, a, b)
}

// run records y of a and b, in either order: by same where none is repeated, by whole
// where one is not, which comes first there, else by both.
func (p broadcastParams) run(both, whole, same *compute.Kernel, a, b, y *compute.Tensor) {
	_, first := p.sum()
	_, second := p.of(1).sum()
	switch {
	case !first && !second:
		same.Run(p, a, b, y)
	case !first:
		whole.Run(p, a, b, y)
	case !second:
		whole.Run(p.of(1), b, a, y)
	default:
		both.Run(p, a, b, y)
	}
}

// beside puts something of y's shape in place of a.
func (p broadcastParams) beside() broadcastParams {
	n, a, b := p.arrays()
	stride := uint32(1)
	for i := axes - 1; i >= 0; i-- {
		a[i] = stride
		stride *= n[i]
	}
	return newBroadcastParams(n, a, b)
}

// sum describes the sum over the axes along which a repeats, if it does.
func (p broadcastParams) sum() (s sumParams, repeated bool) {
	n, a, _ := p.arrays()
	kept, summed := [][2]uint32{}, [][2]uint32{} // size and stride in y
	stride := uint32(1)
	for i := axes - 1; i >= 0; i-- {
		switch {
		case n[i] == 1:
		case a[i] == 0:
			summed = join(summed, n[i], stride)
		default:
			kept = join(kept, n[i], stride)
		}
		stride *= n[i]
	}
	repeated = len(summed) > 0
	one := [2]uint32{1, 0}
	for len(kept) < 3 {
		kept = append(kept, one)
	}
	for len(summed) < 3 {
		summed = append(summed, one)
	}
	return sumParams{
		kept[2][0], kept[1][0], kept[0][0], kept[2][1], kept[1][1], kept[0][1],
		summed[2][0], summed[1][0], summed[0][0], summed[2][1], summed[1][1], summed[0][1],
		sumChunk,
	}, repeated
}

// join adds an axis outside the others, or makes the last one longer where the
// two lie in memory as one: of six axes, at most three of a kind remain.
func join(list [][2]uint32, size, stride uint32) [][2]uint32 {
	if k := len(list) - 1; k >= 0 && list[k][0]*list[k][1] == stride {
		list[k][0] *= size
		return list
	}
	return append(list, [2]uint32{size, stride})
}

// broadcast aligns the shapes of a and b and returns a tensor for the result.
func broadcast(t *compute.Tape, op string, a, b *compute.Tensor) (broadcastParams, *compute.Tensor) {
	rank := max(len(a.Shape()), len(b.Shape()))
	fail := func() {
		panic(fmt.Sprintf("layers: %s: shapes %v and %v, want dimensions that are equal or 1, at most %d", op, a.Shape(), b.Shape(), axes))
	}
	if rank > axes {
		fail()
	}
	shape := make([]int, rank)
	var n, as, bs [axes]uint32
	next, stepA, stepB := axes, 1, 1 // axes next... are filled
	var lastA, lastB bool            // the axis filled last repeats a, b
	for i := 1; i <= rank; i++ {
		da, db := dimension(a, i), dimension(b, i)
		d := max(da, db)
		if da == 0 || db == 0 {
			d = 0
		}
		if da != d && da != 1 || db != d && db != 1 {
			fail()
		}
		shape[rank-i] = d
		if d == 1 {
			continue
		}
		repeatsA, repeatsB := da != d, db != d
		if next < axes && repeatsA == lastA && repeatsB == lastB {
			n[next] *= uint32(d)
		} else {
			next--
			n[next] = uint32(d)
			if !repeatsA {
				as[next] = uint32(stepA)
			}
			if !repeatsB {
				bs[next] = uint32(stepB)
			}
		}
		lastA, lastB = repeatsA, repeatsB
		stepA, stepB = stepA*da, stepB*db
	}
	for i := range next {
		n[i] = 1
	}
	return newBroadcastParams(n, as, bs), t.New(shape...)
}

// dimension is the i-th dimension of x from the end, 1 where there is none.
func dimension(x *compute.Tensor, i int) int {
	if i > len(x.Shape()) {
		return 1
	}
	return x.Dim(-i)
}

// each calls visit for every element of y with its a and b.
func (p broadcastParams) each(visit func(i, a, b int)) {
	n, as, bs := p.arrays()
	var walk func(axis, i, a, b int)
	walk = func(axis, i, a, b int) {
		if axis == axes {
			visit(i, a, b)
			return
		}
		for k := range int(n[axis]) {
			walk(axis+1, i*int(n[axis])+k, a+k*int(as[axis]), b+k*int(bs[axis]))
		}
	}
	walk(0, 0, 0, 0)
}

var broadcastAdd = compute.NewKernel("broadcast.add", func(p broadcastParams, b [][]float64) {
	x, z, y := b[0], b[1], b[2]
	p.each(func(i, at, bt int) { y[i] = x[at] + z[bt] })
}, compute.Exact)

var broadcastMultiply = compute.NewKernel("broadcast.multiply", func(p broadcastParams, b [][]float64) {
	x, z, y := b[0], b[1], b[2]
	p.each(func(i, at, bt int) { y[i] = x[at] * z[bt] })
}, compute.Exact)

var broadcastAddTo = compute.NewKernel("broadcast.add_to", func(p broadcastParams, b [][]float64) {
	x, z, y := b[0], b[1], b[2]
	p.each(func(i, _, bt int) { y[i] = x[i] + z[bt] })
}, compute.Exact)

var broadcastMultiplyBy = compute.NewKernel("broadcast.multiply_by", func(p broadcastParams, b [][]float64) {
	x, z, y := b[0], b[1], b[2]
	p.each(func(i, _, bt int) { y[i] = x[i] * z[bt] })
}, compute.Exact)

var broadcastAddSame = compute.NewKernel("broadcast.add_same", func(_ broadcastParams, b [][]float64) {
	for i, x := range b[0] {
		b[2][i] = x + b[1][i]
	}
}, compute.Exact)

var broadcastMultiplySame = compute.NewKernel("broadcast.multiply_same", func(_ broadcastParams, b [][]float64) {
	for i, x := range b[0] {
		b[2][i] = x * b[1][i]
	}
}, compute.Exact)

var broadcastBackwardAdd = compute.NewKernel("broadcast.backward_add", func(p broadcastParams, b [][]float64) {
	dy, da := b[0], b[1]
	for i := range da {
		da[i] += dy[i]
	}
}, compute.Exact)

var broadcastBackwardMultiply = compute.NewKernel("broadcast.backward_multiply", func(p broadcastParams, b [][]float64) {
	z, dy, da := b[0], b[1], b[2]
	p.each(func(i, _, bt int) { da[i] += dy[i] * z[bt] })
}, compute.Dot(1))
