package layers

import (
	"context"
	"fmt"
	"math"

	"github.com/pumice-ml/pumice/compute"
)

// How far Winograd's convolution may be off. With |M| for a matrix of the magnitudes of
// M's elements and gamma as in package compute, each stage computes a sum of terms
// that are rounded a known number of times (Higham, Accuracy and Stability of Numerical
// Algorithms, lemmas 3.1 and 3.3):
//
//	U = G w G^T           is off by at most gamma(g) |G||w||G^T|     = gamma(g) U'
//	V = B^T d B           is off by at most gamma(b) |B^T||d||B|     = gamma(b) V'
//	Z = sum over c of U V is then off by at most gamma(g+b+C+1) sum over c of U' V' = gamma(g+b+C+1) Z'
//	y = A^T Z A + b + y   by at most gamma(g+b+C+1+a+2) (|A^T| Z' |A| + |b| + |y|)
//
// where a ReLU changes nothing, being no steeper than 1. What is flushed to zero adds
// what it becomes on its way through the later stages.
//
// The difference to a direct convolution is |A^T| Z' |A| in the place of the sum of |w||x|
// over taps and channels: also pixels count that no tap of the output meets, and factors
// that cancel. Where all weights and all pixels of a channel are of one magnitude it is
// growth times that sum.

// magnitudes is w with the magnitudes of its matrices' elements.
func (w *winograd) magnitudes() *winograd {
	absolute := func(m [][]float64) (out [][]float64) {
		for _, row := range m {
			to := make([]float64, len(row))
			for i, v := range row {
				to[i] = math.Abs(v)
			}
			out = append(out, to)
		}
		return out
	}
	return &winograd{outputs: w.outputs, g: absolute(w.g), b: absolute(w.b), a: absolute(w.a)}
}

// bounded is the model of a stage: so many roundings of the sum of magnitudes that the
// definition has with magnitudes of the matrices, and what is flushed.
func bounded(magnitudes func(winogradParams, [][]float64), roundings int, flushed float64) compute.Model {
	return compute.Func(func(r *compute.Reference32) [][]float64 {
		bounds := make([][]float64, len(r.In))
		for i, in := range r.In {
			bounds[i] = make([]float64, len(in))
			for j, v := range in {
				bounds[i][j] = math.Abs(v)
			}
		}
		magnitudes(r.Params.(winogradParams), bounds)
		for i, m := range bounds {
			for j := range m {
				if r.Written[i] {
					m[j] = compute.Gamma(float64(roundings))*m[j] + flushed
				}
			}
		}
		return bounds
	})
}

// roundings of a term on its way through the whole, of c channels.
func (w *winograd) roundings(c int) float64 {
	return float64(w.roundingsG + w.roundingsB + c + 1 + w.roundingsA + 2)
}

// growth is |A^T||G|1 * |B^T|1 at its largest, for two dimensions, over the 9 taps of a
// direct convolution: for operands of one magnitude.
func (w *winograd) growth() float64 {
	of := w.magnitudes()
	sums := func(m [][]float64) (out []float64) {
		for _, row := range m {
			sum := 0.0
			for _, v := range row {
				sum += v
			}
			out = append(out, sum)
		}
		return out
	}
	g, b, most := sums(of.g), sums(of.b), 0.0
	for _, row := range of.a {
		sum := 0.0
		for i, v := range row {
			sum += v * g[i] * b[i]
		}
		most = max(most, sum)
	}
	return most * most / 9
}

// relative is the bound, over that of a direct convolution of c channels and a bias, for
// operands of one magnitude.
func (w *winograd) relative(c int) float64 {
	return w.growth() * compute.Gamma(w.roundings(c)) / compute.Gamma(float64(9*c+2))
}

