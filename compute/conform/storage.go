package conform

import (
	"slices"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/internal/ir"
)

// storedF16 ends the name of a case whose tensors are stored as f16.
const storedF16 = "/storage=f16"

// CasesF16 lists two cases of each op with tensors stored as f16: its first and its
// middle shape, on numbers whose sums f16 holds.
func CasesF16(ops []Op, seed uint32) (all []Case) {
	for k := range ops {
		op := &ops[k]
		for _, i := range slices.Compact([]int{0, len(op.Shapes) / 2}) {
			all = append(all, Case{Op: op, Shape: op.Shapes[i], Pattern: "uniform", Seed: seed, Storage: compute.F16})
		}
	}
	return all
}

// storesF16 reports whether a dispatch of the list uses a tensor that is stored as f16.
func storesF16(list []ir.Dispatch) bool {
	return slices.ContainsFunc(list, func(d ir.Dispatch) bool {
		return slices.ContainsFunc(d.Tensors, func(x *ir.Tensor) bool { return x.DType() == compute.F16 })
	})
}
