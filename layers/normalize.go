package layers

import (
	"math"

	"github.com/pumice-ml/pumice/compute"
)

// normalizeParams see a tensor as (batch, groups, size), whose groups have a mean
// and a variance each, and as (outer, affine, inner), with a weight and a bias
// for each of affine.
type normalizeParams struct {
	Batch, Groups, Size, Affine, Inner, Chunk, Training uint32
	Eps, Momentum                                       float32
}

func (p normalizeParams) terms() int { return int(p.Batch * p.Size) }

func (p normalizeParams) chunks() int { return ceil(p.terms(), int(p.Chunk)) }

// longest is how many terms one invocation adds for a group.
func (p normalizeParams) longest() float64 { return float64(min(int(p.Chunk), p.terms())) }

func (p normalizeParams) affineTerms() int { return int(p.Batch * p.Groups * p.Size / p.Affine) }

func (p normalizeParams) affineChunks() int { return ceil(p.affineTerms(), int(p.Chunk)) }

func (p normalizeParams) group(i int) int { return i / int(p.Size) % int(p.Groups) }

func (p normalizeParams) weight(i int) int { return i / int(p.Inner) % int(p.Affine) }

// standard is the standardised element i.
func (p normalizeParams) standard(x, mean, variance []float64, i int) float64 {
	g := p.group(i)
	return (x[i] - mean[g]) / math.Sqrt(variance[g]+float64(p.Eps))
}

// part is which chunk of its group element i belongs to.
func (p normalizeParams) part(i int) int {
	k := i/int(p.Groups*p.Size)*int(p.Size) + i%int(p.Size)
	return p.group(i)*p.chunks() + k/int(p.Chunk)
}

// affinePart is which chunk of its weight element i belongs to.
func (p normalizeParams) affinePart(i int) int {
	k := i/int(p.Affine*p.Inner)*int(p.Inner) + i%int(p.Inner)
	return p.weight(i)*p.affineChunks() + k/int(p.Chunk)
}

func ceil(n, by int) int { return (n + by - 1) / by }

// statistics records the mean and the biased variance of each group, in two
// passes with the correction of Chan, Golub and LeVeque (1983): the first mean is
// rounded, and off by more than the deviations where x is large beside them, so
// the mean of what is left is added to it and its square taken from the variance.
func (p normalizeParams) statistics(t *compute.Tape, x *compute.Tensor) (mean, variance *compute.Tensor) {
	groups, chunks := int(p.Groups), p.chunks()
	sums, moments := t.NewF32(groups, chunks), t.NewF32(2, groups, chunks)
	sumPartial.Run(sumParams{
		1, 1, p.Groups, 0, 0, p.Size, 1, p.Batch, p.Size, 0, p.Groups * p.Size, 1, p.Chunk,
	}, x, sums)
	rounded := meanRows(t, groups, chunks, p.terms(), sums)
	normalizeDeviations.Run(p, x, rounded, moments)
	offsets := meanRows(t, 2*groups, chunks, p.terms(), moments)
	mean, variance = t.NewF32(groups), t.NewF32(groups)
	normalizeSettle.Run(p, rounded, offsets, mean, variance)
	return mean, variance
}

// forward records y and all gradients.
func (p normalizeParams) forward(t *compute.Tape, x, mean, variance, weight, bias *compute.Tensor) *compute.Tensor {
	y := t.New(x.Shape()...)
	normalizeForward.Run(p, x, mean, variance, weight, bias, y)
	t.OnBackward(func() {
		dy := t.Grad(y)
		outer := uint32(p.affineTerms()) / p.Inner
		sumInto(t, sumParams{1, 1, p.Affine, 0, 0, p.Inner, 1, outer, p.Inner, 0, p.Affine * p.Inner, 1, sumChunk}, dy, t.Grad(bias))
		parts := t.NewF32(int(p.Affine), p.affineChunks())
		normalizeBackwardWeight.Run(p, x, mean, variance, dy, parts)
		sumInto(t, sumRows(int(p.Affine), p.affineChunks()), parts, t.Grad(weight))
		slopes := mean // not read
		if p.Training != 0 {
			products := t.NewF32(2, int(p.Groups), p.chunks())
			normalizeGather.Run(p, x, mean, variance, weight, dy, products)
			slopes = meanRows(t, 2*int(p.Groups), p.chunks(), p.terms(), products)
		}
		normalizeBackward.Run(p, x, mean, variance, weight, dy, slopes, t.Grad(x))
	})
	return y
}

