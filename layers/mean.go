package layers

import "github.com/pumice-ml/pumice/compute"

// meanRows records the means of x's rows of (groups, terms), whose elements are
// sums of count elements in all.
func meanRows(t *compute.Tape, groups, terms, count int, x *compute.Tensor) *compute.Tensor {
	p, x := shorten(t, sumRows(groups, terms), x)
	y := t.NewF32(groups)
	meanForward.Run(meanParams{uint32(groups), uint32(p.terms()), float32(count)}, x, y)
	return y
}

type meanParams struct {
	Groups, Terms uint32
	Count         float32
}

var meanForward = compute.NewKernel("mean.forward", func(p meanParams, b [][]float64) {
	x, y := b[0], b[1]
	for g := range y {
		y[g] = 0
		for _, v := range x[g*int(p.Terms) : (g+1)*int(p.Terms)] {
			y[g] += v
		}
		y[g] /= float64(p.Count)
	}
}, compute.DotOf(func(p meanParams) int { return int(p.Terms) + division }))
