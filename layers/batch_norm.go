package layers

import (
	"fmt"
	"slices"

	"github.com/pumice-ml/pumice/compute"
)

// BatchNorm is y = (x - mean) / sqrt(variance + Eps) * Weight + Bias for each
// channel (Ioffe and Szegedy 2015). A training tape takes mean and variance of
// the batch and moves the running ones by Momentum towards them (towards the
// unbiased variance, as PyTorch); another tape takes the running ones.
type BatchNorm struct {
	Weight, Bias *compute.Param // (channels); first 1 and 0
	RunningMean  *compute.Param // (channels); first 0, not trained
	RunningVar   *compute.Param // (channels); first 1, not trained
	Eps          float64        // default 1e-5
	Momentum     float64        // default 0.1

	name string
	dims []int
}

// NewBatchNorm1D returns a BatchNorm of (n, channels) or (n, channels, length).
func NewBatchNorm1D(channels int) *BatchNorm { return newBatchNorm("BatchNorm1D", channels, 2, 3) }

// NewBatchNorm2D returns a BatchNorm of (n, channels, height, width).
func NewBatchNorm2D(channels int) *BatchNorm { return newBatchNorm("BatchNorm2D", channels, 4) }

func newBatchNorm(name string, channels int, dims ...int) *BatchNorm {
	if channels < 1 {
		panic(fmt.Sprintf("layers: New%s: %d channels, want 1 or more", name, channels))
	}
	l := &BatchNorm{
		Weight: newParam("weight", Ones(), channels), Bias: newParam("bias", Zeros(), channels),
		RunningMean: newParam("running_mean", Zeros(), channels), RunningVar: newParam("running_var", Ones(), channels),
		name: name, dims: dims,
	}
	l.RunningMean.Frozen, l.RunningVar.Frozen = true, true
	return l
}

// Forward takes and returns (n, channels, ...). It panics on another shape, and
// where a training tape has a single element for each channel, which has no
// variance.
func (l *BatchNorm) Forward(t *compute.Tape, x *compute.Tensor) *compute.Tensor {
	channels := l.Weight.Len()
	shape := map[int]string{2: "(n, %d) or (n, %d, length)", 4: "(n, %d, height, width)"}[l.dims[0]]
	args := []any{channels, channels}[:len(l.dims)]
	want(slices.Contains(l.dims, len(x.Shape())) && x.Dim(1) == channels && x.Len() > 0, l.name, x, shape, args...)
	p := normalizeParams{
		Batch: uint32(x.Dim(0)), Groups: uint32(channels), Size: uint32(x.Len() / channels / x.Dim(0)), Chunk: sumChunk,
		Eps: float32(or(l.Eps, 1e-5)), Momentum: float32(or(l.Momentum, 0.1)),
	}
	p.Affine, p.Inner = p.Groups, p.Size
	mean, variance := t.Param(l.RunningMean), t.Param(l.RunningVar)
	if t.Training {
		want(p.terms() > 1, l.name, x, "more than one element for each channel of a training batch")
		p.Training = 1
		runningMean, runningVar := mean, variance
		mean, variance = p.statistics(t, x)
		normalizeTrack.Run(p, mean, variance, runningMean, runningVar)
	}
	return p.forward(t, x, mean, variance, t.Param(l.Weight), t.Param(l.Bias))
}

// Walk visits weight, bias, running_mean and running_var.
func (l *BatchNorm) Walk(visit func(name string, p *compute.Param)) {
	visit("weight", l.Weight)
	visit("bias", l.Bias)
	visit("running_mean", l.RunningMean)
	visit("running_var", l.RunningVar)
}

func (l *BatchNorm) String() string { return fmt.Sprintf("%s(%d)", l.name, l.Weight.Len()) }

// or is v, or its default where it is 0.
func or(v, otherwise float64) float64 {
	if v == 0 {
		return otherwise
	}
	return v
}
