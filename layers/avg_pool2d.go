package layers

import "github.com/pumice-ml/pumice/compute"

// AvgPool2D takes the mean of each window of Size x Size, as
// torch.nn.AvgPool2d: elements in the padding are zeros that count, unless
// ExcludePadding is set.
type AvgPool2D struct {
	Size           int  // height and width of the windows, 1 to 240
	Stride         int  // default Size
	Padding        int  // on each side, at most Size/2
	ExcludePadding bool // divide by the elements inside the image: count_include_pad=False
}

// Forward takes (batch, channels, h, w) and returns (batch, channels,
// (h+2*Padding-Size)/Stride+1, ...), rounded down. It panics where the image is
// smaller than a window.
func (l AvgPool2D) Forward(t *compute.Tape, x *compute.Tensor) *compute.Tensor {
	s := pooled("AvgPool2D", l.Size, l.Stride, l.Padding, x)
	p := avgPool2DParams{s.Planes, s.H, s.W, s.OH, s.OW, s.Size, s.Stride, s.Padding, 0}
	if l.ExcludePadding {
		p.Inside = 1
	}
	y := t.New(x.Dim(0), x.Dim(1), int(p.OH), int(p.OW))
	avgPool2DForward.Run(p, x, y)
	t.OnBackward(func() { avgPool2DBackward.Run(p, t.Grad(y), t.Grad(x)) })
	return y
}

func (l AvgPool2D) String() string { return poolString("AvgPool2D", l.Size, l.Stride, l.Padding) }

type avgPool2DParams struct{ Planes, H, W, OH, OW, Size, Stride, Padding, Inside uint32 }

func (p avgPool2DParams) pool() poolParams {
	return poolParams{p.Planes, p.H, p.W, p.OH, p.OW, p.Size, p.Stride, p.Padding}
}

func (p avgPool2DParams) count(top, bottom, left, right int) float64 {
	if p.Inside != 0 {
		return float64((bottom - top) * (right - left))
	}
	return float64(p.Size * p.Size)
}

// division is the roundings that a division of 2.5 ULP is worth.
const division = 5

var avgPool2DForward = compute.NewKernel("avg_pool2d.forward", func(p avgPool2DParams, b [][]float64) {
	x, y := b[0], b[1]
	p.pool().each(func(o, plane, top, bottom, left, right int) {
		sum := 0.0
		for r := top; r < bottom; r++ {
			for c := left; c < right; c++ {
				sum += x[plane+r*int(p.W)+c]
			}
		}
		y[o] = sum / p.count(top, bottom, left, right)
	})
}, compute.DotOf(func(p avgPool2DParams) int { return int(p.Size*p.Size) + division }))

var avgPool2DBackward = compute.NewKernel("avg_pool2d.backward", func(p avgPool2DParams, b [][]float64) {
	dy, dx := b[0], b[1]
	p.pool().each(func(o, plane, top, bottom, left, right int) {
		for r := top; r < bottom; r++ {
			for c := left; c < right; c++ {
				dx[plane+r*int(p.W)+c] += dy[o] / p.count(top, bottom, left, right)
			}
		}
	})
}, compute.DotOf(func(p avgPool2DParams) int { return p.pool().overlap() + division }))
