package layers

import "github.com/pumice-ml/pumice/compute"

// The kernels of matmul_subgroup.wgsl suit drivers that run a subgroup in the lanes of
// a processor's vector instructions: there a load of one lane costs more than ten
// products, so each lane loads elements of A that no other does.
//
// All add along k in the same order, so that a row has the same bits however many rows
// there are.

// productSubgroup is a kernel for some products.
type productSubgroup struct {
	name   string
	kernel *compute.Kernel
	suits  func(p matmulParams) bool
}

// productSubgroups are the kernels, the preferred first.
var productSubgroups = []productSubgroup{
	newProductSubgroup("subgroup8x4", ",rows=4", few),
	newProductSubgroup("subgroup4x4", ",rows=4,quads=1,block=4,looked_up=1", few),
	// Tiles of 32 rows are a third faster, but take twice as long to compile.
	newProductSubgroup("subgroup8x32", ",rows=32", func(p matmulParams) bool { return p.products() >= 1<<26 }),
	newProductSubgroup("subgroup8", "", all),
	newProductSubgroup("subgroup4", ",block=4,looked_up=1", func(p matmulParams) bool { return p.products() >= 1<<23 }),
	newProductSubgroup("subgroup4x8", ",rows=8,quads=1,block=4,looked_up=1", all),
}

func newProductSubgroup(name, consts string, suits func(p matmulParams) bool) productSubgroup {
	return productSubgroup{name, compute.NewKernel("matmul_subgroup.forward"+consts, matmulSubgroupDefine, compute.DotOf(matmulParams.terms)), suits}
}

func (s productSubgroup) record(_ *compute.Tape, p matmulParams, x []*compute.Tensor, asked bool) bool {
	ok := s.suits(p)
	if asked {
		ok = int(p.M) > constant(s.kernel, "rows")/2
	}
	return runIf(ok, s.kernel, p, x[0], x[1], x[3], x[4])
}

// few reports whether y has few rows, or there are so few products that the time to
// compile a larger tile matters more.
func few(p matmulParams) bool { return p.M <= 8 || p.products() < 1<<20 }

func all(matmulParams) bool { return true }

func (p matmulParams) products() uint64 { return uint64(p.M) * uint64(p.N) * uint64(p.K1-p.K0) }

func matmulSubgroupDefine(p matmulParams, b [][]float64) {
	matmulDefine(p, [][]float64{b[0], b[1], b[0], b[1], b[3]})
}
