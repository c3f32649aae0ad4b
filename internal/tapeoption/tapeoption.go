// Package tapeoption holds what tests and conformance set on a tape and programs do not.
package tapeoption

// Switches are given to compute.NewTape, which keeps the pointer: whoever holds it may
// change them until the tape is compiled, and after that for the next program.
type Switches struct {
	// Row is the most workgroups in x before a grid of one dimension is folded into
	// a second one; 0 is as many as the device allows. Small grids are then folded as
	// large ones are.
	Row int
	// NonFinite says that inputs hold NaN or infinities, of which WGSL says nothing:
	// Judge then takes whatever comes of them, and judges the elements that do not
	// depend on them.
	NonFinite bool
	// Variant names the only rule of one dispatch to take (see ir.Rule), whether it
	// suits the device or not; "" leaves the choice to the device.
	Variant string
	// Handed is called with each rule that operations hand to the tape, Taken with each
	// rule, pass and rewriting of texts that takes effect where the tape is lowered or
	// compiled, and Lacked with each rule for which the device lacks a kernel. They may be
	// nil.
	Handed, Taken, Lacked func(name string)
}
