package layers

import "github.com/pumice-ml/pumice/compute"

// GlobalAvgPool takes the mean of each channel, as torch.nn.AdaptiveAvgPool2d(1).
type GlobalAvgPool struct{}

// Forward takes (batch, channels, h, w) and returns (batch, channels, 1, 1). It
// panics on another number of dimensions or an empty image.
func (GlobalAvgPool) Forward(t *compute.Tape, x *compute.Tensor) *compute.Tensor {
	want(len(x.Shape()) == 4 && x.Dim(2)*x.Dim(3) > 0, "GlobalAvgPool", x, "(batch, channels, height, width)")
	rows, count := x.Dim(0)*x.Dim(1), x.Dim(2)*x.Dim(3)
	y := t.New(x.Dim(0), x.Dim(1), 1, 1)
	s, sums := shorten(t, sumRows(rows, count), x)
	p := globalAvgPoolParams{uint32(rows), uint32(s.terms()), uint32(count)}
	globalAvgPoolForward.Run(p, sums, y)
	t.OnBackward(func() { globalAvgPoolBackward.Run(p, t.Grad(y), t.Grad(x)) })
	return y
}

func (GlobalAvgPool) String() string { return "GlobalAvgPool" }

type globalAvgPoolParams struct{ Rows, Terms, Count uint32 }

var globalAvgPoolForward = compute.NewKernel("global_avg_pool.forward", func(p globalAvgPoolParams, b [][]float64) {
	x, y, n := b[0], b[1], int(p.Terms)
	for i := range y {
		sum := 0.0
		for _, v := range x[i*n : (i+1)*n] {
			sum += v
		}
		y[i] = sum / float64(p.Count)
	}
}, compute.DotOf(func(p globalAvgPoolParams) int { return int(p.Terms) + division }))

var globalAvgPoolBackward = compute.NewKernel("global_avg_pool.backward", func(p globalAvgPoolParams, b [][]float64) {
	dy, dx := b[0], b[1]
	for i := range dx {
		dx[i] += dy[i/int(p.Count)] / float64(p.Count)
	}
}, compute.Dot(1+division))
