package ir

import (
	"math"
	"slices"
)

// u is the unit roundoff of float32.
const u = 0x1p-24

// tiny is the smallest normal float32: WGSL lets a device flush what is below
// it to zero (WGSL, section 15.7.2), wherever it appears.
const tiny = 0x1p-126

// Model says how far a device's result may lie from the definition's: for each
// element of each tensor a kernel writes, the largest legal |got - want|, where
// want is the float64 result. Rounding want itself to float32 is part of it, and so
// is flushing of intermediate results; that of subnormal inputs is not: a device may
// take them for zero (WGSL, section 15.7.2), and whoever judges adds how far the
// definition of those zeros is off.
type Model interface {
	Bound(r *Reference32) [][]float64
}

// Reference32 is one run of a kernel by its definition, on inputs that are
// float32 numbers, for a Model to judge.
type Reference32 struct {
	Kernel *Kernel
	Params any
	// In holds the elements of every tensor before the run and Want after it, by
	// binding. Written marks the tensors the kernel writes.
	In, Want [][]float64
	Written  []bool

	smallest []float64           // normal number of what each tensor is stored as
	run      func(b [][]float64) // the definition at the params, or what stands for it; nil is the definition
}

// Ulp is the distance of neighbouring float32 numbers at x: 2^(e-23) for
// 2^e <= |x| < 2^(e+1), and 2^-149 for subnormal numbers.
func Ulp(x float64) float64 {
	x = math.Abs(x)
	if x < tiny {
		return 0x1p-149
	}
	_, e := math.Frexp(x)
	return math.Ldexp(1, e-24)
}

// Gamma is n*u/(1-n*u), the bound on the relative error of n roundings (Higham,
// Accuracy and Stability of Numerical Algorithms, lemma 3.1).
func Gamma(n float64) float64 { return n * u / (1 - n*u) }

// Exact is the model of kernels whose result is the definition's, rounded once
// to float32: copies, comparisons, integer arithmetic, one addition.
var Exact Model = exact{}

type exact struct{}

func (exact) Bound(r *Reference32) [][]float64 {
	return each(r, func(want float64) float64 {
		if math.Abs(want) < tiny {
			return math.Abs(want) // flushed
		}
		return math.Abs(float64(float32(want)) - want)
	})
}

// ULP is the model of an element-wise kernel that is off by at most n units in
// the last place of the result.
func ULP(n float64) Model {
	return Func(func(r *Reference32) [][]float64 {
		return each(r, func(want float64) float64 { return n*Ulp(want) + tiny })
	})
}

// Func is a model given as a function.
func Func(bound func(r *Reference32) [][]float64) Model { return function(bound) }

type function func(r *Reference32) [][]float64

func (f function) Bound(r *Reference32) [][]float64 { return f(r) }

// Dot is the model of sums of at most terms products in any order, added or not
// to what was there: each result is within gamma(terms+1) of the sum of the
// magnitudes (Higham, section 3.1), which is the definition run on absolute
// values, and each term may be flushed.
func Dot(terms int) Model {
	return DotFunc(func(any) int { return terms })
}

// DotFunc is Dot where the number of terms depends on the params.
func DotFunc(terms func(params any) int) Model { return dot(terms) }

type dot func(params any) int

func (terms dot) Bound(r *Reference32) [][]float64 {
	k := float64(terms(r.Params))
	magnitudes := r.Magnitudes()
	for i := range magnitudes {
		if r.Written[i] {
			for j, m := range magnitudes[i] {
				magnitudes[i][j] = Gamma(k+1)*m + (k+1)*tiny
			}
		}
	}
	return magnitudes
}

// Reduce is the model of sums of at most terms numbers in any order, added or not to
// what was there: terms additions, the first of which may be to 0, so that each
// result is within gamma(terms) of the sum of the magnitudes (Higham, section 4.2),
// and each partial sum may be flushed.
func Reduce(terms int) Model { return ReduceOf(func(any) int { return terms }) }

// ReduceOf is Reduce where the number of terms depends on the params.
func ReduceOf[P any](terms func(p P) int) Model {
	return Func(func(r *Reference32) [][]float64 {
		n := float64(terms(r.Params.(P)))
		bounds := r.Magnitudes()
		for i, b := range bounds {
			for j, m := range b {
				if r.Written[i] {
					b[j] = Gamma(n)*m + (n+1)*tiny
				}
			}
		}
		return bounds
	})
}

// DotOf is DotFunc for the kernel's own params type.
func DotOf[P any](terms func(p P) int) Model {
	return DotFunc(func(params any) int { return terms(params.(P)) })
}

// Magnitudes runs the definition on the absolute values of the tensors.
func (r *Reference32) Magnitudes() [][]float64 {
	return r.mapped(func(_ int, v float64) float64 { return math.Abs(v) })
}

// flush adds to bounds what it makes to the definition if the subnormal numbers
// among the inputs are zeros.
func (r *Reference32) flush(bounds [][]float64) {
	subnormal := func(i int, v float64) bool { return v != 0 && math.Abs(v) < r.smallest[i] }
	found := false
	for i, x := range r.In {
		found = found || slices.ContainsFunc(x, func(v float64) bool { return subnormal(i, v) })
	}
	if !found {
		return
	}
	flushed := r.mapped(func(i int, v float64) float64 {
		if subnormal(i, v) {
			return 0
		}
		return v
	})
	for i, b := range bounds {
		for j := range b {
			if d := math.Abs(r.Want[i][j] - flushed[i][j]); !math.IsNaN(d) {
				b[j] += d
			}
		}
	}
}

// unspecified makes everything legal where the definition depends on inputs that are
// NaN or infinite: where its result is not finite, or changes with what stands there.
// Of sums of products NaN is legal everywhere: a product of 0, of the padding for
// one, with NaN is NaN, whether or not the definition leaves it out.
func (r *Reference32) unspecified(got, bounds [][]float64) {
	finite := func(v float64) bool { return math.Abs(v) <= math.MaxFloat32 }
	if !slices.ContainsFunc(r.In, func(x []float64) bool { return slices.ContainsFunc(x, func(v float64) bool { return !finite(v) }) }) {
		return
	}
	_, products := r.Kernel.model.(dot)
	for _, other := range []float64{1e30, -1e30, 0.5} {
		changed := r.mapped(func(_ int, v float64) float64 {
			if finite(v) {
				return v
			}
			return other
		})
		for i, b := range bounds {
			for j := range b {
				if want := r.Want[i][j]; !finite(want) || want != changed[i][j] || products && math.IsNaN(got[i][j]) {
					b[j] = math.Inf(1)
				}
			}
		}
	}
}

// mapped runs the definition on a function of the tensors' elements, and their number.
func (r *Reference32) mapped(f func(i int, v float64) float64) [][]float64 {
	b := make([][]float64, len(r.In))
	for i, in := range r.In {
		b[i] = make([]float64, len(in))
		for j, v := range in {
			b[i][j] = f(i, v)
		}
	}
	if r.run == nil {
		r.Kernel.define(r.Params, b)
	} else {
		r.run(b)
	}
	return b
}

// each maps want to a bound, element by element of the written tensors.
func each(r *Reference32, bound func(want float64) float64) [][]float64 {
	out := make([][]float64, len(r.Want))
	for i, want := range r.Want {
		if !r.Written[i] {
			continue
		}
		out[i] = make([]float64, len(want))
		for j, v := range want {
			out[i][j] = bound(v)
		}
	}
	return out
}
