package layers

import (
	"runtime"
	"sync"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"

	"github.com/pumice-ml/pumice/compute"
)

// The definitions of the convolution: a matrix of the input's patches (im2col)
// and one product for each image and group.

// patches sets m, of (c/groups*r*s, oh*ow), to the patches of one group of one
// image: row (c, r, s) holds what tap (r, s) of channel c sees at each output.
func (p *convParams) patches(m, image []float64, group int) {
	inner := int(p.C / p.Groups)
	i := 0
	for c := range inner {
		plane := image[(group*inner+c)*int(p.H*p.W):][:p.H*p.W]
		for r := range int(p.R) {
			for s := range int(p.S) {
				for oy := range int(p.OH) {
					y := oy*int(p.StrideH) - int(p.PadH) + r*int(p.DilationH)
					for ox := range int(p.OW) {
						x := ox*int(p.StrideW) - int(p.PadW) + s*int(p.DilationW)
						m[i] = 0
						if y >= 0 && y < int(p.H) && x >= 0 && x < int(p.W) {
							m[i] = plane[y*int(p.W)+x]
						}
						i++
					}
				}
			}
		}
	}
}

// eachImage calls f for every image, on all cores.
func eachImage(n int, f func(image int)) {
	var wg sync.WaitGroup
	cores := runtime.GOMAXPROCS(0)
	for first := range min(cores, n) {
		wg.Go(func() {
			for i := first; i < n; i += cores {
				f(i)
			}
		})
	}
	wg.Wait()
}

func general(rows, cols int, data []float64) blas64.General {
	return blas64.General{Rows: rows, Cols: cols, Stride: cols, Data: data}
}

func (p *convParams) sizes() (inner, outer, taps, out int) {
	inner, outer = int(p.C/p.Groups), int(p.K/p.Groups)
	return inner, outer, inner * int(p.R*p.S), int(p.OH * p.OW)
}

func convForwardDefine(p convParams, b [][]float64) {
	x, weight, bias, y := b[0], b[1], b[2], b[3]
	_, outer, taps, out := p.sizes()
	eachImage(int(p.N), func(n int) {
		m := make([]float64, taps*out)
		for g := range int(p.Groups) {
			p.patches(m, x[n*int(p.C*p.H*p.W):], g)
			to := y[(n*int(p.K)+g*outer)*out:][:outer*out]
			if p.Biased != 0 {
				for i := range to {
					to[i] += bias[g*outer+i/out]
				}
			}
			blas64.Gemm(blas.NoTrans, blas.NoTrans, 1, general(outer, taps, weight[g*outer*taps:]), general(taps, out, m), 1, general(outer, out, to))
		}
	})
	if p.Rectified != 0 {
		for i, v := range y {
			y[i] = max(v, 0)
		}
	}
}

func convBackwardXDefine(p convParams, b [][]float64) {
	weight, dy, dx := b[0], b[1], b[2]
	inner, outer, taps, out := p.sizes()
	eachImage(int(p.N), func(n int) {
		m := make([]float64, taps*out)
		for g := range int(p.Groups) {
			from := dy[(n*int(p.K)+g*outer)*out:]
			blas64.Gemm(blas.Trans, blas.NoTrans, 1, general(outer, taps, weight[g*outer*taps:]), general(outer, out, from), 0, general(taps, out, m))
			i := 0
			for c := range inner {
				plane := dx[((n*int(p.C))+g*inner+c)*int(p.H*p.W):][:p.H*p.W]
				for r := range int(p.R) {
					for s := range int(p.S) {
						for oy := range int(p.OH) {
							y := oy*int(p.StrideH) - int(p.PadH) + r*int(p.DilationH)
							for ox := range int(p.OW) {
								x := ox*int(p.StrideW) - int(p.PadW) + s*int(p.DilationW)
								if y >= 0 && y < int(p.H) && x >= 0 && x < int(p.W) {
									plane[y*int(p.W)+x] += m[i]
								}
								i++
							}
						}
					}
				}
			}
		}
	})
}

