package layers

import (
	"math"

	"github.com/pumice-ml/pumice/compute"
)

// ReLU is y = max(x, 0), element by element; its gradient at 0 is 0.
type ReLU struct{}

// Forward takes and returns any shape.
func (ReLU) Forward(t *compute.Tape, x *compute.Tensor) *compute.Tensor {
	y := t.New(x.Shape()...)
	p := reluParams{uint32(x.Len())}
	reluForward.Run(p, x, y)
	t.OnBackward(func() { reluBackward.Run(p, y, t.Grad(y), t.Grad(x)) })
	return y
}

func (ReLU) String() string { return "ReLU" }

type reluParams struct{ N uint32 }

var reluForward = compute.NewKernel("relu.forward", func(p reluParams, b [][]float64) {
	x, y := b[0], b[1]
	for i := range x {
		y[i] = max(x[i], 0)
	}
}, compute.Exact)

var reluBackward = compute.NewKernel("relu.backward", func(p reluParams, b [][]float64) {
	y, dy, dx := b[0], b[1], b[2]
	for i := range y {
		if y[i] > 0 {
			dx[i] += dy[i]
		}
	}
}, compute.Func(func(r *compute.Reference32) [][]float64 {
	bounds := compute.Exact.Bound(r)
	for i, y := range r.In[0] {
		bounds[2][i] += atZero(y) * math.Abs(r.In[1][i])
	}
	return bounds
}))
