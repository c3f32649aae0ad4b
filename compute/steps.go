package compute

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
	Entry     string // of the WGSL
	Judged    string // how the text was judged on the device; "" is not at all
}

// Steps describes the compiled program, dispatch by dispatch.
func (p *Program) Steps() ([]Step, error) {
	steps := make([]Step, len(p.list))
	for i := range steps {
		var err error
		if steps[i], err = p.step(i); err != nil {
			return nil, err
		}
	}
	return steps, nil
}

func (p *Program) step(i int) (Step, error) {
	d := &p.list[i]
	s := Step{Kernel: d.Kernel.name, Params: d.values(), Part: d.scope, Workgroup: d.Kernel.read().entry.Workgroup, Entry: d.Kernel.read().entry.Name}
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
	if p.judged != nil {
		s.Judged = p.judged[i]
	}
	s.WGSL, err = d.text(p.bake)
	return s, err
}