// root is the roundings of 1/sqrt(v+eps): half of the sum's and 2 ULP.
const root = 1 + 4

var normalizeDeviations = compute.NewKernel("normalize.deviations", func(p normalizeParams, b [][]float64) {
	x, mean, moments := b[0], b[1], b[2]
	clear(moments)
	second := moments[len(moments)/2:]
	for i, v := range x {
		d := v - mean[p.group(i)]
		moments[p.part(i)] += d
		second[p.part(i)] += d * d
	}
}, compute.Func(func(r *compute.Reference32) [][]float64 {
	// The difference counts once in the first sum; twice, with the square, in the
	// second.
	p := r.Params.(normalizeParams)
	moments := make([]float64, len(r.Want[2]))
	half := len(moments) / 2
	for i, v := range r.In[0] {
		d := math.Abs(v - r.In[1][p.group(i)])
		moments[p.part(i)] += compute.Gamma(p.longest()+1)*d + tiny
		moments[half+p.part(i)] += compute.Gamma(p.longest()+3)*d*d + tiny
	}
	return [][]float64{nil, nil, moments}
}))

var normalizeSettle = compute.NewKernel("normalize.settle", func(p normalizeParams, b [][]float64) {
	mean, offsets, finalMean, finalVariance := b[0], b[1], b[2], b[3]
	for g := range finalMean {
		d := offsets[g]
		finalMean[g] = mean[g] + d
		finalVariance[g] = max(offsets[int(p.Groups)+g]-d*d, 0)
	}
}, compute.Func(func(r *compute.Reference32) [][]float64 {
	p := r.Params.(normalizeParams)
	mean, variance := make([]float64, p.Groups), make([]float64, p.Groups)
	for g := range mean {
		d := r.In[1][g]
		mean[g] = u*math.Abs(r.Want[2][g]) + 2*tiny
		variance[g] = compute.Gamma(2)*d*d + u*math.Abs(r.In[1][int(p.Groups)+g]-d*d) + 2*tiny
	}
	return [][]float64{nil, nil, mean, variance}
}))

var normalizeForward = compute.NewKernel("normalize.forward", func(p normalizeParams, b [][]float64) {
	x, mean, variance, weight, bias, y := b[0], b[1], b[2], b[3], b[4], b[5]
	for i := range y {
		y[i] = p.standard(x, mean, variance, i)*weight[p.weight(i)] + bias[p.weight(i)]
	}
}, compute.Func(func(r *compute.Reference32) [][]float64 {
	// A difference, a root and two products, and the sum.
	p := r.Params.(normalizeParams)
	y := make([]float64, len(r.Want[5]))
	for i, want := range r.Want[5] {
		scaled := math.Abs(p.standard(r.In[0], r.In[1], r.In[2], i) * r.In[3][p.weight(i)])
		y[i] = compute.Gamma(1+root+2)*scaled*(1+u) + u*math.Abs(want) + p.flushed(r.In[2][p.group(i)])*(1+math.Abs(r.In[3][p.weight(i)]))
	}
	return [][]float64{nil, nil, nil, nil, nil, y}
}))

// flushed is what a subnormal difference, flushed to 0, is worth once divided by
// the deviation.
func (p normalizeParams) flushed(variance float64) float64 {
	return tiny * (2 + 1/math.Sqrt(variance+float64(p.Eps)))
}

var normalizeTrack = compute.NewKernel("normalize.track", func(p normalizeParams, b [][]float64) {
	mean, variance, runningMean, runningVariance := b[0], b[1], b[2], b[3]
	terms, momentum := float64(p.terms()), float64(p.Momentum)
	for g := range mean {
		runningMean[g] += momentum * (mean[g] - runningMean[g])
		runningVariance[g] += momentum * (variance[g]*(terms/(terms-1)) - runningVariance[g])
	}
}, compute.Func(func(r *compute.Reference32) [][]float64 {
	// The difference is of terms with up to a division, a product and the
	// rounding of terms; then a difference, a product and a sum.
	p := r.Params.(normalizeParams)
	momentum, bessel := math.Abs(float64(p.Momentum)), float64(p.terms())/float64(p.terms()-1)
	mean, variance := make([]float64, p.Groups), make([]float64, p.Groups)
	for g := range mean {
		mean[g] = compute.Gamma(2)*momentum*(math.Abs(r.In[0][g])+math.Abs(r.In[2][g])) + u*math.Abs(r.Want[2][g]) + 2*tiny
		variance[g] = momentum*(compute.Gamma(division+6)*r.In[1][g]*bessel+compute.Gamma(2)*math.Abs(r.In[3][g])) + u*math.Abs(r.Want[3][g]) + 2*tiny
	}
	return [][]float64{nil, nil, mean, variance}
}))

