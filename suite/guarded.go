package suite

import (
	"embed"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/conform"
	"github.com/pumice-ml/pumice/internal/shader"
)

//go:embed guarded.wgsl
var guardedWGSL embed.FS

type guardedParams struct{ N uint32 }

func guardedDefine(_ guardedParams, b [][]float64) {
	for i, x := range b[0] {
		if x > 0 {
			b[1][i] = 2 * x
		}
	}
}

// guardedKernels are kernels whose guard is more than the bound, as users write them, so
// that nothing may be done with their elements but what they do themselves.
var guardedKernels = []*compute.Kernel{
	compute.NewKernelFS(guardedWGSL, "guarded.forward", guardedDefine, compute.Exact),
	compute.NewKernelFS(guardedWGSL, "guarded.inside", guardedDefine, compute.Exact),
}

// guarded runs them behind tanh and before it, where Chain would put them.
func guarded() (ops []conform.Op) {
	tanh := kernel("tanh.forward")
	for _, k := range guardedKernels {
		ops = append(ops, conform.Op{Name: "chained/" + k.Name(), Shapes: []string{"n=1", "n=67"}, Patterns: []string{"uniform"}, Record: func(r *conform.Recorder) {
			n := r.N("n")
			size := func(shader.Field) float64 { return float64(n) }
			x, y, z := r.New(n), r.Zeros(n), r.New(n)
			tanh.Run(makeParams(tanh, size), r.Values(n), x)
			k.Run(guardedParams{uint32(n)}, x, y)
			tanh.Run(makeParams(tanh, size), y, z)
			r.Keep(y, z)
		}})
	}
	return ops
}
