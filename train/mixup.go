package train

import (
	"math"

	"gonum.org/v1/gonum/mathext"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers"
)

// leastAlpha and mostAlpha are between which mixup's alpha may be.
const leastAlpha, mostAlpha = 0.01, 100

// quantiles is the number of entries of mixup's table.
const quantiles = 1024

// mixup is what Augment.Mixup is recorded with. The share l of the first image is an
// entry of a table of quantiles, the same for the whole batch: beta numbers need
// rejection or inverse functions, which have no place in a shader.
type mixup struct {
	p            mixupParams
	clock, table *compute.Tensor
}

func newMixup(t *compute.Tape, batch int, alpha float64) *mixup {
	clock, stream := t.Random()
	return &mixup{mixupParams{Batch: uint32(batch), Stream: stream, Count: quantiles}, clock, t.Constant("shares", shares(alpha), quantiles)}
}

// shares are quantiles of the larger part of a number of Beta(alpha, alpha) and the rest
// of 1, at the middle of equal steps: those of the number itself that are above the
// median.
func shares(alpha float64) []float32 {
	table := make([]float32, quantiles)
	for i := range table {
		q := 0.5 + (float64(i)+0.5)/(2*quantiles)
		table[i] = float32(min(max(mathext.InvRegIncBeta(alpha, alpha, q), 0.5), 1))
	}
	return table
}

// images mixes each row of x with the next.
func (m *mixup) images(t *compute.Tape, x *compute.Tensor) *compute.Tensor {
	p := m.p
	p.Size = uint32(x.Len()) / p.Batch
	y := t.New(x.Shape()...)
	if x.DType() == compute.F32 {
		y = t.NewF32(x.Shape()...)
	}
	mixupImages.Run(p, m.clock, m.table, x, y)
	return y
}

// mixedLoss is a loss of mixed images.
type mixedLoss struct {
	of layers.Loss
	*mixup
}

// Loss is the mixture of the losses of the labels and of those of the next images, or
// else the loss of the mixed targets.
func (m mixedLoss) Loss(t *compute.Tape, y, target *compute.Tensor) *compute.Tensor {
	if target.DType() != compute.U32 {
		return m.of.Loss(t, y, m.images(t, target))
	}
	partner := t.NewU32(target.Shape()...)
	mixupTargets.Run(m.p, target, partner)
	a, b := m.of.Loss(t, y, target), m.of.Loss(t, y, partner)
	loss := t.NewF32(1)
	mixupForward.Run(m.p, m.clock, m.table, a, b, loss)
	t.OnBackward(func() { mixupBackward.Run(m.p, m.clock, m.table, t.Grad(loss), t.Grad(a), t.Grad(b)) })
	return loss
}

type mixupParams struct{ Batch, Size, Stream, Count uint32 }

// share is the part of the first image, and of the second one.
func (p mixupParams) share(clock, table []float64) (l, rest float64) {
	l = table[compute.RandomBits(uint32(clock[1]), p.Stream, uint32(clock[0]), 0)[0]%p.Count]
	return l, 1 - l
}

// images: both products have two roundings, of 1-l one of them, and the sum one.
var mixupImages = compute.NewKernel("mixup.images", func(p mixupParams, b [][]float64) {
	x, y := b[2], b[3]
	l, rest := p.share(b[0], b[1])
	for i := range y {
		y[i] = l*x[i] + rest*x[(i+int(p.Size))%len(x)]
	}
}, compute.Func(func(r *compute.Reference32) [][]float64 {
	p := r.Params.(mixupParams)
	x, y := r.In[2], make([]float64, len(r.In[3]))
	l, rest := p.share(r.In[0], r.In[1])
	for i := range y {
		y[i] = compute.Gamma(3)*(math.Abs(l*x[i])+math.Abs(rest*x[(i+int(p.Size))%len(x)])) + 4*smallest
	}
	return [][]float64{nil, nil, nil, y}
}))

var mixupTargets = compute.NewKernel("mixup.targets", func(_ mixupParams, b [][]float64) {
	labels, partner := b[0], b[1]
	for i := range partner {
		partner[i] = labels[(i+1)%len(labels)]
	}
}, compute.Exact)

// forward: as images.
var mixupForward = compute.NewKernel("mixup.forward", func(p mixupParams, b [][]float64) {
	l, rest := p.share(b[0], b[1])
	b[4][0] = l*b[2][0] + rest*b[3][0]
}, compute.Func(func(r *compute.Reference32) [][]float64 {
	l, rest := r.Params.(mixupParams).share(r.In[0], r.In[1])
	return [][]float64{nil, nil, nil, nil, {compute.Gamma(3)*(math.Abs(l*r.In[2][0])+math.Abs(rest*r.In[3][0])) + 4*smallest}}
}))

// backward: 1-l, a product and a sum.
var mixupBackward = compute.NewKernel("mixup.backward", func(p mixupParams, b [][]float64) {
	dloss, da, db := b[2], b[3], b[4]
	l, rest := p.share(b[0], b[1])
	da[0] += l * dloss[0]
	db[0] += rest * dloss[0]
}, compute.Func(func(r *compute.Reference32) [][]float64 {
	dloss := r.In[2][0]
	l, rest := r.Params.(mixupParams).share(r.In[0], r.In[1])
	return [][]float64{
		nil, nil, nil,
		{compute.Gamma(3)*(math.Abs(l*dloss)+math.Abs(r.In[3][0])) + 4*smallest},
		{compute.Gamma(3)*(math.Abs(rest*dloss)+math.Abs(r.In[4][0])) + 4*smallest},
	}
}))
