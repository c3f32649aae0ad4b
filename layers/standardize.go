package layers

import (
	"fmt"
	"math"

	"github.com/pumice-ml/pumice/compute"
)

// Standardize is y = (x - Mean) / Deviation, with a number of each for every channel:
// a first layer that takes inputs as they are, so that whoever runs the model need not
// know what it was trained on. Neither is trained; both are saved with the model.
type Standardize struct {
	Mean, Deviation *compute.Param // (channels)
}

// NewStandardize returns the layer for the means and deviations of channels (package
// train/data measures them, see data.Moments). It panics unless there are as many of
// each, and at least one, all finite and the deviations positive.
func NewStandardize(mean, deviation []float32) *Standardize {
	if len(mean) == 0 || len(mean) != len(deviation) {
		panic(fmt.Sprintf("layers: NewStandardize: %d means and %d deviations, want as many, 1 or more", len(mean), len(deviation)))
	}
	l := &Standardize{compute.NewParam("mean", len(mean)), compute.NewParam("deviation", len(mean))}
	for c := range mean {
		m, d := float64(mean[c]), float64(deviation[c])
		if !(math.Abs(m) <= math.MaxFloat32 && d > 0 && d <= math.MaxFloat32) {
			panic(fmt.Sprintf("layers: NewStandardize: channel %d: mean %v, deviation %v, want finite and positive numbers", c, m, d))
		}
		l.Mean.Data[c], l.Deviation.Data[c] = mean[c], deviation[c]
	}
	l.Mean.Frozen, l.Deviation.Frozen = true, true
	return l
}

// Forward takes and returns (batch, channels, ...). It panics on another shape.
func (l *Standardize) Forward(t *compute.Tape, x *compute.Tensor) *compute.Tensor {
	channels := l.Mean.Len()
	want(len(x.Shape()) > 1 && x.Dim(1) == channels && x.DType() != compute.U32, "Standardize", x, "(batch, %d, ...)", channels)
	p := standardizeParams{Batch: uint32(x.Dim(0)), Channels: uint32(channels), Size: uint32(compute.Elements(x.Shape()[2:]))}
	mean, deviation, y := t.Param(l.Mean), t.Param(l.Deviation), t.New(x.Shape()...)
	standardizeForward.Run(p, x, mean, deviation, y)
	t.OnBackward(func() { standardizeBackward.Run(p, deviation, t.Grad(y), t.Grad(x)) })
	return y
}

// Walk visits mean and deviation.
func (l *Standardize) Walk(visit func(name string, p *compute.Param)) {
	visit("mean", l.Mean)
	visit("deviation", l.Deviation)
}

func (l *Standardize) String() string { return fmt.Sprintf("Standardize(%d)", l.Mean.Len()) }

type standardizeParams struct{ Batch, Channels, Size uint32 }

func (p standardizeParams) channel(i int) int { return i / int(p.Size) % int(p.Channels) }

var standardizeForward = compute.NewKernel("standardize.forward", func(p standardizeParams, b [][]float64) {
	x, mean, deviation, y := b[0], b[1], b[2], b[3]
	for i := range y {
		c := p.channel(i)
		y[i] = (x[i] - mean[c]) / deviation[c]
	}
}, compute.Func(func(r *compute.Reference32) [][]float64 {
	// The difference is rounded, or flushed, and divided.
	p, bound := r.Params.(standardizeParams), make([]float64, len(r.In[0]))
	for i, want := range r.Want[3] {
		bound[i] = compute.Gamma(1+division)*math.Abs(want) + tiny/math.Abs(r.In[2][p.channel(i)]) + tiny
	}
	return [][]float64{nil, nil, nil, bound}
}))

var standardizeBackward = compute.NewKernel("standardize.backward", func(p standardizeParams, b [][]float64) {
	deviation, dy, dx := b[0], b[1], b[2]
	for i := range dx {
		dx[i] += dy[i] / deviation[p.channel(i)]
	}
}, compute.Dot(1+division))
