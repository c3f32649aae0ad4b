package layers

import "github.com/pumice-ml/pumice/compute"

// What GPUs take for a convolution, the preferred first: a product of matrices where it
// is one, Winograd's where it is exact enough, and tiles. The variants are added here and so, by the name of
// this file, before those of conv2d_subgroup.go and conv2d_tiled.go, which were made for
// processors.

func init() {
	convForward.Prefer(compute.Variant{Name: "matmul", Suits: hardware, Record: func(t *compute.Tape, params any, x []*compute.Tensor) bool {
		p := params.(convParams)
		ok := p.pointwise(t.Device().Info())
		if ok {
			p.matmulForward(t, x[0], x[1], x[2], x[3])
		}
		return ok
	}})
	convBackwardX.Prefer(compute.Variant{Name: "matmul", Suits: hardware, Record: func(t *compute.Tape, params any, x []*compute.Tensor) bool {
		p := params.(convParams)
		ok := p.pointwise(t.Device().Info())
		if ok {
			n, c, k, size := int(p.N), int(p.C), int(p.K), int(p.H*p.W)
			MatMul(t.Reshape(x[0], 1, k, c), t.Reshape(x[1], n, k, size), t.Reshape(x[2], n, c, size), MatMulOptions{TransposeA: true})
		}
		return ok
	}})
	winograd4.prefer("winograd4", winograd4Suits)
	winograd2.prefer("winograd2", hardware)
	for _, c := range convTiles {
		convForward.Prefer(compute.Variant{Name: c.name, Suits: c.suits, Record: func(t *compute.Tape, params any, x []*compute.Tensor) bool {
			p := params.(convParams)
			rows, columns := p.K/p.Groups, p.N*p.OH*p.OW
			ok := c.takes(t, rows, columns, outputTile(rows, columns, p.Groups), uint32(p.terms()))
			if ok {
				c.kernel.Run(p, x[0], x[1], x[1], x[2], x[3])
			}
			return ok
		}})
		convBackwardX.Prefer(compute.Variant{Name: c.name, Suits: c.suits, Record: func(t *compute.Tape, params any, x []*compute.Tensor) bool {
			p := params.(convParams)
			rows, columns := p.C/p.Groups, p.N*p.H*p.W
			ok := c.takes(t, rows, columns, outputTile(rows, columns, p.Groups), uint32(p.turnedTerms()))
			if ok {
				c.backwardX.Run(p, x...)
			}
			return ok
		}})
		convSplit.Prefer(compute.Variant{Name: c.name, Suits: c.suits, Record: func(t *compute.Tape, params any, x []*compute.Tensor) bool {
			p := params.(convParams)
			best, _ := p.ranges()
			ok := c.takes(t, p.K/p.Groups, p.C/p.Groups*p.R*p.S, best, p.part())
			if ok {
				c.split.Run(p, x[0], x[1], x[1], x[2])
			}
			return ok
		}})
	}
	for _, d := range convDirects {
		convForward.Prefer(compute.Variant{Name: d.name, Suits: hardware, Record: func(t *compute.Tape, params any, x []*compute.Tensor) bool {
			p := params.(convParams)
			ok := d.takes(t, p, p.K/p.Groups, uint32(p.terms()))
			if ok {
				d.forward.Run(p, x...)
			}
			return ok
		}})
		convBackwardX.Prefer(compute.Variant{Name: d.name, Suits: hardware, Record: func(t *compute.Tape, params any, x []*compute.Tensor) bool {
			p := params.(convParams)
			ok := d.takes(t, p, p.C/p.Groups, uint32(p.turnedTerms()))
			if ok {
				d.backwardX.Run(p, x...)
			}
			return ok
		}})
		convSplit.Prefer(compute.Variant{Name: d.name, Suits: hardware, Record: func(t *compute.Tape, params any, x []*compute.Tensor) bool {
			p := params.(convParams)
			ok := d.takesWeights(t, p)
			if ok {
				d.split.Run(p, x...)
			}
			return ok
		}})
	}
}

// fewTerms is how long sums are, at least, that are worth a step of a tile.
const fewTerms = 16

// takes reports whether c computes a matrix of rows by columns, of sums of so many terms,
// where the best tile is so high. Where a tape asks for a variant by name, any that fits
// does.
func (c convTile) takes(t *compute.Tape, rows, columns uint32, best int, terms uint32) bool {
	if t.Variant != "" {
		return terms <= longest && c.fits(rows, columns)
	}
	return terms <= longest && terms >= c.terms && best == c.rows
}

// outputTile is the height of the best tile for y, or dx, of so many channels of a group
// by so many spots: the largest that makes enough workgroups, and fits. It is 0 where the
// channels would leave most of the lowest tile empty; how many spots there are does not
// matter, for other kernels add in another order.
func outputTile(channels, spots, groups uint32) int {
	last := convTiles[len(convTiles)-1].rows
	switch {
	case 4*int(channels) < 3*last:
		return 0
	case int(channels) <= last:
		return last
	}
	for _, c := range convTiles[:len(convTiles)-2] {
		if c.workgroups(channels, spots)*int(groups) >= busy && c.fits(channels, spots) {
			return c.rows
		}
	}
	return convTiles[len(convTiles)-2].rows
}

// ranges is the height of the best tile for the gradient of the weights, the largest that
// fits, or 0 where none does, and in how many splits it makes enough workgroups, each with
// a range of spots that is worth one.
func (p convParams) ranges() (tile int, splits uint32) {
	channels, taps, spots := p.K/p.Groups, p.C/p.Groups*p.R*p.S, p.N*p.OH*p.OW
	for _, c := range convTiles {
		if c.fits(channels, taps) {
			few := uint32(c.workgroups(channels, taps)) * p.Groups
			return c.rows, max(1, min((2*busy+few-1)/few, spots/longPart), (spots+longest-1)/longest)
		}
	}
	return 0, 0
}
