package layers

import (
	"slices"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/internal/rule"
)

// convRules are the rules of a convolution and its gradients, the preferred first: what
// GPUs take, a product of matrices where it is one, Winograd's where it is exact enough,
// and tiles; then what was made for processors; and the ReLU that is done with the sums.
func convRules() (rules []ir.Rule) {
	add := func(name string, suits func(compute.Info) bool, of *compute.Kernel, record func(t *compute.Tape, p convParams, x []*compute.Tensor, asked bool) bool) *ir.Rule {
		rules = append(rules, variant(name, of, suits, record))
		return &rules[len(rules)-1]
	}
	add("matmul", hardware, convForward, func(t *compute.Tape, p convParams, x []*compute.Tensor, _ bool) bool {
		ok := p.pointwise(t.Device().Info())
		if ok {
			p.matmulForward(t, x[0], x[1], x[2], x[3])
		}
		return ok
	})
	add("matmul", hardware, convBackwardX, func(t *compute.Tape, p convParams, x []*compute.Tensor, _ bool) bool {
		ok := p.pointwise(t.Device().Info())
		if ok {
			n, c, k, size := int(p.N), int(p.C), int(p.K), int(p.H*p.W)
			MatMul(t.Reshape(x[0], 1, k, c), t.Reshape(x[1], n, k, size), t.Reshape(x[2], n, c, size), MatMulOptions{TransposeA: true})
		}
		return ok
	})
	for _, w := range []struct {
		name  string
		suits func(compute.Info) bool
		*winograd
	}{{"winograd4", winograd4Suits, winograd4}, {"winograd2", hardware, winograd2}} {
		add(w.name, w.suits, convForward, func(t *compute.Tape, p convParams, x []*compute.Tensor, asked bool) bool {
			return (asked || w.taken(p)) && w.record(t, p, false, x[0], x[1], x[2], x[3])
		}).Prove = rule.Prove(func(dev *compute.Device) error { return w.prove(dev, false) })
		add(w.name, w.suits, convBackwardX, func(t *compute.Tape, p convParams, x []*compute.Tensor, asked bool) bool {
			return p.StrideH == 1 && p.StrideW == 1 && (asked || w.taken(p.turned())) && w.record(t, p.turned(), true, x[1], x[0], x[0], x[2])
		}).Prove = rule.Prove(func(dev *compute.Device) error { return w.prove(dev, true) })
	}
	for _, c := range convTiles {
		add(c.name, c.suits, convForward, func(_ *compute.Tape, p convParams, x []*compute.Tensor, asked bool) bool {
			rows, columns := p.K/p.Groups, p.N*p.OH*p.OW
			return runIf(c.takes(asked, rows, columns, outputTile(rows, columns, p.Groups), uint32(p.terms())), c.kernel, p, x[0], x[1], x[1], x[2], x[3])
		})
		add(c.name, c.suits, convBackwardX, func(_ *compute.Tape, p convParams, x []*compute.Tensor, asked bool) bool {
			rows, columns := p.C/p.Groups, p.N*p.H*p.W
			return runIf(c.takes(asked, rows, columns, outputTile(rows, columns, p.Groups), uint32(p.turnedTerms())), c.backwardX, p, x...)
		})
		add(c.name, c.suits, convSplit, func(_ *compute.Tape, p convParams, x []*compute.Tensor, asked bool) bool {
			best, _ := p.ranges()
			return runIf(c.takes(asked, p.K/p.Groups, p.C/p.Groups*p.R*p.S, best, p.part()), c.split, p, x[0], x[1], x[1], x[2])
		})
	}
	for _, d := range convDirects {
		add(d.name, hardware, convForward, func(_ *compute.Tape, p convParams, x []*compute.Tensor, asked bool) bool {
			return runIf(d.takes(asked, p, p.K/p.Groups, uint32(p.terms())), d.forward, p, x...)
		})
		add(d.name, hardware, convBackwardX, func(_ *compute.Tape, p convParams, x []*compute.Tensor, asked bool) bool {
			return runIf(d.takes(asked, p, p.C/p.Groups, uint32(p.turnedTerms())), d.backwardX, p, x...)
		})
		add(d.name, hardware, convSplit, func(_ *compute.Tape, p convParams, x []*compute.Tensor, asked bool) bool {
			return runIf(d.takesWeights(asked, p), d.split, p, x...)
		})
	}
	for _, s := range convSubgroups {
		add(s.name, software, convForward, func(_ *compute.Tape, p convParams, x []*compute.Tensor, _ bool) bool {
			return s.record(p, false, x[0], x[1], x[2], x[3])
		})
		add(s.name, software, convBackwardX, func(_ *compute.Tape, p convParams, x []*compute.Tensor, _ bool) bool {
			return p.StrideH == 1 && p.StrideW == 1 && s.record(p.turned(), true, x[1], x[0], x[0], x[2])
		})
	}
	add("tiled", nil, convForward, func(t *compute.Tape, p convParams, x []*compute.Tensor, _ bool) bool {
		return runTiled(t, p, false, x[0], x[1], x[2], x[3])
	})
	add("tiled", nil, convBackwardX, func(t *compute.Tape, p convParams, x []*compute.Tensor, _ bool) bool {
		return p.StrideH == 1 && p.StrideW == 1 && runTiled(t, p.turned(), true, x[1], x[0], x[0], x[2])
	})
	for _, s := range convSplits {
		add(s.name, s.suits, convSplit, s.record)
	}
	return append(rules, rule.New("rectified", []*compute.Kernel{convForward, reluForward}, func(_ *compute.Tape, runs []rule.Run, _ bool) bool {
		p, x, relu := runs[0].Params.(convParams), runs[0].Tensors, runs[1].Tensors
		if p.Rectified != 0 || !relu[0].Same(x[3]) || relu[1].Same(x[3]) {
			return false
		}
		p.Rectified = 1
		convForward.Run(p, append(slices.Clone(x[:3]), relu[1])...)
		return true
	}))
}

