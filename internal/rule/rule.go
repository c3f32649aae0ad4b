// Package rule lets operations write rules (ir.Rule) with the types of package compute.
package rule

import (
	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/internal/compiler"
	"github.com/pumice-ml/pumice/internal/ir"
)

// Run is a run of a kernel that a rule replaces.
type Run struct {
	Params  any
	Tensors []*compute.Tensor
}

// New is a rule for runs of kernels, one of each. See ir.Rule for what record does, and for
// what else a rule may have.
func New(name string, of []*compute.Kernel, record func(t *compute.Tape, runs []Run, asked bool) bool) ir.Rule {
	r := ir.Rule{Name: name, Record: func(t *ir.Tape, list []ir.Dispatch, asked bool) bool {
		var runs []Run
		for _, d := range list {
			one := Run{Params: d.Params}
			for _, x := range d.Tensors {
				one.Tensors = append(one.Tensors, (*compute.Tensor)(x))
			}
			runs = append(runs, one)
		}
		return record((*compute.Tape)(t), runs, asked)
	}}
	for _, k := range of {
		r.Of = append(r.Of, (*ir.Kernel)(k))
	}
	return r
}

// Suits is what ir.Rule has of that name.
func Suits(suits func(info compute.Info) bool) func(ir.Info) bool {
	return func(info ir.Info) bool { return suits(compute.Info(info)) }
}

// Prove is what ir.Rule has of that name.
func Prove(test func(dev *compute.Device) error) func(ir.Device) error {
	return func(dev ir.Device) error { return test((*compute.Device)(dev.(*compiler.Device))) }
}

// Use hands rules to a tape (see ir.Tape.Use).
func Use(t *compute.Tape, rules ...ir.Rule) { (*ir.Tape)(t).Use(rules...) }
