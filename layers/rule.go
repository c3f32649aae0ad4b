package layers

import (
	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/internal/rule"
)

// variant is a rule for one run of a kernel with params P, whose classes are those of its
// class method: params that differ in the batch, and in what follows from it, are alike.
func variant[P interface{ class() any }](name string, of *compute.Kernel, suits func(compute.Info) bool, record func(t *compute.Tape, p P, x []*compute.Tensor, asked bool) bool) ir.Rule {
	r := rule.New(name, []*compute.Kernel{of}, func(t *compute.Tape, runs []rule.Run, asked bool) bool {
		return record(t, runs[0].Params.(P), runs[0].Tensors, asked)
	})
	r.Class = func(params any) any { return params.(P).class() }
	if suits != nil {
		r.Suits = rule.Suits(suits)
	}
	return r
}

// constant is an integer constant of a kernel's shader, such as a tile's height.
func constant(k *compute.Kernel, name string) int { return (*ir.Kernel)(k).Const(name) }

// runIf runs a kernel where that is to be done, and reports whether it is.
func runIf(ok bool, k *compute.Kernel, params any, x ...*compute.Tensor) bool {
	if ok {
		k.Run(params, x...)
	}
	return ok
}

// hardware reports whether an adapter is a GPU, whose kind browsers do not tell.
func hardware(info compute.Info) bool {
	return info.Type == "discrete" || info.Type == "integrated" || info.Type == "unknown"
}

func discrete(info compute.Info) bool { return info.Type == "discrete" }

// software reports whether an adapter is a processor.
func software(info compute.Info) bool { return info.Type == "software" }