// spot is an element of a plane of dy: an image, a row and a column.
type spot struct{ image, y, x int }

// parts sets part (splits, length) to dY^T times the patches, and to the sum of dY
// behind that, each split over its own spots.
func (p *convParams) parts(x, dy, part []float64, splits [][]spot) {
	inner, outer, taps, out := p.sizes()
	eachImage(len(splits), func(which int) {
		spots := splits[which]
		columns := max(len(spots), 1) // zeros where there is none
		m, d := make([]float64, taps*columns), make([]float64, outer*columns)
		top, left := make([]int, len(spots)), make([]int, len(spots)) // where the first tap falls
		for i, at := range spots {
			top[i], left[i] = at.y*int(p.StrideH)-int(p.PadH), at.x*int(p.StrideW)-int(p.PadW)
		}
		db := part[which*p.length()+int(p.K)*taps:][:p.Biased*p.K]
		clear(db)
		for g := range int(p.Groups) {
			for k := range outer {
				to := d[k*columns:][:len(spots)]
				for i, at := range spots {
					to[i] = dy[(at.image*int(p.K)+g*outer+k)*out+at.y*int(p.OW)+at.x]
				}
				if p.Biased != 0 {
					db[g*outer+k] = floats.Sum(to)
				}
			}
			for tap := range taps {
				c, r, s := tap/int(p.R*p.S), tap/int(p.S)%int(p.R), tap%int(p.S)
				to := m[tap*columns:][:len(spots)]
				for i, at := range spots {
					iy, ix := top[i]+r*int(p.DilationH), left[i]+s*int(p.DilationW)
					to[i] = 0
					if iy >= 0 && iy < int(p.H) && ix >= 0 && ix < int(p.W) {
						to[i] = x[((at.image*int(p.C)+g*inner+c)*int(p.H)+iy)*int(p.W)+ix]
					}
				}
			}
			blas64.Gemm(blas.NoTrans, blas.Trans, 1, general(outer, columns, d), general(taps, columns, m), 0,
				general(outer, taps, part[which*p.length()+g*outer*taps:]))
		}
	})
}

func (p convParams) terms() int { return int(p.C/p.Groups*p.R*p.S) + 1 }

func (p convParams) turnedTerms() int { return int(p.K / p.Groups * p.R * p.S) }

var convForward = compute.NewKernel("conv2d.forward", convForwardDefine, compute.DotOf(convParams.terms))

var convBackwardX = compute.NewKernel("conv2d.backward_x", convBackwardXDefine, compute.DotOf(convParams.turnedTerms))

var convSplit = compute.NewKernel("conv2d.split", func(p convParams, b [][]float64) {
	x, dy, part := b[0], b[1], b[2]
	splits := make([][]spot, p.Splits)
	for i := range int(p.N * p.OH * p.OW) {
		which := i % len(splits)
		splits[which] = append(splits[which], spot{i / int(p.OH*p.OW), i / int(p.OW) % int(p.OH), i % int(p.OW)})
	}
	p.parts(x, dy, part, splits)
}, compute.DotOf(func(p convParams) int { return int((p.N*p.OH*p.OW + p.Splits - 1) / p.Splits) }))

var convJoin = compute.NewKernel("conv2d.join", func(p convParams, b [][]float64) {
	parts, dw := b[0], b[1]
	for i, v := range parts {
		if at := i % p.length(); at < len(dw) {
			dw[at] += v
		}
	}
}, compute.ReduceOf(func(p convParams) int { return int(p.Splits) }))

var convJoinBiased = compute.NewKernel("conv2d.join_biased", func(p convParams, b [][]float64) {
	parts, dw, db := b[0], b[1], b[2]
	for i, v := range parts {
		if at := i % p.length(); at < len(dw) {
			dw[at] += v
		} else {
			db[at-len(dw)] += v
		}
	}
}, compute.ReduceOf(func(p convParams) int { return int(p.Splits) }))
