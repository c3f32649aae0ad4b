package layers

import (
	"math"

	"github.com/pumice-ml/pumice/compute"
)

// Error models of the activations. u is the unit roundoff of float32; tiny
// covers a subnormal result or intermediate that a device flushes to zero.
const (
	u    = 0x1p-24
	tiny = 0x1p-126
)

// elementwise is the model of y = f(x): the bound is a function of x and y.
func elementwise[P any](bound func(p P, x, y float64) float64) compute.Model {
	return compute.Func(func(r *compute.Reference32) [][]float64 {
		x, y := r.In[0], r.Want[1]
		out := make([]float64, len(y))
		for i := range y {
			out[i] = bound(r.Params.(P), x[i], y[i]) + tiny*(1+math.Abs(x[i]))
		}
		return [][]float64{nil, out}
	})
}

// slope is the model of dx += dy * f'(v), where the kernel reads v, x or y, and
// dy. The bound is that of f' alone, as a function of v and f'; a rounding
// follows for the product and one for the sum.
func slope[P any](bound func(p P, v, slope float64) float64) compute.Model {
	return compute.Func(func(r *compute.Reference32) [][]float64 {
		v, dy, before, want := r.In[0], r.In[1], r.In[2], r.Want[2]
		out := make([]float64, len(want))
		for i := range want {
			added := want[i] - before[i]
			e := u*math.Abs(added) + tiny
			if dy[i] != 0 {
				e += math.Abs(dy[i]) * (bound(r.Params.(P), v[i], added/dy[i]) + tiny*(1+math.Abs(v[i])))
			}
			out[i] = e + u*(math.Abs(want[i])+e)
		}
		return [][]float64{nil, nil, out}
	})
}

// atZero is 1 where a device may take x for 0, which it is not: there the side of
// a jump is open.
func atZero(x float64) float64 {
	if x != 0 && math.Abs(x) < tiny {
		return 1
	}
	return 0
}

// logistic is the definition of 1/(1+exp(-v)).
func logistic(v float64) float64 { return 1 / (1 + math.Exp(-v)) }

// pointParams are the parameters of an element-wise kernel without any of its
// own.
type pointParams struct{ N uint32 }

// pointwise records y = f(x) and its gradient, of kernels that read x.
func pointwise(t *compute.Tape, x *compute.Tensor, p any, forward, backward *compute.Kernel) *compute.Tensor {
	y := t.New(x.Shape()...)
	forward.Run(p, x, y)
	t.OnBackward(func() { backward.Run(p, x, t.Grad(y), t.Grad(x)) })
	return y
}
