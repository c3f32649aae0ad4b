package layers

import (
	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/internal/ir"
)

// matmulRules are the variants of the product, the preferred first: those for processors,
// of few rows before others, then those for GPUs.
func matmulRules() (rules []ir.Rule) {
	add := func(name string, suits func(compute.Info) bool, record func(t *compute.Tape, p matmulParams, x []*compute.Tensor, asked bool) bool) {
		rules = append(rules, variant(name, matmulForward, suits, record))
	}
	for _, s := range productSubgroups {
		add(s.name, software, s.record)
	}
	add("matvec", hardware, matvecRecord)
	add("split", hardware, splitRecord)
	add(deepTile.name, discrete, func(_ *compute.Tape, p matmulParams, x []*compute.Tensor, asked bool) bool {
		return deepTile.record(p, x, asked, productTile(p.M, p.N) == 0 && p.K1-p.K0 >= deepSum)
	})
	for i, tile := range productTiles {
		add(tile.name, hardware, func(_ *compute.Tape, p matmulParams, x []*compute.Tensor, asked bool) bool {
			return tile.record(p, x, asked, productTile(p.M, p.N) == i)
		})
	}
	return rules
}

// class is p in a class of batches.
func (p matmulParams) class() any {
	c := p
	c.Batch, c.StrideA, c.StrideB = ir.BatchClass(p.Batch), min(p.StrideA, 1), min(p.StrideB, 1)
	switch {
	case p.Batch > 1: // as convolutions have, whose channels m and k are
	case p.TransposeA == 0: // the rows of a linear layer's input, which its weight's gradient adds up
		c.M = ir.BatchClass(p.M)
	default:
		c.K, c.K0, c.K1 = ir.BatchClass(p.K), ir.BatchClass(p.K0), ir.BatchClass(p.K1)
	}
	return c
}
