// Package compute runs kernels: WGSL entry points, each with a Go function that defines
// what it computes and a bound on how far a device may stray from that.
//
// A Kernel is run on the tensors of a Tape, which records it; Compile turns the tape into a
// Program for the tape's Device, and a program runs as often as it is asked to. A GPU device
// dispatches WGSL; the Reference device calls the definitions, in float64. A Param is an
// array on the host that outlives tapes: a weight, a running statistic, a data set.
//
//	var double = compute.NewKernelFS(shaders, "double.forward", func(p struct{ N uint32 }, b [][]float64) {
//		for i, x := range b[0] {
//			b[1][i] = 2 * x
//		}
//	}, compute.Exact)
//
//	dev, err := compute.Open(ctx)
//	...
//	t := compute.NewTape(dev)
//	x := t.Input("x", compute.F32, 100)
//	y := t.New(100)
//	double.Run(struct{ N uint32 }{100}, x, y)
//	t.Keep(y)
//	p, err := t.Compile()
//	...
//	err = p.Write(x, numbers)
//	err = p.Run(ctx)
//	err = p.Read(ctx, y, numbers)
//
// Before the first result of a program counts, each text that the driver gets is judged on
// the device against the definitions; what computes wrong numbers is not run.
//
// Tape, Tensor, Kernel, Program and Device are those of packages under internal without the
// methods that only the compiler needs: packages of this module convert one to the other.
// DType, Param, Model, Reference32 and Limits are the very types.
package compute
