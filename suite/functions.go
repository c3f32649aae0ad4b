package suite

import (
	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/conform"
	"github.com/pumice-ml/pumice/internal/ir"
)

// Functions lists the element-wise functions, Pumice's with what is promised of them
// on every adapter, and those built into WGSL.
func Functions() []conform.Function {
	kernels := map[string]*compute.Kernel{}
	for _, k := range ir.Kernels() {
		kernels[k.Name()] = (*compute.Kernel)(k)
	}
	var all []conform.Function
	for _, f := range []struct {
		name    string
		promise float64
		from    float64
	}{
		{"exp", 3, 0}, {"log", 3, 0}, {"sigmoid", 5, 0}, {"tanh", 6, 0}, {"gelu", 8, 0}, {"elu", 6, 0},
		// Products of x, up to 104, with a factor that a device may flush, and so a
		// sum of one that it may flush.
		// Nothing is promised of gelu_tanh: where it is small, the rounding of its
		// exponent alone is worth 100 ULP and more.
		{"gelu_tanh", 0, 0x1p-119}, {"silu", 8, 0x1p-119}, {"softplus", 5, 0x1p-125}, {"erf", 7, 0x1p-125},
	} {
		all = append(all, conform.Function{Name: f.name, Kernel: kernels[f.name+".forward"], Promise: f.promise, From: f.from})
	}
	return append(all, conform.Builtins()...)
}
