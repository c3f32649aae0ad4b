package layers

import (
	"math"
	"os"
	"slices"
	"strings"

	"github.com/pumice-ml/pumice/compute"
)

// winograd is the convolution of winograd2.wgsl or winograd4.wgsl, for kernels of 3 x 3
// taps and stride 1: y = A^T (sum over c of (G w G^T) * (B^T d B)) A. Of outputs by
// outputs numbers, 9*outputs*outputs products of the definition become
// (outputs+2)*(outputs+2), which matrix products sum over the channels.
//
// On GPUs the bits of an image may depend on the batch, as those of a row of MatMul may.
type winograd struct {
	outputs int
	g, b, a [][]float64 // G, B^T, A^T
	// Roundings of a number on its way through G, B^T and A^T, one pass over columns and
	// one over rows each; factors that are powers of 2 round nothing.
	roundingsG, roundingsB, roundingsA int
	// worse is how many times the bound of a direct convolution the bound may be, for
	// operands of one magnitude (see relative).
	worse float64

	filters, inputs, sums *compute.Kernel
}

var winograd2 = (&winograd{
	outputs: 2,
	g:       [][]float64{{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}},
	b:       [][]float64{{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, 1, 0, -1}},
	a:       [][]float64{{1, 1, 1, 0}, {0, 1, -1, -1}},
	// Two sums of three numbers, two differences, two sums of three.
	roundingsG: 4, roundingsB: 2, roundingsA: 4, worse: 1.5,
}).declare("winograd2")

var winograd4 = (&winograd{
	outputs: 4,
	g: [][]float64{
		{1. / 4, 0, 0}, {-1. / 6, -1. / 6, -1. / 6}, {-1. / 6, 1. / 6, -1. / 6},
		{1. / 24, 1. / 12, 1. / 6}, {1. / 24, -1. / 12, 1. / 6}, {0, 0, 1},
	},
	b: [][]float64{
		{4, 0, -5, 0, 1, 0}, {0, -4, -4, 1, 1, 0}, {0, 4, -4, -1, 1, 0},
		{0, -2, -1, 2, 1, 0}, {0, 2, -1, -2, 1, 0}, {0, 4, 0, -5, 0, 1},
	},
	a: [][]float64{{1, 1, 1, 1, 1, 0}, {0, 1, -1, 2, -2, 0}, {0, 1, 1, 4, 4, 0}, {0, 1, -1, 8, -8, 1}},
	// In one pass: two additions, a factor and its own rounding; 5 times a number and
	// two additions; three additions.
	roundingsG: 8, roundingsB: 6, roundingsA: 6, worse: 64,
}).declare("winograd4")

type winogradParams struct {
	N, C, H, W, K, OH, OW     uint32
	PadH, PadW                int32
	Biased, Rectified, Turned uint32
}

// declare makes the kernels.
func (w *winograd) declare(name string) *winograd {
	of := w.magnitudes()
	w.filters = compute.NewKernel(name+".filters", w.defineFilters, bounded(of.defineFilters, w.roundingsG, w.flushed(w.g)))
	w.inputs = compute.NewKernel(name+".inputs", w.defineInputs, bounded(of.defineInputs, w.roundingsB, w.flushed(w.b)))
	w.sums = compute.NewKernel(name+".outputs", w.defineOutputs, bounded(of.defineOutputs, w.roundingsA+2, w.flushed(w.a)))
	return w
}

// mostTransformed is how many bytes a tensor of transformed pixels, or sums, may have:
// kernels that need none leave the memory to others.
const mostTransformed = 1 << 28

// taken reports whether a tape takes the convolution by itself.
func (w *winograd) taken(p convParams) bool {
	return p.C >= 16 && p.K >= 16 && w.relative(int(p.C)) <= w.worse
}

// record records y += bias + the convolution of x, and reports whether it can.
func (w *winograd) record(t *compute.Tape, p convParams, turned bool, x, weight, bias, y *compute.Tensor) bool {
	if p.R != 3 || p.S != 3 || p.StrideH != 1 || p.StrideW != 1 || p.DilationH != 1 || p.DilationW != 1 || p.Groups != 1 || p.N == 0 {
		return false
	}
	side := w.outputs + 2
	c, k, tiles := int(p.C), int(p.K), w.tiles(p.N, p.OH, p.OW)
	limits := t.Device().Info().Limits
	if uint64(4*side*side)*uint64(max(c*k, c*tiles, k*tiles)) > min(limits.StorageBindingSize, limits.BufferSize, mostTransformed) {
		return false
	}
	q := winogradParams{
		N: p.N, C: p.C, H: p.H, W: p.W, K: p.K, OH: p.OH, OW: p.OW, PadH: p.PadH, PadW: p.PadW, Biased: p.Biased, Rectified: p.Rectified,
	}
	if turned {
		q.Turned = 1
	}
	u, v, z := t.NewF32(side*side, k, c), t.NewF32(side*side, c, tiles), t.ZerosF32(side*side, k, tiles)
	w.filters.Run(q, weight, u)
	w.inputs.Run(q, x, v)
	MatMul(u, v, z, MatMulOptions{})
	w.sums.Run(q, z, bias, y)
	return true
}

