package layers

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/internal/rule"
	"github.com/pumice-ml/pumice/internal/tapeoption"
)

// productShape is of a product, whose b serves the whole batch where it is shared.
type productShape struct {
	batch, m, k, n int
	o              MatMulOptions
	shared         bool
}

func (s productShape) operands(t *compute.Tape) (a, b *compute.Tensor, values map[*compute.Tensor][]float32) {
	left, right := []int{s.batch, s.m, s.k}, []int{s.batch, s.k, s.n}
	if s.o.TransposeA {
		left[1], left[2] = left[2], left[1]
	}
	if s.o.TransposeB {
		right[1], right[2] = right[2], right[1]
	}
	if s.shared {
		right[0] = 1
	}
	a, b = t.Input("a", compute.F32, left...), t.Input("b", compute.F32, right...)
	values = map[*compute.Tensor][]float32{}
	for i, x := range []*compute.Tensor{a, b} {
		v := make([]float32, x.Len())
		for j := range v {
			v[j] = 2*float32(compute.Uniform(compute.RandomBits(5, uint32(i), 0, uint32(j))[0])) - 1
		}
		values[x] = v
	}
	return a, b, values
}

// TestMatMulVariants judges each variant, and the plain kernel, whatever the device, where it assigns and
// where it adds, and in grids that are folded so that workgroups are left over. The params
// of the first shape that it takes are baked, or of all with PUMICE_TESTS=full: the others
// share a text.
func TestMatMulVariants(t *testing.T) {
	dev := devicetest.Open(t)
	devicetest.NoLeaks(t, dev)
	for _, name := range variantsOf(matmulForward) {
		runs := 0
		for _, s := range []productShape{
			{batch: 2, m: 97, k: 68, n: 132, shared: true},
			{batch: 3, m: 67, k: 65, n: 50, o: MatMulOptions{TransposeA: true, TransposeB: true}},
			{batch: 2, m: 5, k: 68, n: 30, o: MatMulOptions{TransposeB: true}},
			{batch: 1, m: 1, k: 3, n: 1},
		} {
			tape := compute.NewTape(dev, &tapeoption.Switches{Variant: name, Row: 4})
			a, b, values := s.operands(tape)
			y := tape.Zeros(s.batch, s.m, s.n)
			MatMul(a, b, y, s.o)
			MatMul(a, b, y, s.o)
			tape.Keep(y)
			if !varies(tape) && name != "plain" {
				continue
			}
			var without []string
			if runs > 0 && !devicetest.Full() {
				without = unbaked()
			}
			runs++
			t.Run(fmt.Sprint(name, s), func(t *testing.T) {
				found, err := devicetest.Verify(tape, func(p *compute.Program) error {
					return errors.Join(p.Write(a, values[a]), p.Write(b, values[b]))
				}, without...)
				devicetest.Check(t, found, err)
			})
		}
		if runs == 0 && !elsewhere(dev, name) {
			t.Errorf("%s takes none of the shapes", name)
		}
	}
}

// TestMatMulVariantRanges runs each variant over a part of the columns of A.
func TestMatMulVariantRanges(t *testing.T) {
	dev := devicetest.Open(t)
	for _, name := range variantsOf(matmulForward) {
		if name == "plain" {
			continue
		}
		m := 97
		if name == "matvec" {
			m = 7
		}
		tape := compute.NewTape(dev, &tapeoption.Switches{Variant: name})
		rule.Use(tape, matmulRules()...)
		a, b, values := productShape{batch: 2, m: m, k: 100, n: 101, o: MatMulOptions{TransposeB: true}}.operands(tape)
		y := tape.Zeros(2, m, 101)
		p := matmulParams{Batch: 2, M: uint32(m), N: 101, K: 100, K0: 8, K1: 96, TransposeB: 1, StrideA: uint32(m) * 100, StrideB: 10_100}
		matmulForward.Run(p, a, b, a, b, y)
		tape.Keep(y)
		if elsewhere(dev, name) {
			continue
		}
		if !varies(tape) {
			t.Errorf("%s does not take %+v", name, p)
		}
		found, err := devicetest.Verify(tape, func(p *compute.Program) error {
			return errors.Join(p.Write(a, values[a]), p.Write(b, values[b]))
		})
		devicetest.Check(t, found, err)
	}
}

// varies reports whether a variant takes the product that the tape records.
func varies(t *compute.Tape) bool {
	return devicetest.Lowered(t)[0].Kernel != (*ir.Kernel)(matmulForward)
}

// elsewhere reports whether a variant is for subgroups of another size than dev's, or
// for more memory of a workgroup.
func elsewhere(dev *compute.Device, variant string) bool {
	size, ok := strings.CutPrefix(variant, "subgroup")
	return ok && !strings.HasPrefix(size, fmt.Sprint(dev.Info().Subgroup)) || variant == deepTile.name && !devicetest.RunsOn(deepTile.kernel, dev)
}

