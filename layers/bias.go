package layers

import (
	"math"

	"github.com/pumice-ml/pumice/compute"
)

// addBias records y += b along dimension 1 of y (batch, channels, size), and the
// gradient of b.
func addBias(t *compute.Tape, y, b *compute.Tensor, batch, size int) {
	p := biasParams{Batch: uint32(batch), Channels: uint32(b.Len()), Size: uint32(size)}
	biasForward.Run(p, b, y)
	t.OnBackward(func() { biasGradient(t, p, t.Grad(y), t.Grad(b)) })
}

// sumAndBias records a sum into y and its bias. The bias comes last, for a chain to add;
// but first where y is stored as f16: the sum alone, handed on, would be rounded, and might
// be infinite.
func sumAndBias(y *compute.Tensor, sum, bias func()) {
	if y.DType() == compute.F16 {
		bias()
		sum()
		return
	}
	sum()
	bias()
}

// biasGradient sums dy over all but the channels: parts of about the square root
// of the rows, and then the parts.
func biasGradient(t *compute.Tape, p biasParams, dy, db *compute.Tensor) {
	rows := p.Batch * p.Size
	if p.Size == 1 && rows <= sumChunk { // each row is a part
		p.Parts = rows
		biasBackward.Run(p, dy, db)
		return
	}
	p.Length = max(uint32(math.Ceil(math.Sqrt(float64(rows)))), 1)
	p.Parts = (rows + p.Length - 1) / p.Length
	parts := t.NewF32(int(p.Parts), int(p.Channels))
	biasParts.Run(p, dy, parts)
	biasBackward.Run(p, parts, db)
}

type biasParams struct{ Batch, Channels, Size, Parts, Length uint32 }

var biasForward = compute.NewKernel("bias.forward", func(p biasParams, b [][]float64) {
	bias, y := b[0], b[1]
	for i := range y {
		y[i] += bias[i/int(p.Size)%int(p.Channels)]
	}
}, compute.Exact)

var biasParts = compute.NewKernel("bias.backward_parts", func(p biasParams, b [][]float64) {
	dy, part := b[0], b[1]
	size, channels := int(p.Size), int(p.Channels)
	clear(part)
	for row := range int(p.Batch) * size {
		for c := range channels {
			part[row/int(p.Length)*channels+c] += dy[(row/size*channels+c)*size+row%size]
		}
	}
}, compute.ReduceOf(func(p biasParams) int { return int(p.Length) }))

var biasBackward = compute.NewKernel("bias.backward", func(p biasParams, b [][]float64) {
	parts, db := b[0], b[1]
	for i, v := range parts {
		db[i%int(p.Channels)] += v
	}
}, compute.ReduceOf(func(p biasParams) int { return int(p.Parts) }))
