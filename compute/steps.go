package compute

import "fmt"

// Step describes one dispatch of a compiled program. Where it does the work of several
// (see Join), their kernels and parts are joined by plus signs.
type Step struct {
	Kernel    string
	Params    string
	Part      string // of the model, as Tape.Within has it
	Tensors   []string
	Groups    [3]uint32
	Workgroup [3]int
	Bytes     int64 // of the bound tensors, each once
	Flops     int64 // floating-point operations as the shader counts them; else one for each invocation
	WGSL      string
}

// Steps describes the compiled program, dispatch by dispatch.
func (p *Program) Steps() ([]Step, error) {
	var steps []Step
	i := 0
	for _, l := range p.launches() {
		s, err := p.step(i)
		for k := 1; k < len(l) && err == nil; k++ {
			var next Step
			next, err = p.step(i + k)
			s.join(next)
		}
		if err == nil && len(l) > 1 {
			var groups int
			s.WGSL, groups, s.Workgroup[0], err = joined(l, int(p.dev.info.Limits.WorkgroupsPerDimension))
			s.Groups = [3]uint32{uint32(groups), 1, 1}
		}
		if err != nil {
			return nil, err
		}
		i += len(l)
		steps = append(steps, s)
	}
	return steps, nil
}

// join adds what another dispatch does.
func (s *Step) join(other Step) {
	s.Kernel += "+" + other.Kernel
	s.Params += "+" + other.Params
	switch {
	case s.Part == "":
		s.Part = other.Part
	case other.Part != "" && other.Part != s.Part:
		s.Part += "+" + other.Part
	}
	s.Tensors = append(s.Tensors, other.Tensors...)
	s.Bytes += other.Bytes
	s.Flops += other.Flops
}

func (p *Program) step(i int) (Step, error) {
	d := &p.list[i]
	s := Step{Kernel: d.Kernel.name, Params: fmt.Sprintf("%+v", d.Params), Part: d.scope, Workgroup: d.Kernel.read().entry.Workgroup}
	for _, x := range d.Tensors {
		s.Tensors = append(s.Tensors, x.String())
	}
	s.Bytes = d.bytes()
	var err error
	if s.Groups, err = d.grid(int(p.dev.info.Limits.WorkgroupsPerDimension)); err != nil {
		return s, err
	}
	if s.Flops, err = d.flops(s.Groups); err != nil {
		return s, err
	}
	s.WGSL, err = d.text(p.bake)
	return s, err
}
