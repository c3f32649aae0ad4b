package layers

import (
	"fmt"

	"github.com/pumice-ml/pumice/compute"
)

// LayerNorm is y = (x - mean) / sqrt(variance + Eps) * Weight + Bias over the
// last dimension, with the mean and the biased variance of each row (Ba et al.
// 2016).
type LayerNorm struct {
	Weight, Bias *compute.Param // (features); first 1 and 0
	Eps          float64        // default 1e-5
}

// NewLayerNorm returns a LayerNorm of rows of features elements. It panics
// unless there is at least one.
func NewLayerNorm(features int) *LayerNorm {
	if features < 1 {
		panic(fmt.Sprintf("layers: NewLayerNorm: %d features, want 1 or more", features))
	}
	return &LayerNorm{Weight: newParam("weight", Ones(), features), Bias: newParam("bias", Zeros(), features)}
}

// Forward takes and returns (..., features). It panics on another shape.
func (l *LayerNorm) Forward(t *compute.Tape, x *compute.Tensor) *compute.Tensor {
	features := l.Weight.Len()
	want(len(x.Shape()) > 0 && x.Dim(-1) == features && x.Len() > 0, "LayerNorm", x, "(..., %d)", features)
	p := normalizeParams{
		Batch: 1, Groups: uint32(x.Len() / features), Size: uint32(features), Affine: uint32(features), Inner: 1, Chunk: sumChunk,
		Training: 1, Eps: float32(or(l.Eps, 1e-5)),
	}
	mean, variance := p.statistics(t, x)
	return p.forward(t, x, mean, variance, t.Param(l.Weight), t.Param(l.Bias))
}

// Walk visits weight and bias.
func (l *LayerNorm) Walk(visit func(name string, p *compute.Param)) {
	visit("weight", l.Weight)
	visit("bias", l.Bias)
}

func (l *LayerNorm) String() string { return fmt.Sprintf("LayerNorm(%d)", l.Weight.Len()) }
