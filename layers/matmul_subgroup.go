package layers

import "github.com/pumice-ml/pumice/compute"

// The kernels of matmul_subgroup.wgsl suit drivers that run a subgroup in the lanes of
// a processor's vector instructions: there a load of one lane costs more than ten
// products, so each lane loads elements of A that no other does.

//
// All add along k in the same order, so that a row has the same bits however many rows
// there are.

func init() {
	for _, s := range []struct {
		variant, kernel string
		suits           func(p matmulParams) bool
	}{
		{"subgroup8x4", "matmul_subgroup.forward,rows=4", few},
		{"subgroup4x4", "matmul_subgroup.forward,rows=4,quads=1,block=4,looked_up=1", few},
		// Tiles of 32 rows are a third faster, but take a second longer to compile.
		{"subgroup8x32", "matmul_subgroup.forward,rows=32", func(p matmulParams) bool {
			return p.products() >= 1<<26
		}},
		{"subgroup8", "matmul_subgroup.forward", func(matmulParams) bool { return true }},
		{"subgroup4", "matmul_subgroup.forward,block=4,looked_up=1", func(p matmulParams) bool { return p.products() >= 1<<23 }},
		{"subgroup4x8", "matmul_subgroup.forward,rows=8,quads=1,block=4,looked_up=1", func(matmulParams) bool { return true }},
	} {
		k := compute.NewKernel(s.kernel, matmulSubgroupDefine, compute.DotOf(func(p matmulParams) int { return int(p.K1 - p.K0) }))
		matmulForward.Prefer(compute.Variant{Name: s.variant, Suits: software, Record: func(t *compute.Tape, params any, x []*compute.Tensor) bool {
			p := params.(matmulParams)
			if t.Variant == "" && !s.suits(p) || t.Variant != "" && int(p.M) <= k.Const("rows")/2 {
				return false
			}
			k.Run(p, x[0], x[1], x[3], x[4])
			return true
		}})
	}
}

// few reports whether y has few rows, or there are so few products that the time to
// compile a larger tile matters more.
func few(p matmulParams) bool { return p.M <= 8 || p.products() < 1<<20 }

func (p matmulParams) products() uint64 { return uint64(p.M) * uint64(p.N) * uint64(p.K1-p.K0) }

// software reports whether an adapter is a processor.
func software(info compute.Info) bool { return info.Type == "software" }

func matmulSubgroupDefine(p matmulParams, b [][]float64) {
	matmulDefine(p, [][]float64{b[0], b[1], b[0], b[1], b[3]})
}
