package suite

import (
	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/conform"
	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/internal/shader"
)

// lossScale settles a step in each state that a run can be in: before and at the third
// good step, after a bad one, and at both ends of the scale.
func lossScale() conform.Op {
	return conform.Op{
		Name: "loss_scale",
		Shapes: []string{
			"good=1,bad=0,scale=16", "good=2,bad=0,scale=16", "good=2,bad=1,scale=16", "good=0,bad=1,scale=2", "good=0,bad=1,scale=1",
			"good=2,bad=0,scale=8388608", "good=2,bad=0,scale=16777216",
		},
		Patterns: []string{"uniform"},
		Record: func(r *conform.Recorder) {
			k := kernel("loss_scale.settle")
			scale, inverse := compute.NewParam("scale", 1), compute.NewParam("inverse", 1)
			scale.Data[0], inverse.Data[0] = float32(r.N("scale")), 1/float32(r.N("scale"))
			counts, gate := compute.NewParamU32("counts", 3), compute.NewParamU32("gate", 1)
			copy(counts.Ints, []uint32{uint32(r.N("good")), 5, uint32(r.N("bad"))})
			gate.Ints[0] = 7
			r.Own(scale, inverse, counts, gate)
			k.Run(makeParams(k, func(f shader.Field) float64 {
				return map[string]float64{"n": 1, "interval": 3}[f.Name]
			}), r.Master(scale), r.Master(inverse), r.Param(counts), r.Param(gate))
		},
	}
}

// kernel is the kernel of a name.
func kernel(name string) *compute.Kernel {
	for _, k := range ir.Kernels() {
		if k.Name() == name {
			return (*compute.Kernel)(k)
		}
	}
	panic("suite: no kernel " + name)
}

// makeParams makes params of a kernel from a number for each field.
func makeParams(k *compute.Kernel, value func(f shader.Field) float64) any {
	return (*ir.Kernel)(k).MakeParams(value)
}
