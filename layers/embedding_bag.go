package layers

import (
	"fmt"

	"github.com/pumice-ml/pumice/compute"
)

// EmbeddingBag is the mean of the vectors of a row of indices, those that are padding
// left out, as torch.nn.EmbeddingBag with mode "mean" and padding_idx: an Embedding
// and mean pooling. A row of nothing but padding has the mean 0. The vector of padding
// is never used and never trained.
type EmbeddingBag struct {
	*Embedding
	Padding uint32 // the index that stands for no token
}

// NewEmbeddingBag returns a bag of a table of count vectors of size elements (see
// NewEmbedding). It panics unless both are positive and padding is below count.
func NewEmbeddingBag(count, size, padding int) *EmbeddingBag {
	if padding < 0 || padding >= count {
		panic(fmt.Sprintf("layers: NewEmbeddingBag: padding %d of %d vectors, want one of them", padding, count))
	}
	return &EmbeddingBag{NewEmbedding(count, size), uint32(padding)}
}

// Forward takes u32 indices (batch, length) and returns (batch, size). An index of
// count or more counts as the last one. It panics on another type or shape.
func (l *EmbeddingBag) Forward(t *compute.Tape, x *compute.Tensor) *compute.Tensor {
	want(len(x.Shape()) == 2 && x.Dim(1) > 0 && x.DType() == compute.U32, "EmbeddingBag", x, "(batch, length) of u32 indices")
	rows, length, size := x.Dim(0), x.Dim(1), l.Weight.Shape[1]
	p := embeddingBagParams{uint32(rows), uint32(length), uint32(size), l.Padding, uint32(l.Weight.Shape[0])}
	vectors := l.Embedding.Forward(t, x)
	y, count := t.New(rows, size), t.NewF32(rows)
	embeddingBagTally.Run(p, x, count)
	embeddingBagForward.Run(p, x, vectors, y, count)
	t.OnBackward(func() { embeddingBagBackward.Run(p, x, count, t.Grad(y), t.Grad(vectors)) })
	return y
}

func (l *EmbeddingBag) String() string {
	return fmt.Sprintf("EmbeddingBag(%d, %d, padding %d)", l.Weight.Shape[0], l.Weight.Shape[1], l.Padding)
}

type embeddingBagParams struct{ Rows, Length, Size, Padding, Vectors uint32 }

// token reports whether an index, or the last one where it is beyond, is no padding.
func (p embeddingBagParams) token(index float64) bool {
	return min(index, float64(p.Vectors-1)) != float64(p.Padding)
}

var embeddingBagTally = compute.NewKernel("embedding_bag.tally", func(p embeddingBagParams, b [][]float64) {
	indices, count := b[0], b[1]
	clear(count)
	for i, v := range indices {
		if p.token(v) {
			count[i/int(p.Length)]++
		}
	}
	for r := range count {
		count[r] = max(count[r], 1)
	}
}, compute.Exact)

var embeddingBagForward = compute.NewKernel("embedding_bag.forward", func(p embeddingBagParams, b [][]float64) {
	indices, x, y, counts := b[0], b[1], b[2], b[3]
	size, length := int(p.Size), int(p.Length)
	clear(y)
	for i, v := range indices {
		for j := range size {
			if p.token(v) {
				y[i/length*size+j] += x[i*size+j]
			}
		}
	}
	for i := range y {
		y[i] /= counts[i/size]
	}
}, compute.DotOf(func(p embeddingBagParams) int { return int(p.Length) + division }))

var embeddingBagBackward = compute.NewKernel("embedding_bag.backward", func(p embeddingBagParams, b [][]float64) {
	indices, counts, dy, dx := b[0], b[1], b[2], b[3]
	size, length := int(p.Size), int(p.Length)
	for at := range dx {
		if r := at / size / length; p.token(indices[at/size]) {
			dx[at] += dy[r*size+at%size] / counts[r]
		}
	}
}, compute.Dot(1+division))
