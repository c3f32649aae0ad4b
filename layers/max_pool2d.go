package layers

import (
	"fmt"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/internal/rule"
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
	pool := pooled("MaxPool2D", l.Size, l.Stride, l.Padding, x)
	p := maxPool2DParams{pool.Planes, pool.H, pool.W, pool.OH, pool.OW, pool.Size, pool.Stride, pool.Padding, 0}
	shape := []int{x.Dim(0), x.Dim(1), int(p.OH), int(p.OW)}
	y, at := t.New(shape...), t.NewU32(shape...)
	rule.Use(t, maxPool2DRules()...)
	maxPool2DForward.Run(p, x, y, at)
	t.OnBackward(func() { maxPool2DBackward.Run(p, at, t.Grad(y), t.Grad(y), t.Grad(x)) })
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

type maxPool2DParams struct {
	Planes, H, W, OH, OW, Size, Stride, Padding uint32
	Gated                                       uint32 // else the gate is any tensor
}

func (p maxPool2DParams) pool() poolParams {
	return poolParams{p.Planes, p.H, p.W, p.OH, p.OW, p.Size, p.Stride, p.Padding}
}

// maxPool2DRules are the rules of the pool and its gradient: a ReLU's gradient that comes
// after that of the pool, windows of 2 x 2, and their gradient over the ReLU's result.
func maxPool2DRules() []ir.Rule {
	over := rule.New("over", []*compute.Kernel{maxPool2DPairsBackward}, func(_ *compute.Tape, runs []rule.Run, _ bool) bool {
		maxPool2DPairsBackwardOver.Run(runs[0].Params, runs[0].Tensors[:3]...)
		return true
	})
	over.Over = [2]string{"gate", "dx"}
	return []ir.Rule{
		rule.New("gated", []*compute.Kernel{maxPool2DBackward, reluBackward}, func(_ *compute.Tape, runs []rule.Run, _ bool) bool {
			p, x, relu := runs[0].Params.(maxPool2DParams), runs[0].Tensors, runs[1].Tensors
			if p.Gated != 0 || !relu[1].Same(x[3]) || relu[2].Same(x[3]) {
				return false
			}
			p.Gated = 1
			maxPool2DBackward.Run(p, x[0], x[1], relu[0], relu[2])
			return true
		}),
		variant("pairs", maxPool2DForward, nil, func(_ *compute.Tape, p maxPool2DParams, x []*compute.Tensor, _ bool) bool {
			return p.runPairs(maxPool2DPairsForward, x)
		}),
		variant("pairs", maxPool2DBackward, nil, func(_ *compute.Tape, p maxPool2DParams, x []*compute.Tensor, _ bool) bool {
			return p.runPairs(maxPool2DPairsBackward, x)
		}),
		over,
	}
}

// class is p in a class of batches.
func (p maxPool2DParams) class() any {
	p.Planes = ir.BatchClass(p.Planes)
	return p
}

func maxPool2DForwardDefine(p maxPool2DParams, b [][]float64) {
	x, y, at := b[0], b[1], b[2]
	p.pool().each(func(o, plane, top, bottom, left, right int) {
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
}

var maxPool2DForwardModel = compute.Func(func(r *compute.Reference32) [][]float64 {
	bounds := compute.Exact.Bound(r)
	for o, want := range r.Want[1] {
		bounds[1][o] += flushedMost(want)
	}
	return bounds
})

var maxPool2DForward = compute.NewKernel("max_pool2d.forward", maxPool2DForwardDefine, maxPool2DForwardModel)

func maxPool2DBackwardDefine(p maxPool2DParams, b [][]float64) {
	at, dy, gate, dx := b[0], b[1], b[2], b[3]
	p.pool().each(func(o, plane, _, _, _, _ int) {
		if to := plane + int(at[o]); p.Gated == 0 || gate[to] > 0 {
			dx[to] += dy[o]
		}
	})
}

var maxPool2DBackward = compute.NewKernel("max_pool2d.backward", maxPool2DBackwardDefine, compute.ReduceOf(func(p maxPool2DParams) int { return p.pool().overlap() }))
