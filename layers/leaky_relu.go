package layers

import (
	"fmt"
	"math"

	"github.com/pumice-ml/pumice/compute"
)

// LeakyReLU is y = x where x > 0, else Slope*x, as torch.nn.LeakyReLU.
type LeakyReLU struct {
	Slope float64 // default 0.01
}

// Forward takes and returns any shape.
func (l LeakyReLU) Forward(t *compute.Tape, x *compute.Tensor) *compute.Tensor {
	return pointwise(t, x, leakyReLUParams{uint32(x.Len()), float32(l.slope())}, leakyReLUForward, leakyReLUBackward)
}

func (l LeakyReLU) slope() float64 {
	if l.Slope == 0 {
		return 0.01
	}
	return l.Slope
}

func (l LeakyReLU) String() string { return fmt.Sprintf("LeakyReLU(%v)", l.slope()) }

type leakyReLUParams struct {
	N     uint32
	Slope float32
}

var leakyReLUForward = compute.NewKernel("leaky_relu.forward", func(p leakyReLUParams, b [][]float64) {
	x, y := b[0], b[1]
	for i, v := range x {
		y[i] = v
		if v <= 0 {
			y[i] = float64(p.Slope) * v
		}
	}
}, compute.Exact)

var leakyReLUBackward = compute.NewKernel("leaky_relu.backward", func(p leakyReLUParams, b [][]float64) {
	x, dy, dx := b[0], b[1], b[2]
	for i, v := range x {
		if v > 0 {
			dx[i] += dy[i]
		} else {
			dx[i] += float64(p.Slope) * dy[i]
		}
	}
}, slope(func(p leakyReLUParams, x, _ float64) float64 { return atZero(x) * math.Abs(1-float64(p.Slope)) }))
