package layers

import (
	"math"

	"github.com/pumice-ml/pumice/compute"
)

// LogSoftmax is y = x - log(sum of exp(x)) over the last dimension, the logarithm
// of Softmax without its loss of small probabilities.
type LogSoftmax struct{}

// Forward takes and returns any shape of at least one dimension, none of them 0.
func (LogSoftmax) Forward(t *compute.Tape, x *compute.Tensor) *compute.Tensor {
	rows, whole := softmaxRows(t, "LogSoftmax", x)
	p, y := logSoftmaxParams{rows.Rows, rows.Size}, t.New(x.Shape()...)
	logSoftmaxForward.Run(p, x, whole, y)
	t.OnBackward(func() {
		slope := t.ZerosF32(int(p.Rows))
		sumInto(t, sumRows(int(p.Rows), int(p.Size)), t.Grad(y), slope)
		logSoftmaxBackward.Run(p, y, t.Grad(y), slope, t.Grad(x))
	})
	return y
}

func (LogSoftmax) String() string { return "LogSoftmax" }

type logSoftmaxParams struct{ Rows, Size uint32 }

var logSoftmaxForward = compute.NewKernel("log_softmax.forward", func(p logSoftmaxParams, b [][]float64) {
	x, whole, y := b[0], b[1], b[2]
	for i, v := range x {
		row := i / int(p.Size)
		y[i] = v - whole[2*row] - math.Log(whole[2*row+1])
	}
}, compute.Func(func(r *compute.Reference32) [][]float64 {
	// Two differences; WGSL allows log 2^-21 up to 2, where the sum may be, and 3
	// ULP beyond.
	p := r.Params.(logSoftmaxParams)
	y := make([]float64, len(r.Want[2]))
	for i, want := range r.Want[2] {
		row := i / int(p.Size)
		log := 0x1p-21
		if sum := r.In[1][2*row+1]; sum > 2 {
			log = 3 * compute.Ulp(math.Log(sum))
		}
		y[i] = (log+u*math.Abs(r.In[0][i]-r.In[1][2*row]))*(1+u) + u*math.Abs(want) + 3*tiny
	}
	return [][]float64{nil, nil, y}
}))

var logSoftmaxBackward = compute.NewKernel("log_softmax.backward", func(p logSoftmaxParams, b [][]float64) {
	y, dy, slope, dx := b[0], b[1], b[2], b[3]
	for i, v := range y {
		dx[i] += dy[i] - math.Exp(v)*slope[i/int(p.Size)]
	}
}, compute.Func(func(r *compute.Reference32) [][]float64 {
	// The exponential has 3+2|y| ULP, then a product, a difference and a sum.
	p := r.Params.(logSoftmaxParams)
	dx := make([]float64, len(r.Want[3]))
	for i, want := range r.Want[3] {
		slope := math.Abs(r.In[2][i/int(p.Size)])
		part := math.Exp(r.In[0][i]) * slope
		dx[i] = part*(expRoundings(r.In[0][i])+2)*u + u*(math.Abs(r.In[1][i])+part) + u*math.Abs(want) + (3+slope)*tiny
	}
	return [][]float64{nil, nil, nil, dx}
}))
