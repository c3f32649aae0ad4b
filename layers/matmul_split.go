package layers

import "github.com/pumice-ml/pumice/compute"

// Where y is small and k long, too few tiles would keep a GPU waiting: then each tile
// is computed in parts of k, by the kernels of matmul_workgroup.wgsl, and the parts are
// added up in their order.

// longPart is the shortest part of k that is worth a workgroup.
const longPart = 256

// splitRecord records the variant split. Asked for, it takes shorter parts too.
func splitRecord(t *compute.Tape, p matmulParams, x []*compute.Tensor, asked bool) bool {
	which, splits := productSplits(p.M, p.N, p.K1-p.K0)
	if asked {
		splits = max(splits, min(3, (p.K1-p.K0)/32))
	}
	if splits < 2 {
		return false
	}
	q := p.tiled(splits)
	size := p.Batch * p.M * p.N
	parts := t.ZerosF32(int(q.Splits), int(size))
	productTiles[which].kernel.Run(q, x[0], x[1], x[2], x[3], parts)
	sumInto(t, sumParams{1, 1, size, 0, 0, 1, 1, 1, q.Splits, 0, 0, size, sumChunk}, parts, x[4])
	return true
}

// productSplits chooses the tile, and the number of parts, of a product over k: as many
// as give each workgroup of a busy GPU a part, 1 where tiles are enough.
func productSplits(m, n, k uint32) (tile int, splits uint32) {
	if tile = productTile(m, n); productTiles[tile].workgroups(m, n) >= busy/2 {
		return tile, 1
	}
	if productTiles[1].fits(m, n) {
		tile = 1
	}
	return tile, max(1, min(uint32(busy/max(1, productTiles[tile].workgroups(m, n))), k/longPart))
}
