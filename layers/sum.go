package layers

import "github.com/pumice-ml/pumice/compute"

// sumChunk is how many terms one invocation adds; longer sums go in stages, in
// a fixed order.
const sumChunk = 512

// sumParams describe x as kept axes K with strides S and summed axes R with
// strides Q.
type sumParams struct {
	K0, K1, K2, S0, S1, S2 uint32
	R0, R1, R2, Q0, Q1, Q2 uint32
	Chunk                  uint32
}

func (p sumParams) kept() int { return int(p.K0 * p.K1 * p.K2) }

func (p sumParams) terms() int { return int(p.R0 * p.R1 * p.R2) }

func (p sumParams) chunks() int { return (p.terms() + int(p.Chunk) - 1) / int(p.Chunk) }

// sumRows is the sum of the rows of (kept, terms).
func sumRows(kept, terms int) sumParams {
	return sumParams{1, 1, uint32(kept), 0, 0, uint32(terms), 1, 1, uint32(terms), 0, 0, 1, sumChunk}
}

// shorten adds in stages until each kept element has at most sumChunk terms.
func shorten(t *compute.Tape, p sumParams, x *compute.Tensor) (sumParams, *compute.Tensor) {
	for p.terms() > sumChunk {
		y := t.NewF32(p.kept(), p.chunks())
		sumPartial.Run(p, x, y)
		p, x = sumRows(p.kept(), p.chunks()), y
	}
	return p, x
}

// sumInto records z += the sum of x.
func sumInto(t *compute.Tape, p sumParams, x, z *compute.Tensor) {
	if p.terms() == 0 {
		return
	}
	p, x = shorten(t, p, x)
	sumAdd.Run(p, x, z)
}

// each calls visit for every term of every kept element: x[at] belongs to
// element j, chunk c of it.
func (p sumParams) each(visit func(j, c, at int)) {
	for j := range uint32(p.kept()) {
		base := j/(p.K1*p.K2)*p.S0 + j/p.K2%p.K1*p.S1 + j%p.K2*p.S2
		for k := range uint32(p.terms()) {
			at := base + k/(p.R1*p.R2)*p.Q0 + k/p.R2%p.R1*p.Q1 + k%p.R2*p.Q2
			visit(int(j), int(k/p.Chunk), int(at))
		}
	}
}

var sumPartial = compute.NewKernel("sum.partial", func(p sumParams, b [][]float64) {
	x, y := b[0], b[1]
	clear(y)
	p.each(func(j, c, at int) { y[j*p.chunks()+c] += x[at] })
}, compute.ReduceOf(func(p sumParams) int { return min(int(p.Chunk), p.terms()) }))

var sumAdd = compute.NewKernel("sum.add", func(p sumParams, b [][]float64) {
	x, z := b[0], b[1]
	p.each(func(j, _, at int) { z[j] += x[at] })
}, compute.ReduceOf(sumParams.terms))
