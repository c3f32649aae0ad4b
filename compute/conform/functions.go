package conform

import (
	"context"
	"embed"
	"fmt"
	"io"
	"math"
	"text/tabwriter"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/internal/compiler"
	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/internal/shader"
)

//go:embed builtins.wgsl
var builtinFiles embed.FS

type builtinParams struct{ N uint32 }

// builtin declares a kernel of one of WGSL's functions, of one argument.
func builtin(name string, f func(x float64) float64, model compute.Model) *compute.Kernel {
	return compute.NewKernelFS(builtinFiles, "builtins."+name, func(_ builtinParams, b [][]float64) {
		for i, x := range b[0] {
			b[1][i] = f(x)
		}
	}, model)
}

// normal is f of |x|, and 0 where that is subnormal.
func normal(f func(x float64) float64) func(x float64) float64 {
	return func(x float64) float64 {
		if x = math.Abs(x); x < 0x1p-126 {
			return 0
		}
		return f(x)
	}
}

// The bounds are those of the WGSL specification, Floating Point Accuracy: exp is
// off by at most 3 + 2|x| ULP; log by 3 ULP, or by 2^-21 for x in [0.5, 2];
// inverseSqrt by 2 ULP; sqrt is as 1 / inverseSqrt(x); a quotient by 2.5 ULP.
var (
	builtinExp = builtin("exponential", func(x float64) float64 { return math.Exp(min(max(x, -87), 88)) }, compute.Func(func(r *compute.Reference32) [][]float64 {
		y := make([]float64, len(r.Want[1]))
		for i, want := range r.Want[1] {
			y[i] = (3 + 2*min(math.Abs(r.In[0][i]), 88)) * compute.Ulp(want)
		}
		return [][]float64{nil, y}
	}))
	builtinLog = builtin("logarithm", normal(math.Log), compute.Func(func(r *compute.Reference32) [][]float64 {
		y := make([]float64, len(r.Want[1]))
		for i, want := range r.Want[1] {
			if y[i] = 3 * compute.Ulp(want); math.Abs(want) <= math.Ln2 {
				y[i] = 0x1p-21
			}
		}
		return [][]float64{nil, y}
	}))
	// An inverse root that is off by 2 ULP is off by 4u; the quotient adds 5u.
	builtinSqrt        = builtin("root", normal(math.Sqrt), compute.ULP(9))
	builtinInverseSqrt = builtin("inverse_root", normal(func(x float64) float64 { return 1 / math.Sqrt(x) }), compute.ULP(2))
	builtinDivide      = compute.NewKernelFS(builtinFiles, "builtins.quotient", func(_ builtinParams, b [][]float64) {
		x, z, y := b[0], b[1], b[2]
		legal := func(v float64) bool { return math.Abs(v) >= 0x1p-60 && math.Abs(v) <= 0x1p60 }
		for i := range y {
			y[i] = 0
			if legal(x[i]) && legal(z[i]) {
				y[i] = x[i] / z[i]
			}
		}
	}, compute.ULP(2.5))
)

// Function is a function of one number, as a kernel that reads x and writes y.
type Function struct {
	Name    string
	Kernel  *compute.Kernel
	Promise float64 // the most ULP that Pumice promises on every adapter; 0 is none
	From    float64 // smallest |y| that is measured; 0 is the smallest normal number
}

// Builtins are WGSL's own functions, for which nothing is promised but what the
// specification says.
func Builtins() []Function {
	return []Function{
		{Name: "exp (built in)", Kernel: builtinExp}, {Name: "log (built in)", Kernel: builtinLog, From: 0x1p-1},
		{Name: "sqrt (built in)", Kernel: builtinSqrt, Promise: 2.5}, {Name: "inverseSqrt (built in)", Kernel: builtinInverseSqrt},
		{Name: "division (built in)", Kernel: builtinDivide, Promise: 2.5},
	}
}

// BuiltinOps are the same functions as ops.
func BuiltinOps() (ops []Op) {
	for _, f := range Builtins() {
		ops = append(ops, KernelOp(f.Kernel))
	}
	return ops
}

// Accuracy is how far a function is off at its worst, in ULP of the exact result.
type Accuracy struct {
	Function string
	Inputs   uint64 // how many were measured
	Next     uint64 // where to go on: the bits of the next input
	ULP      Number
	Promise  float64
	Input    Number // the worst
	Got      Number
	Want     Number
}

