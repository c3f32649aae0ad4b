package layers

import (
	"fmt"

	"github.com/pumice-ml/pumice/compute"
)

// poolParams are the shapes of MaxPool2D and AvgPool2D: x is (planes, h, w), y
// is (planes, oh, ow).
type poolParams struct{ Planes, H, W, OH, OW, Size, Stride, Padding uint32 }

// largestPool keeps a window within the trips one invocation may take.
const largestPool = 240

// pooled checks a pooling layer's fields and input and returns its shapes;
// along each axis the last window that fits is the last one, as in PyTorch.
func pooled(layer string, size, stride, padding int, x *compute.Tensor) poolParams {
	if stride == 0 {
		stride = size
	}
	if size < 1 || size > largestPool || stride < 1 || padding < 0 || padding > size/2 {
		panic(fmt.Sprintf("layers: %s: size %d, stride %d, padding %d, want a size from 1 to %d, a stride of at least 1 and a padding of at most half the size",
			layer, size, stride, padding, largestPool))
	}
	least := max(1, size-2*padding)
	ok := len(x.Shape()) == 4 && x.Dim(2) >= least && x.Dim(3) >= least
	want(ok, layer, x, "(batch, channels, height, width) of at least %d x %d", least, least)
	h, w := x.Dim(2), x.Dim(3)
	return poolParams{
		uint32(x.Dim(0) * x.Dim(1)), uint32(h), uint32(w),
		uint32((h+2*padding-size)/stride + 1), uint32((w+2*padding-size)/stride + 1),
		uint32(size), uint32(stride), uint32(padding),
	}
}

// window returns the inputs [first, last) that output o covers along an axis of
// n, the padding left out.
func (p poolParams) window(o, n int) (first, last int) {
	first = o*int(p.Stride) - int(p.Padding)
	return max(first, 0), min(first+int(p.Size), n)
}

// overlap is the most windows that one input belongs to.
func (p poolParams) overlap() int {
	n := int((p.Size + p.Stride - 1) / p.Stride)
	return n * n
}

// each calls visit for every output o with the inputs it covers.
func (p poolParams) each(visit func(o, plane, top, bottom, left, right int)) {
	h, w, o := int(p.H), int(p.W), 0
	for plane := range int(p.Planes) {
		for r := range int(p.OH) {
			for c := range int(p.OW) {
				top, bottom := p.window(r, h)
				left, right := p.window(c, w)
				visit(o, plane*h*w, top, bottom, left, right)
				o++
			}
		}
	}
}
