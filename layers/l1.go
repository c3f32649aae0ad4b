package layers

import (
	"cmp"
	"math"

	"github.com/pumice-ml/pumice/compute"
)

// L1 is the mean of |y - target| over all elements; its gradient where they are
// equal is 0.
type L1 struct{}

// Loss takes y and target of one shape, not empty.
func (L1) Loss(t *compute.Tape, y, target *compute.Tensor) *compute.Tensor {
	p := pairParams(t, "L1", y, target)
	return meanLoss(t, y, int(p.Chunk), func(part *compute.Tensor) {
		l1Forward.Run(p, y, target, part)
	}, func(dloss *compute.Tensor) {
		l1Backward.Run(p, y, target, dloss, t.Grad(y))
	})
}

var l1Forward = compute.NewKernel("l1.forward", func(p lossParams, b [][]float64) {
	x, wanted, part := b[0], b[1], b[2]
	clear(part)
	for i, v := range x {
		part[i/p.chunk()] += math.Abs(v - wanted[i])
	}
}, lossModel(lossParams.chunk, 2, func(_ lossParams, r *compute.Reference32, i int) (bound, magnitude float64) {
	d := math.Abs(r.In[0][i] - r.In[1][i])
	return u*d + tiny, d
}))

var l1Backward = compute.NewKernel("l1.backward", func(p lossParams, b [][]float64) {
	x, wanted, dloss, dx := b[0], b[1], b[2], b[3]
	for i, v := range x {
		dx[i] += float64(cmp.Compare(v, wanted[i])) * dloss[0] / float64(p.N)
	}
}, slopeModel(lossParams.n, 3, func(_ lossParams, r *compute.Reference32, i int) (bound, magnitude float64) {
	if math.Abs(r.In[0][i]) < tiny && math.Abs(r.In[1][i]) < tiny {
		return 1, 1 // both may count as 0
	}
	return 0, 1
}))