// bounds are how far y may be off after y += bias + the convolution of x.
func (w *winograd) bounds(p winogradParams, x, weight, bias, y []float64) []float64 {
	of, side, tiles := w.magnitudes(), w.outputs+2, w.tiles(p.N, p.OH, p.OW)
	c, k := int(p.C), int(p.K)
	absolute := func(v []float64) []float64 {
		out := make([]float64, len(v))
		for i := range v {
			out[i] = math.Abs(v[i])
		}
		return out
	}
	u, v := make([]float64, side*side*k*c), make([]float64, side*side*c*tiles)
	of.defineFilters(p, [][]float64{absolute(weight), u})
	of.defineInputs(p, [][]float64{absolute(x), v})
	// flush is what is lost where a number of u, or of v, or a product or sum is flushed.
	z, flush := make([]float64, side*side*k*tiles), make([]float64, side*side*k*tiles)
	fu, fv := w.flushed(w.g), w.flushed(w.b)
	for e := range side * side {
		for i := range k {
			for j := range tiles {
				at := (e*k+i)*tiles + j
				flush[at] = float64(2*c+2) * smallest
				for l := range c {
					a, b := u[(e*k+i)*c+l], v[(e*c+l)*tiles+j]
					z[at] += a * b
					flush[at] += fu*b + a*fv + fu*fv
				}
			}
		}
	}
	magnitude, lost := absolute(y), make([]float64, len(y))
	of.defineOutputs(p, [][]float64{z, absolute(bias), magnitude})
	p.Biased = 0
	of.defineOutputs(p, [][]float64{flush, nil, lost})
	gamma := compute.Gamma(w.roundings(c))
	for i, m := range magnitude {
		magnitude[i] = gamma*m + (1+gamma)*(lost[i]+w.flushed(w.a))
	}
	return magnitude
}

// prove compares a small convolution, or an input gradient, with its definition on a
// device, within bounds. It calls the kernels itself: nothing that it records has w for
// a variant.
func (w *winograd) prove(dev *compute.Device, backward bool) error {
	p := convShape([]int{2, 19, 9, 10}, []int{17, 19, 3, 3}, 1, 1, 1, 1)
	c := p
	if backward {
		c = p.turned()
	}
	values := func(stream uint32, n uint32) (v []float32, wide []float64) {
		for i := range n {
			v = append(v, 2*compute.Uniform(compute.RandomBits(2, stream, 0, i)[0])-1)
			wide = append(wide, float64(v[i]))
		}
		return v, wide
	}
	x, x64 := values(0, c.N*c.C*c.H*c.W)
	weight, weight64 := values(1, c.K*c.C*9)
	want := make([]float64, c.N*c.K*c.OH*c.OW)
	t := compute.NewTape(dev)
	in, taps, y := t.Input("x", compute.F32, len(x)), t.Input("weight", compute.F32, len(weight)), t.Zeros(len(want))
	q := winogradParams{N: c.N, C: c.C, H: c.H, W: c.W, K: c.K, OH: c.OH, OW: c.OW, PadH: c.PadH, PadW: c.PadW}
	if !w.record(t, c, backward, in, taps, taps, y) {
		return fmt.Errorf("the device has no room for a test")
	}
	if backward {
		q.Turned = 1
	}
	t.Keep(y)
	bounds := w.bounds(q, x64, weight64, nil, want)
	if backward {
		convBackwardXDefine(p, [][]float64{weight64, x64, want})
	} else {
		convForwardDefine(p, [][]float64{x64, weight64, nil, want})
	}
	program, err := t.Compile()
	if err != nil {
		return err
	}
	defer program.Close()
	got, ctx := make([]float32, len(want)), context.Background()
	if err := program.Write(in, x); err != nil {
		return err
	}
	if err := program.Write(taps, weight); err != nil {
		return err
	}
	if err := program.Run(ctx); err != nil {
		return err
	}
	if err := program.Read(ctx, y, got); err != nil {
		return err
	}
	for i, v := range got {
		if off := math.Abs(float64(v) - want[i]); !(off <= bounds[i]) {
			return fmt.Errorf("y[%d]: got %v, want %v, off by %.3g, at most %.3g", i, v, want[i], off, bounds[i])
		}
	}
	return nil
}
