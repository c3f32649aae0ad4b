package layers

import (
	"fmt"
	"math"

	"github.com/pumice-ml/pumice/compute"
)

// BCEWithLogits is the mean binary cross-entropy of targets in [0, 1] under the
// sigmoid of the logits, as PyTorch's BCEWithLogitsLoss:
// -(PosWeight*target*log(s) + (1-target)*log(1-s)), computed without s.
type BCEWithLogits struct {
	PosWeight []float32 // weight of positive targets, one for each of the last dimension; nil is 1 for all
}

// Loss takes logits and f32 targets of one shape, not empty. It panics on other
// shapes, also of PosWeight.
func (l BCEWithLogits) Loss(t *compute.Tape, y, target *compute.Tensor) *compute.Tensor {
	pair := pairParams(t, "BCEWithLogits", y, target)
	weight := []float32{1}
	if l.PosWeight != nil {
		if len(y.Shape()) == 0 || len(l.PosWeight) != y.Dim(-1) {
			panic(fmt.Sprintf("layers: BCEWithLogits: %d positive weights for %v, want one for each of the last dimension", len(l.PosWeight), y))
		}
		weight = l.PosWeight
	}
	p, w := bceParams{pair.N, pair.Chunk, uint32(len(weight))}, t.Constant("positive weights", weight, len(weight))
	return meanLoss(t, y, p.chunk(), func(part *compute.Tensor) {
		bceForward.Run(p, y, target, w, part)
	}, func(dloss *compute.Tensor) {
		bceBackward.Run(p, y, target, w, dloss, t.Grad(y))
	})
}

type bceParams struct{ N, Chunk, Weights uint32 }

func (p bceParams) chunk() int { return int(p.Chunk) }

func (p bceParams) n() int { return int(p.N) }

// share is what log(1+exp(-x)) counts for, and the magnitude of its terms.
func (p bceParams) share(wanted, weight []float64, i int) (share, size float64) {
	w := weight[i%int(p.Weights)]
	return 1 + (w-1)*wanted[i], 1 + math.Abs((w-1)*wanted[i])
}

var bceForward = compute.NewKernel("bce_with_logits.forward", func(p bceParams, b [][]float64) {
	x, wanted, weight, part := b[0], b[1], b[2], b[3]
	clear(part)
	for i, v := range x {
		share, _ := p.share(wanted, weight, i)
		part[i/p.chunk()] += (1-wanted[i])*v + share*(max(-v, 0)+math.Log1p(math.Exp(-math.Abs(v))))
	}
}, lossModel(bceParams.chunk, 3, func(p bceParams, r *compute.Reference32, i int) (bound, magnitude float64) {
	// The curve is within 2 + 1 + division + 4 roundings (see Softplus), and one of
	// the sum; the share has three, its product one, the other product two, and
	// one joins them.
	v := r.In[0][i]
	_, share := p.share(r.In[1], r.In[2], i)
	curve := math.Log1p(math.Exp(-math.Abs(v)))
	first, second := math.Abs((1-r.In[1][i])*v), share*(max(-v, 0)+curve)
	return compute.Gamma(2)*first + share*curve*compute.Gamma(2+1+division+4) + compute.Gamma(6)*second + u*first + tiny*(2+share), first + second
}))

var bceBackward = compute.NewKernel("bce_with_logits.backward", func(p bceParams, b [][]float64) {
	x, wanted, weight, dloss, dx := b[0], b[1], b[2], b[3], b[4]
	for i, v := range x {
		share, _ := p.share(wanted, weight, i)
		dx[i] += (1 - wanted[i] - share*logistic(-v)) * dloss[0] / float64(p.N)
	}
}, slopeModel(bceParams.n, 4, func(p bceParams, r *compute.Reference32, i int) (bound, magnitude float64) {
	_, share := p.share(r.In[1], r.In[2], i)
	first, second := math.Abs(1-r.In[1][i]), share*logistic(-r.In[0][i])
	return compute.Gamma(2)*first + compute.Gamma(3+logisticRoundings+2)*second + tiny*(2+share), first + second
}))
