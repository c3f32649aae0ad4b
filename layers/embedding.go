package layers

import (
	"fmt"
	"slices"

	"github.com/pumice-ml/pumice/compute"
)

// Embedding is a table of vectors: each index becomes its row of Weight.
type Embedding struct {
	Weight *compute.Param // (count, size)
}

// NewEmbedding returns a table of count vectors of size elements with PyTorch's
// first values, drawn from the normal distribution of deviation 1. It panics
// unless both are positive.
func NewEmbedding(count, size int) *Embedding {
	if count < 1 || size < 1 {
		panic(fmt.Sprintf("layers: NewEmbedding: %d vectors of %d elements, want 1 or more", count, size))
	}
	return &Embedding{newParam("weight", Normal(1), count, size)}
}

// Forward takes u32 indices of any shape and returns that shape with the vectors
// as its last dimension. An index of count or more counts as the last one. It
// panics where x is not u32.
func (l *Embedding) Forward(t *compute.Tape, x *compute.Tensor) *compute.Tensor {
	rows, size := l.Weight.Shape[0], l.Weight.Shape[1]
	if x.DType() != compute.U32 {
		panic(fmt.Sprintf("layers: Embedding: input %v, want u32 indices", x))
	}
	p := embeddingParams{N: uint32(x.Len()), Size: uint32(size), Rows: uint32(rows)}
	weight, y := t.Param(l.Weight), t.New(append(slices.Clone(x.Shape()), size)...)
	embeddingForward.Run(p, x, weight, y)
	t.OnBackward(func() { p.backward(t, x, t.Grad(y), t.Grad(weight)) })
	return y
}

// Walk visits the weight.
func (l *Embedding) Walk(visit func(name string, p *compute.Param)) { visit("weight", l.Weight) }

func (l *Embedding) String() string {
	return fmt.Sprintf("Embedding(%d, %d)", l.Weight.Shape[0], l.Weight.Shape[1])
}

// embeddingBlock is how many positions are linked at once: each is compared with
// the others.
const embeddingBlock = 16384

// backward adds dy to the rows of dweight, block by block, in order of position:
// positions of one row are linked to a list, which one invocation for each
// element of the row follows.
func (p embeddingParams) backward(t *compute.Tape, x, dy, dweight *compute.Tensor) {
	for p.First = 0; p.First < p.N; p.First += p.Length {
		p.Length = min(p.N-p.First, embeddingBlock)
		head, next := t.NewU32(int(p.Rows)), t.NewU32(int(p.Length))
		embeddingReset.Run(p, head)
		embeddingLink.Run(p, x, head, next)
		embeddingBackward.Run(p, head, next, dy, dweight)
	}
}

type embeddingParams struct{ N, Size, Rows, First, Length uint32 }

func (p embeddingParams) row(index float64) int { return int(min(index, float64(p.Rows-1))) }

var embeddingForward = compute.NewKernel("embedding.forward", func(p embeddingParams, b [][]float64) {
	indices, weight, y := b[0], b[1], b[2]
	for i := range y {
		y[i] = weight[p.row(indices[i/int(p.Size)])*int(p.Size)+i%int(p.Size)]
	}
}, compute.Exact)

var embeddingReset = compute.NewKernel("embedding.reset", func(p embeddingParams, b [][]float64) {
	for i := range b[0] {
		b[0][i] = float64(p.Length)
	}
}, compute.Exact)

var embeddingLink = compute.NewKernel("embedding.link", func(p embeddingParams, b [][]float64) {
	indices, head, next := b[0], b[1], b[2]
	after := map[int]int{}
	for i := int(p.Length) - 1; i >= 0; i-- {
		row := p.row(indices[int(p.First)+i])
		next[i] = float64(p.Length)
		if later, ok := after[row]; ok {
			next[i] = float64(later)
		}
		after[row] = i
		head[row] = float64(i)
	}
}, compute.Exact)

var embeddingBackward = compute.NewKernel("embedding.backward", func(p embeddingParams, b [][]float64) {
	heads, nexts, dy, dweight := b[0], b[1], b[2], b[3]
	size, first := int(p.Size), int(p.First)
	for row, head := range heads {
		for at := int(head); at < int(p.Length); at = int(nexts[at]) {
			for j := range size {
				dweight[row*size+j] += dy[(first+at)*size+j]
			}
		}
	}
}, compute.Func(func(r *compute.Reference32) [][]float64 {
	// A sum of as many terms as the row has positions, and of what was there.
	p := r.Params.(embeddingParams)
	bounds := r.Magnitudes()
	for row, head := range r.In[0] {
		terms := 0.0
		for at := int(head); at < int(p.Length); at = int(r.In[1][at]) {
			terms++
		}
		for j := row * int(p.Size); j < (row+1)*int(p.Size); j++ {
			bounds[3][j] = compute.Gamma(terms)*bounds[3][j] + terms*tiny
		}
	}
	return [][]float64{nil, nil, nil, bounds[3]}
}))