func (w *winograd) tiles(n, oh, ow uint32) int {
	return int(n) * ((int(oh) + w.outputs - 1) / w.outputs) * ((int(ow) + w.outputs - 1) / w.outputs)
}

// both is l x l^T.
func both(l [][]float64, x []float64) []float64 {
	rows, side := len(l), len(l[0])
	y := make([]float64, rows*rows)
	for i := range rows {
		for j := range rows {
			for r := range side {
				for s := range side {
					if l[i][r] != 0 && l[j][s] != 0 {
						y[i*rows+j] += l[i][r] * x[r*side+s] * l[j][s]
					}
				}
			}
		}
	}
	return y
}

func (w *winograd) defineFilters(p winogradParams, b [][]float64) {
	weight, u := b[0], b[1]
	c, k := int(p.C), int(p.K)
	for i := range k * c {
		g := slices.Clone(weight[i*9:][:9])
		if p.Turned != 0 {
			g = slices.Clone(weight[(i%c*k+i/c)*9:][:9])
			slices.Reverse(g)
		}
		for e, v := range both(w.g, g) {
			u[e*k*c+i] = v
		}
	}
}

func (w *winograd) defineInputs(p winogradParams, b [][]float64) {
	x, v := b[0], b[1]
	side, tiles := w.outputs+2, w.tiles(p.N, p.OH, p.OW)
	down, across := w.tiles(1, p.OH, 1), w.tiles(1, 1, p.OW)
	d := make([]float64, side*side)
	for c := range int(p.C) {
		for tile := range tiles {
			image, ty, tx := tile/(down*across), tile/across%down, tile%across
			for at := range d {
				iy, ix := ty*w.outputs+at/side-int(p.PadH), tx*w.outputs+at%side-int(p.PadW)
				d[at] = 0
				if iy >= 0 && iy < int(p.H) && ix >= 0 && ix < int(p.W) {
					d[at] = x[((image*int(p.C)+c)*int(p.H)+iy)*int(p.W)+ix]
				}
			}
			for e, value := range both(w.b, d) {
				v[(e*int(p.C)+c)*tiles+tile] = value
			}
		}
	}
}

func (w *winograd) defineOutputs(p winogradParams, b [][]float64) {
	z, bias, y := b[0], b[1], b[2]
	side, tiles := w.outputs+2, w.tiles(p.N, p.OH, p.OW)
	down, across := w.tiles(1, p.OH, 1), w.tiles(1, 1, p.OW)
	m := make([]float64, side*side)
	for k := range int(p.K) {
		for tile := range tiles {
			image, ty, tx := tile/(down*across), tile/across%down, tile%across
			for e := range m {
				m[e] = z[(e*int(p.K)+k)*tiles+tile]
			}
			for at, v := range both(w.a, m) {
				oy, ox := ty*w.outputs+at/w.outputs, tx*w.outputs+at%w.outputs
				if oy >= int(p.OH) || ox >= int(p.OW) {
					continue
				}
				i := ((image*int(p.K)+k)*int(p.OH)+oy)*int(p.OW) + ox
				if p.Biased != 0 {
					v += bias[k]
				}
				if y[i] += v; p.Rectified != 0 {
					y[i] = max(y[i], 0)
				}
			}
		}
	}
}

// winograd4Suits reports whether a device takes F(4 x 4, 3 x 3), whose bound is many times
// that of a direct convolution: where PUMICE_DEBUG has +winograd4.
func winograd4Suits(info compute.Info) bool {
	return hardware(info) && slices.Contains(strings.Split(os.Getenv("PUMICE_DEBUG"), ","), "+winograd4")
}

// flushed is how far subnormal results that are taken for zeros may move a number that
// has gone through l twice: in a pass at most 6 operations, whose results are multiplied
// by at most 8 in that pass and by a row of l in the next.
func (w *winograd) flushed(l [][]float64) float64 {
	row := 0.0
	for _, r := range l {
		sum := 0.0
		for _, v := range r {
			sum += math.Abs(v)
		}
		row = max(row, sum)
	}
	return 6 * 8 * (1 + row) * smallest
}

// smallest is the smallest normal float32.
const smallest = 0x1p-126