// OK reports whether the promise holds.
func (a Accuracy) OK() bool { return a.Promise == 0 || float64(a.ULP) <= a.Promise }

// slice is how many inputs go to the device at once.
const slice = 1 << 20

// Measure runs a function on the float32 numbers with the bits a.Next, a.Next + step
// and so on below 2^32, up to limit of them, and adds what it finds to a, from which
// it can go on later. NaN, the infinities, and results that are subnormal, smaller
// than f.From or too large for float32 are left out; results of 0 must be 0.
func Measure(ctx context.Context, dev *compute.Device, f Function, a Accuracy, step, limit uint64) (Accuracy, error) {
	a.Function, a.Promise = f.Name, f.Promise
	reference := compute.Reference()
	defer reference.Close()
	var programs [2]*compute.Program
	var x, z, y [2]*compute.Tensor
	for i, d := range []*compute.Device{dev, reference} {
		t := compute.NewTape(d)
		x[i], y[i] = t.Input("x", compute.F32, slice), t.New(slice)
		tensors := []*compute.Tensor{x[i], y[i]}
		if len((*ir.Kernel)(f.Kernel).Bindings()) == 3 {
			z[i] = t.Input("z", compute.F32, slice)
			tensors = []*compute.Tensor{x[i], z[i], y[i]}
		}
		f.Kernel.Run((*ir.Kernel)(f.Kernel).MakeParams(parameter), tensors...)
		t.Keep(y[i])
		p, err := t.Compile()
		if err != nil {
			return a, fmt.Errorf("conform: %s: %w", f.Name, err)
		}
		defer p.Close()
		programs[i] = p
	}
	in, other, got := make([]float32, slice), make([]float32, slice), make([]float32, slice)
	smallest := max(f.From, 0x1p-126)
	for done := uint64(0); a.Next < 1<<32 && done < limit; {
		n := 0
		for ; n < slice && a.Next < 1<<32 && done < limit; a.Next, done = a.Next+step, done+1 {
			in[n] = math.Float32frombits(uint32(a.Next))
			if in[n] != in[n] || math.IsInf(float64(in[n]), 0) {
				continue
			}
			// A divisor of its own for each input, from 2^-40 to 2^40.
			bits := compute.RandomBits(5, 0, 0, uint32(a.Next))[0]
			other[n] = math.Float32frombits(bits&0x807fffff | (87+bits>>23%81)<<23)
			n++
		}
		clear(in[n:])
		for i, p := range programs {
			if err := p.Write(x[i], in); err != nil {
				return a, err
			}
			if z[i] != nil {
				if err := p.Write(z[i], other); err != nil {
					return a, err
				}
			}
			if err := p.Run(ctx); err != nil {
				return a, err
			}
		}
		if err := programs[0].Read(ctx, y[0], got); err != nil {
			return a, err
		}
		for i, want := range (*compiler.Program)(programs[1]).Get64((*ir.Tensor)(y[1]))[:n] {
			off := math.Abs(float64(got[i]) - want)
			if math.Abs(want) < smallest && want != 0 || math.Abs(want) > math.MaxFloat32 || want == 0 && off < 0x1p-126 {
				continue
			}
			a.Inputs++
			ulp := off / compute.Ulp(want)
			if math.IsNaN(ulp) {
				ulp = math.Inf(1)
			}
			if ulp > float64(a.ULP) {
				a.ULP, a.Input, a.Got, a.Want = Number(ulp), Number(in[i]), Number(got[i]), Number(want)
			}
		}
	}
	return a, nil
}

// parameter is the number of elements for the first field, and PyTorch's defaults
// for the others that activations have.
func parameter(f shader.Field) float64 {
	switch f.Name {
	case "n":
		return slice
	case "threshold":
		return 20
	}
	return 1
}

// WriteAccuracy writes a line for each function.
func WriteAccuracy(w io.Writer, all []Accuracy) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "function\tinputs\tmost ULP\tpromise\tat\tgot\twant\t")
	for _, a := range all {
		promise := "-"
		if a.Promise > 0 {
			promise = fmt.Sprint(a.Promise)
			if !a.OK() {
				promise += " BROKEN"
			}
		}
		fmt.Fprintf(t, "%s\t%d\t%.3f\t%s\t%v\t%v\t%v\t\n", a.Function, a.Inputs, float64(a.ULP), promise, a.Input, a.Got, a.Want)
	}
	return t.Flush()
}
