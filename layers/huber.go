package layers

import (
	"fmt"
	"math"

	"github.com/pumice-ml/pumice/compute"
)

// Huber is the mean over all elements, with d = y - target, of d^2/2 where |d| is
// at most Delta, and of Delta*(|d| - Delta/2) beyond (Huber 1964).
type Huber struct {
	Delta float64 // default 1
}

// Loss takes y and target of one shape, not empty. It panics on another shape and
// where Delta is negative.
func (l Huber) Loss(t *compute.Tape, y, target *compute.Tensor) *compute.Tensor {
	return huber(t, "Huber", y, target, or(l.Delta, 1), 1)
}

// SmoothL1 is Huber with Delta = Beta, divided by Beta: its slope beyond Beta is
// 1, that of L1 (Girshick 2015).
type SmoothL1 struct {
	Beta float64 // default 1
}

// Loss takes y and target of one shape, not empty. It panics on another shape and
// where Beta is negative.
func (l SmoothL1) Loss(t *compute.Tape, y, target *compute.Tensor) *compute.Tensor {
	return huber(t, "SmoothL1", y, target, or(l.Beta, 1), 1/or(l.Beta, 1))
}

func huber(t *compute.Tape, loss string, y, target *compute.Tensor, delta, scale float64) *compute.Tensor {
	if !(delta > 0) {
		panic(fmt.Sprintf("layers: %s: %v, want a positive number", loss, delta))
	}
	p := huberParams{pairParams(t, loss, y, target).N, pairParams(t, loss, y, target).Chunk, float32(delta), float32(scale)}
	return meanLoss(t, y, p.chunk(), func(part *compute.Tensor) {
		huberForward.Run(p, y, target, part)
	}, func(dloss *compute.Tensor) {
		huberBackward.Run(p, y, target, dloss, t.Grad(y))
	})
}

type huberParams struct {
	N, Chunk     uint32
	Delta, Scale float32
}

func (p huberParams) chunk() int { return int(p.Chunk) }

func (p huberParams) n() int { return int(p.N) }

// The value and the slope of both branches meet at delta, so that a difference
// which rounds to the other side is worth no more than its rounding.
var huberForward = compute.NewKernel("huber.forward", func(p huberParams, b [][]float64) {
	x, wanted, part := b[0], b[1], b[2]
	delta, scale := float64(p.Delta), float64(p.Scale)
	clear(part)
	for i, v := range x {
		if d := math.Abs(v - wanted[i]); d <= delta {
			part[i/p.chunk()] += scale * d * d / 2
		} else {
			part[i/p.chunk()] += scale * delta * (d - delta/2)
		}
	}
}, lossModel(huberParams.chunk, 2, func(p huberParams, r *compute.Reference32, i int) (bound, magnitude float64) {
	// d is rounded, then squared, or a part of it is subtracted; two products.
	d, delta := math.Abs(r.In[0][i]-r.In[1][i]), math.Abs(float64(p.Delta))
	size := math.Abs(float64(p.Scale)) * d * min(d, delta)
	return compute.Gamma(5) * size, size
}))

var huberBackward = compute.NewKernel("huber.backward", func(p huberParams, b [][]float64) {
	x, wanted, dloss, dx := b[0], b[1], b[2], b[3]
	delta, scale := float64(p.Delta), float64(p.Scale)
	for i, v := range x {
		dx[i] += min(max(v-wanted[i], -delta), delta) * scale * dloss[0] / float64(p.N)
	}
}, slopeModel(huberParams.n, 3, func(p huberParams, r *compute.Reference32, i int) (bound, magnitude float64) {
	d := math.Abs(float64(p.Scale)) * min(math.Abs(r.In[0][i]-r.In[1][i]), math.Abs(float64(p.Delta)))
	return compute.Gamma(2)*d + tiny*(1+math.Abs(float64(p.Scale))), d
}))