var normalizeGather = compute.NewKernel("normalize.gather", func(p normalizeParams, b [][]float64) {
	x, mean, variance, weight, dy, products := b[0], b[1], b[2], b[3], b[4], b[5]
	clear(products)
	second := products[len(products)/2:]
	for i := range x {
		d := dy[i] * weight[p.weight(i)]
		products[p.part(i)] += d
		second[p.part(i)] += d * p.standard(x, mean, variance, i)
	}
}, compute.Func(func(r *compute.Reference32) [][]float64 {
	p := r.Params.(normalizeParams)
	products := make([]float64, len(r.Want[5]))
	half := len(products) / 2
	terms := compute.Gamma(p.longest() + 3 + root + 1)
	for i := range r.In[0] {
		d := math.Abs(r.In[4][i]*r.In[3][p.weight(i)]) + tiny
		products[p.part(i)] += terms*d + tiny
		products[half+p.part(i)] += terms*d*math.Abs(p.standard(r.In[0], r.In[1], r.In[2], i)) + d*p.flushed(r.In[2][p.group(i)]) + tiny
	}
	return [][]float64{nil, nil, nil, nil, nil, products}
}))

var normalizeBackwardWeight = compute.NewKernel("normalize.backward_weight", func(p normalizeParams, b [][]float64) {
	x, mean, variance, dy, parts := b[0], b[1], b[2], b[3], b[4]
	clear(parts)
	for i := range x {
		parts[p.affinePart(i)] += dy[i] * p.standard(x, mean, variance, i)
	}
}, compute.Func(func(r *compute.Reference32) [][]float64 {
	p := r.Params.(normalizeParams)
	parts := make([]float64, len(r.Want[4]))
	terms := compute.Gamma(float64(min(int(p.Chunk), p.affineTerms())) + 2 + root + 1)
	for i := range r.In[0] {
		d := math.Abs(r.In[3][i])
		parts[p.affinePart(i)] += terms*d*math.Abs(p.standard(r.In[0], r.In[1], r.In[2], i)) + d*p.flushed(r.In[2][p.group(i)]) + tiny
	}
	return [][]float64{nil, nil, nil, nil, parts}
}))

var normalizeBackward = compute.NewKernel("normalize.backward", func(p normalizeParams, b [][]float64) {
	x, mean, variance, weight, dy, slopes, dx := b[0], b[1], b[2], b[3], b[4], b[5], b[6]
	for i := range x {
		g := p.group(i)
		d := dy[i] * weight[p.weight(i)]
		if p.Training != 0 {
			d -= slopes[g] + p.standard(x, mean, variance, i)*slopes[int(p.Groups)+g]
		}
		dx[i] += d / math.Sqrt(variance[g]+float64(p.Eps))
	}
}, compute.Func(func(r *compute.Reference32) [][]float64 {
	// The longest way is that of x: a difference, a root, two products, two sums,
	// and the second root.
	p := r.Params.(normalizeParams)
	dx := make([]float64, len(r.Want[6]))
	for i, want := range r.Want[6] {
		g := p.group(i)
		d, lost := math.Abs(r.In[4][i]*r.In[3][p.weight(i)]), 4*tiny
		if p.Training != 0 {
			slope := math.Abs(r.In[5][int(p.Groups)+g])
			d += math.Abs(r.In[5][g]) + math.Abs(p.standard(r.In[0], r.In[1], r.In[2], i))*slope
			lost += slope * p.flushed(r.In[2][g])
		}
		scale := 1 / math.Sqrt(r.In[2][g]+float64(p.Eps))
		dx[i] = scale*(compute.Gamma(1+root+2+2+root+1)*d+lost)*(1+2*u) + u*math.Abs(want) + 2*tiny
	}
	return [][]float64{nil, nil, nil, nil, nil, nil, dx}
}))
