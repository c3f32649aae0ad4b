package ir

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