// class is p in a class of batches.
func (p convParams) class() any {
	p.N, p.Splits = ir.BatchClass(p.N), ir.BatchClass(p.Splits)
	return p
}

// fewTerms is how long sums are, at least, that are worth a step of a tile.
const fewTerms = 16

// takes reports whether c computes a matrix of rows by columns, of sums of so many terms,
// where the best tile is so high. Asked for, any that fits does.
func (c convTile) takes(asked bool, rows, columns uint32, best int, terms uint32) bool {
	if asked {
		return terms <= longest && c.fits(rows, columns)
	}
	return terms <= longest && terms >= c.terms && best == c.rows()
}

// outputTile is the height of the best tile for y, or dx, of so many channels of a group
// by so many spots: the largest that makes enough workgroups, and fits. It is 0 where the
// channels would leave most of the lowest tile empty; how many spots there are does not
// matter, for other kernels add in another order.
func outputTile(channels, spots, groups uint32) int {
	last := convTiles[len(convTiles)-1].rows()
	switch {
	case 4*int(channels) < 3*last:
		return 0
	case int(channels) <= last:
		return last
	}
	for _, c := range convTiles[:len(convTiles)-2] {
		if c.workgroups(channels, spots)*int(groups) >= busy && c.fits(channels, spots) {
			return c.rows()
		}
	}
	return convTiles[len(convTiles)-2].rows()
}

// ranges is the height of the best tile for the gradient of the weights, the largest that
// fits, or 0 where none does, and in how many splits it makes enough workgroups, each with
// a range of spots that is worth one.
func (p convParams) ranges() (tile int, splits uint32) {
	channels, taps, spots := p.K/p.Groups, p.C/p.Groups*p.R*p.S, p.N*p.OH*p.OW
	for _, c := range convTiles {
		if c.fits(channels, taps) {
			few := uint32(c.workgroups(channels, taps)) * p.Groups
			return c.rows(), max(1, min((2*busy+few-1)/few, spots/longPart), (spots+longest-1)/longest)
		}
	}
	return 0, 0
}
