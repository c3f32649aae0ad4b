package layers

import (
	"fmt"
	"math"
	"slices"

	"github.com/pumice-ml/pumice/compute"
)

// MSE is the mean of (y - target)^2 over all elements.
type MSE struct{}

// Loss takes y and target of one shape, not empty.
func (MSE) Loss(t *compute.Tape, y, target *compute.Tensor) *compute.Tensor {
	p := pairParams(t, "MSE", y, target)
	return meanLoss(t, y, int(p.Chunk), func(part *compute.Tensor) {
		mseForward.Run(p, y, target, part)
	}, func(dloss *compute.Tensor) {
		mseBackward.Run(p, y, target, dloss, t.Grad(y))
	})
}

// lossParams are those of a loss that is a mean over n pairs of elements, added
// in chunks.
type lossParams struct{ N, Chunk uint32 }

// pairParams checks that y and target have one shape.
func pairParams(t *compute.Tape, loss string, y, target *compute.Tensor) lossParams {
	if !slices.Equal(y.Shape(), target.Shape()) || y.Len() == 0 || target.DType() == compute.U32 {
		panic(fmt.Sprintf("layers: %s: %v and target %v, want one shape of f32, not empty", loss, y, target))
	}
	return lossParams{uint32(y.Len()), uint32(max(sumChunk, ceil(y.Len(), 1<<20)))}
}

// meanLoss records a loss by the sums over its chunks, and its gradient.
func meanLoss(t *compute.Tape, y *compute.Tensor, chunk int, forward, backward func(x *compute.Tensor)) *compute.Tensor {
	parts := ceil(y.Len(), chunk)
	part := t.NewF32(parts)
	forward(part)
	loss := meanRows(t, 1, parts, y.Len(), part)
	t.OnBackward(func() { backward(t.Grad(loss)) })
	return loss
}

// lossModel is the model of the sum over a chunk, where a term of the definition
// has the given bound.
func lossModel[P any](chunk func(p P) int, part int, term func(p P, r *compute.Reference32, i int) (bound, magnitude float64)) compute.Model {
	return compute.Func(func(r *compute.Reference32) [][]float64 {
		out, p := make([][]float64, len(r.In)), r.Params.(P)
		out[part] = make([]float64, len(r.Want[part]))
		n := float64(min(chunk(p), len(r.In[0])))
		for i := range r.In[0] {
			bound, magnitude := term(p, r, i)
			out[part][i/chunk(p)] += bound + compute.Gamma(n)*(magnitude+bound) + tiny
		}
		return out
	})
}

// slopeModel is the model of dx += d * dloss/n, where d of the definition has
// the given bound: a division, perhaps of a rounded n, a product and a sum.
func slopeModel[P any](n func(p P) int, dx int, slope func(p P, r *compute.Reference32, i int) (bound, magnitude float64)) compute.Model {
	return compute.Func(func(r *compute.Reference32) [][]float64 {
		out, p := make([][]float64, len(r.In)), r.Params.(P)
		out[dx] = make([]float64, len(r.Want[dx]))
		scale := math.Abs(r.In[dx-1][0]) / float64(n(p))
		for i, want := range r.Want[dx] {
			bound, magnitude := slope(p, r, i)
			out[dx][i] = scale*(bound+compute.Gamma(division+2)*(magnitude+bound)) + tiny*(2+magnitude) + u*math.Abs(want)
		}
		return out
	})
}

func (p lossParams) chunk() int { return int(p.Chunk) }

func (p lossParams) n() int { return int(p.N) }

var mseForward = compute.NewKernel("mse.forward", func(p lossParams, b [][]float64) {
	x, wanted, part := b[0], b[1], b[2]
	clear(part)
	for i, v := range x {
		part[i/p.chunk()] += (v - wanted[i]) * (v - wanted[i])
	}
}, lossModel(lossParams.chunk, 2, func(_ lossParams, r *compute.Reference32, i int) (bound, magnitude float64) {
	d := r.In[0][i] - r.In[1][i]
	return compute.Gamma(3) * d * d, d * d
}))

var mseBackward = compute.NewKernel("mse.backward", func(p lossParams, b [][]float64) {
	x, wanted, dloss, dx := b[0], b[1], b[2], b[3]
	for i, v := range x {
		dx[i] += 2 * (v - wanted[i]) * dloss[0] / float64(p.N)
	}
}, slopeModel(lossParams.n, 3, func(_ lossParams, r *compute.Reference32, i int) (bound, magnitude float64) {
	d := 2 * math.Abs(r.In[0][i]-r.In[1][i])
	return u*d + tiny, d
}))
