package compute

import "github.com/pumice-ml/pumice/internal/ir"

// Model says how far a device's result may lie from the definition's: for each
// element of each tensor a kernel writes, the largest legal |got - want|, where
// want is the float64 result. Rounding want itself to float32 is part of it, and so
// is flushing of intermediate results; that of subnormal inputs is not: a device may
// take them for zero (WGSL, section 15.7.2), and whoever judges adds how far the
// definition of those zeros is off. It is an interface of one method:
//
//	Bound(r *Reference32) [][]float64 // by binding, nil where the kernel does not write
type Model = ir.Model

// Reference32 is one run of a kernel by its definition, on inputs that are
// float32 numbers, for a Model to judge:
//
//	Params   any         // of the run
//	In, Want [][]float64 // the elements of every tensor before the run, and after it, by binding
//	Written  []bool      // the tensors that the kernel writes
//
// Its method Magnitudes runs the definition on the absolute values of the tensors.
type Reference32 = ir.Reference32

// Exact is the model of kernels whose result is the definition's, rounded once
// to float32: copies, comparisons, integer arithmetic, one addition.
var Exact = ir.Exact

// ULP is the model of an element-wise kernel that is off by at most n units in
// the last place of the result.
func ULP(n float64) Model { return ir.ULP(n) }

// Func is a model given as a function.
func Func(bound func(r *Reference32) [][]float64) Model { return ir.Func(bound) }

// Dot is the model of sums of at most terms products in any order, added or not
// to what was there: each result is within Gamma(terms+1) of the sum of the
// magnitudes (Higham, section 3.1), which is the definition run on absolute
// values, and each term may be flushed.
func Dot(terms int) Model { return ir.Dot(terms) }

// DotOf is Dot where the number of terms depends on the params.
func DotOf[P any](terms func(p P) int) Model { return ir.DotOf(terms) }

// Reduce is the model of sums of at most terms numbers in any order, added or not to
// what was there: terms additions, the first of which may be to 0, so that each
// result is within Gamma(terms) of the sum of the magnitudes (Higham, section 4.2),
// and each partial sum may be flushed.
func Reduce(terms int) Model { return ir.Reduce(terms) }

// ReduceOf is Reduce where the number of terms depends on the params.
func ReduceOf[P any](terms func(p P) int) Model { return ir.ReduceOf(terms) }

// Ulp is the distance of neighbouring float32 numbers at x: 2^(e-23) for
// 2^e <= |x| < 2^(e+1), and 2^-149 for subnormal numbers.
func Ulp(x float64) float64 { return ir.Ulp(x) }

// Gamma is n*u/(1-n*u), where u is 2^-24: the bound on the relative error of n roundings
// (Higham, Accuracy and Stability of Numerical Algorithms, lemma 3.1).
func Gamma(n float64) float64 { return ir.Gamma(n) }

// RandomBits returns four random 32-bit numbers for the counters: pcg4d of
// Jarzynski and Olano, "Hash Functions for GPU Rendering" (JCGT 9(3), 2020).
// Shaders hold the same function in WGSL, so that random numbers are the same
// on every device.
func RandomBits(seed, stream, step, element uint32) [4]uint32 {
	return ir.RandomBits(seed, stream, step, element)
}

// Uniform maps 32 random bits to [0, 1), a multiple of 2^-24.
func Uniform(bits uint32) float32 { return ir.Uniform(bits) }