// TestMatMulVariantRows wants the bits of a row, in one variant, whatever rows and
// matrices are computed with it.
func TestMatMulVariantRows(t *testing.T) {
	dev := devicetest.Open(t)
	for _, c := range []struct {
		variants []string // which add in the same order
		rows     []int
	}{
		{[]string{"workgroup128deep", "workgroup128", "workgroup64", "workgroup32", "skinny"}, []int{9, 33, 129}}, {[]string{"matvec"}, []int{1, 2, 8}},
		{[]string{"subgroup8x4", "subgroup8", "subgroup8x32"}, []int{1, 9, 33}}, {[]string{"subgroup4x4", "subgroup4x8", "subgroup4"}, []int{1, 9, 33}},
	} {
		const k, n = 37, 68
		var first []float32
		for _, variant := range c.variants {
			for _, rows := range c.rows {
				for _, batch := range []int{1, 2} {
					if batch == 1 && !devicetest.Full() {
						continue
					}
					tape := compute.NewTape(dev, &tapeoption.Switches{Variant: variant})
					a, b, values := productShape{batch: batch, m: rows, k: k, n: n, shared: true}.operands(tape)
					for i := range batch {
						copy(values[a][i*rows*k:], values[a][:k])
					}
					y := tape.Zeros(batch, rows, n)
					MatMul(a, b, y, MatMulOptions{})
					tape.Keep(y)
					if !varies(tape) {
						continue // too few rows
					}
					got := make([]float32, y.Len())
					run(t, tape, values, map[*compute.Tensor][]float32{y: got})
					for i := range batch {
						row := got[i*rows*n:][:n]
						if first == nil {
							first = row
						}
						if !slices.EqualFunc(row, first, func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }) {
							t.Errorf("%s: row 0 of %d, matrix %d of %d: %v, want %v", variant, rows, i, batch, row, first)
						}
					}
				}
			}
		}
		if first == nil && !slices.ContainsFunc(c.variants, func(v string) bool { return elsewhere(dev, v) }) {
			t.Errorf("%v took nothing", c.variants)
		}
	}
}

// TestProductTile wants large tiles where they are many, and parts of k where even
// small ones are few.
func TestProductTile(t *testing.T) {
	for _, c := range []struct {
		m, n, k uint32
		tile    string
		splits  uint32
	}{
		{4096, 4096, 4096, "workgroup128", 1},
		{1408, 1536, 64, "workgroup128", 1}, // 11 by 12 are 132 tiles
		{1024, 1024, 1024, "workgroup64", 1},
		{512, 512, 512, "workgroup32", 1},
		{70_001, 64, 512, "workgroup64", 1},
		{70_001, 10, 512, "workgroup32", 1},
		{128, 128, 128, "workgroup64", 1},    // too short for parts
		{256, 256, 70_000, "workgroup64", 8}, // 16 tiles
		{64, 10, 100_000, "workgroup32", 64}, // 2 tiles
		{16, 128, 200_000, "skinny", 128},    // one
		{16, 16_384, 4096, "skinny", 1},      // 128
		{16, 4096, 4096, "skinny", 4},        // 32
		{48, 48, 1024, "workgroup64", 4},     // as many as are long enough
		{0, 5, 1024, "skinny", 4},            // nothing to do
		{5, 0, 1024, "skinny", 4},            // nor here
		{200_000, 200_000, 1, "workgroup128", 1},
	} {
		tile, splits := productSplits(c.m, c.n, c.k)
		if productTiles[tile].name != c.tile || splits != c.splits {
			t.Errorf("%d by %d over %d: %d parts in tiles %s, want %d in %s", c.m, c.n, c.k, splits, productTiles[tile].name, c.splits, c.tile)
		}
	}
}

// TestMatVecAcross wants neighbours along what lies side by side in memory, and no slice
// of k without numbers.
func TestMatVecAcross(t *testing.T) {
	for _, c := range []struct{ n, k, transposed, across uint32 }{
		{4096, 4096, 0, 16}, {4096, 4096, 1, 1}, {10, 4096, 0, 4}, {1, 1, 0, 128}, {4096, 8, 0, 64}, {4096, 128, 1, 4}, {4096, 64, 0, 16}, {16, 512, 0, 4},
	} {
		if got := (matmulParams{N: c.n, K: c.k, K1: c.k, TransposeB: c.transposed}).across(); got != c.across {
			t.Errorf("%+v: %d across, want %d", c, got, c.across)
		}
	}
}

// TestMatMulVariantsSuit wants the variants for GPUs taken there alone, and by shape.
func TestMatMulVariantsSuit(t *testing.T) {
	for kind, want := range map[string]bool{"discrete": true, "integrated": true, "software": false, "unknown": true, "cpu": false} {
		if got := hardware(compute.Info{Type: kind}); got != want {
			t.Errorf("an adapter that is %s is a GPU: %v, want %v", kind, got, want)
		}
	}
}
