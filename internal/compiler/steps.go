package compiler

import "github.com/pumice-ml/pumice/internal/ir"

// Steps describes the compiled program, dispatch by dispatch.
func (p *Program) Steps() ([]ir.Step, error) {
	steps := make([]ir.Step, len(p.list))
	for i := range steps {
		var err error
		if steps[i], err = p.step(i); err != nil {
			return nil, err
		}
	}
	return steps, nil
}

func (p *Program) step(i int) (ir.Step, error) {
	d := &p.list[i]
	s := ir.Step{Kernel: d.Kernel.Name(), Params: d.Values(), Part: d.Scope, Workgroup: d.Kernel.Entry().Workgroup, Entry: d.Kernel.Entry().Name}
	for _, x := range d.Tensors {
		s.Tensors = append(s.Tensors, x.String())
	}
	s.Bytes = d.Bytes()
	var err error
	if s.Groups, err = d.Grid(int(p.dev.Info().Limits.WorkgroupsPerDimension)); err != nil {
		return s, err
	}
	if s.Flops, err = d.Flops(s.Groups); err != nil {
		return s, err
	}
	if p.judged != nil {
		s.Judged = p.judged[i]
	}
	s.WGSL, err = d.Text(p.bake)
	return s, err
}
