package ir

// Pass names a step of the compiler that can be left out, to find a fault:
// tape.Compile("prune"), or PUMICE_DEBUG=-prune,-specialise for all.
type Pass string

// The passes, in their order.
const (
	Prune      Pass = "prune"      // drop dispatches whose results nobody reads
	Hoist      Pass = "hoist"      // write constants once, not in every run
	Fuse       Pass = "fuse"       // take rules of several kernels: one run in the place of more
	Choose     Pass = "choose"     // take rules of one kernel: variants that suit the device
	Accumulate Pass = "accumulate" // first writers assign instead of adding to zeros
	Overwrite  Pass = "overwrite"  // take rules that write over what nobody reads any more
	Batch      Pass = "batch"      // one run of element-wise kernels for many tensors
	Chain      Pass = "chain"      // hand elements from run to run in registers, in one launch
	Join       Pass = "join"       // do small independent dispatches in one launch
	Plan       Pass = "plan"       // let tensors of different times share memory
	Specialise Pass = "specialise" // bake params and constants into the shader
)

// Check is the judging of texts on a device before they count. It changes no program, so
// Passes does not list it, but it can be left out as well.
const Check Pass = "check"

// Measure is the measuring of variants on a device that tunes (see Device.Tune). Left
// out, a program takes what was measured before, and else what suits the device by rule.
// It changes which variants are chosen, and only that, so Passes does not list it.
const Measure Pass = "measure"

// Passes lists the passes, in their order.
func Passes() []Pass {
	return []Pass{Prune, Hoist, Fuse, Choose, Accumulate, Overwrite, Batch, Chain, Join, Plan, Specialise}
}
