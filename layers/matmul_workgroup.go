package layers

import "github.com/pumice-ml/pumice/compute"

// The kernels of matmul_workgroup.wgsl hold tiles of A and B in the memory of a
// workgroup, as suits GPUs. Software adapters run barriers slowly, and keep the plain
// kernel.
//
// All tiles add along k in the same order. The tile depends on m, n and k, not on the
// batch, so that every matrix of a batch has the bits that it has alone. But a matrix
// of few rows is taken by another variant than one of many (split, matvec), which adds
// in another order: on GPUs the bits of a row may depend on how many rows there are.

// tile is a kernel that computes rows by columns of y in a workgroup.
type tile struct {
	name   string
	kernel *compute.Kernel
}

func (t tile) rows() int { return constant(t.kernel, "tile_m") }

func (t tile) columns() int { return constant(t.kernel, "tile_n") }

// productTiles are the tiles, the largest first.
var productTiles = []tile{
	newTile("workgroup128", "matmul_workgroup.forward"),
	newTile("workgroup64", "matmul_workgroup.forward,tile_m=64,tile_n=64,columns=4"),
	newTile("workgroup32", "matmul_workgroup.forward,tile_m=32,tile_n=64,rows=4,columns=4"),
	newTile("skinny", "matmul_workgroup.forward,tile_m=16,rows=4,columns=4"),
}

func newTile(name, kernel string) tile {
	return tile{name, compute.NewKernel(kernel, matmulTiledDefine, compute.DotOf(func(p matmulTiledParams) int { return int(p.Part) }))}
}

// deepTile is the largest tile with twice the columns of A at a time, in 32 KiB of a
// workgroup's memory, which not all GPUs have and integrated ones have no more of.
var deepTile = newTile("workgroup128deep", "matmul_workgroup.forward,tile_k=32")

// deepSum is the shortest sum that is worth it.
const deepSum = 256

// record records y += the product where the tile is to be taken, or, asked for, fits.
func (t tile) record(p matmulParams, x []*compute.Tensor, asked, best bool) bool {
	if asked && !t.fits(p.M, p.N) || !asked && !best {
		return false
	}
	return runIf(true, t.kernel, p.tiled(1), x...)
}

// busy is how many workgroups keep a large GPU busy.
const busy = 128

// productTile is the index of the tile to take for a matrix: the largest that makes
// enough workgroups, and fits.
func productTile(m, n uint32) int {
	last := len(productTiles) - 1
	if int(m) <= productTiles[last].rows() {
		return last
	}
	for i, t := range productTiles[:last-1] {
		if t.workgroups(m, n) >= busy && t.fits(m, n) {
			return i
		}
	}
	return last - 1
}

// fits reports whether the matrix fills three quarters of a tile in both directions.
func (t tile) fits(m, n uint32) bool { return 4*int(m) >= 3*t.rows() && 4*int(n) >= 3*t.columns() }

func (t tile) workgroups(m, n uint32) int {
	return ((int(m) + t.rows() - 1) / t.rows()) * ((int(n) + t.columns() - 1) / t.columns())
}

type matmulTiledParams struct {
	Batch, M, N, K, K0, K1                                 uint32
	TransposeA, TransposeB, StrideA, StrideB, Splits, Part uint32
}

// tiled is p in at most so many parts of the columns of A, of whole steps of a tile.
func (p matmulParams) tiled(splits uint32) matmulTiledParams {
	step := uint32(constant(productTiles[0].kernel, "tile_k"))
	part := ((p.K1-p.K0+splits-1)/splits + step - 1) / step * step
	return matmulTiledParams{
		p.Batch, p.M, p.N, p.K, p.K0, p.K1,
		p.TransposeA, p.TransposeB, p.StrideA, p.StrideB, (p.K1 - p.K0 + part - 1) / part, part,
	}
}

func matmulTiledDefine(p matmulTiledParams, b [][]float64) {
	size := p.Batch * p.M * p.N
	for s := range p.Splits {
		from := p.K0 + s*p.Part
		matmulDefine(matmulParams{
			p.Batch, p.M, p.N, p.K, from, min(from+p.Part, p.K1),
			p.TransposeA, p.TransposeB, p.StrideA, p.StrideB,
		}, [][]float64{b[0], b[1], b[2], b[3], b[4][s*size:]})
	}
}
