package layers

import (
	"fmt"

	"github.com/pumice-ml/pumice/compute"
)

// MaxPool2D takes the largest element of each window of Size x Size, as
// torch.nn.MaxPool2d. Elements in the padding do not count. The gradient goes to
// the first of equal maxima, in row-major order.
type MaxPool2D struct {
	Size    int // height and width of the windows, 1 to 240
	Stride  int // default Size
	Padding int // on each side, at most Size/2
}

// Forward takes (batch, channels, h, w) and returns (batch, channels,
// (h+2*Padding-Size)/Stride+1, ...), rounded down. It panics where the image is
// smaller than a window.
func (l MaxPool2D) Forward(t *compute.Tape, x *compute.Tensor) *compute.Tensor {
	p := pooled("MaxPool2D", l.Size, l.Stride, l.Padding, x)
	shape := []int{x.Dim(0), x.Dim(1), int(p.OH), int(p.OW)}
	y, at := t.New(shape...), t.NewU32(shape...)
	maxPool2DForward.Run(p, x, y, at)
	t.OnBackward(func() { maxPool2DBackward.Run(p, at, t.Grad(y), t.Grad(x)) })
	return y
}

func (l MaxPool2D) String() string { return poolString("MaxPool2D", l.Size, l.Stride, l.Padding) }

func poolString(name string, size, stride, padding int) string {
	s := fmt.Sprintf("%s(%d", name, size)
	if stride != 0 && stride != size {
		s += fmt.Sprintf(", stride %d", stride)
	}
	if padding != 0 {
		s += fmt.Sprintf(", padding %d", padding)
	}
	return s + ")"
}

var maxPool2DForward = compute.NewKernel("max_pool2d.forward", func(p poolParams, b [][]float64) {
	x, y, at := b[0], b[1], b[2]
	p.each(func(o, plane, top, bottom, left, right int) {
		found := top*int(p.W) + left
		for r := top; r < bottom; r++ {
			for c := left; c < right; c++ {
				if k := r*int(p.W) + c; x[plane+k] > x[plane+found] {
					found = k
				}
			}
		}
		y[o], at[o] = x[plane+found], float64(found)
	})
}, compute.Func(func(r *compute.Reference32) [][]float64 {
	bounds := compute.Exact.Bound(r)
	for o, want := range r.Want[1] {
		bounds[1][o] += flushedMost(want)
	}
	return bounds
}))

var maxPool2DBackward = compute.NewKernel("max_pool2d.backward", func(p poolParams, b [][]float64) {
	at, dy, dx := b[0], b[1], b[2]
	p.each(func(o, plane, _, _, _, _ int) {
		dx[plane+int(at[o])] += dy[o]
	})
}, compute.ReduceOf(poolParams.overlap))
