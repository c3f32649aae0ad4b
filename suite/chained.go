package suite

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/conform"
	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/internal/shader"
)

// chained are, for each kernel that works element by element, a launch in which it is
// handed a result in a register and hands its own on, so that conformance judges the text
// of "chain" by the definitions of all three.
func chained() (ops []conform.Op) {
	for _, k := range ir.Kernels() {
		if handed := handedTo(k); handed != "" && strings.HasPrefix(k.Package(), "github.com/pumice-ml/pumice") {
			ops = append(ops, conform.Op{
				Name: "chained/" + k.Name(), Shapes: []string{testSizes(k)}, Patterns: []string{"uniform"},
				Record: func(r *conform.Recorder) { chain(r, k, handed) },
			})
		}
	}
	return ops
}

// handedTo is the array that a kernel reads and could be handed, element by element, or "":
// rather one that it does not write.
func handedTo(k *ir.Kernel) (name string) {
	arrays := k.Shader().Pointwise(k.Entry())
	for _, b := range k.Bindings() {
		if slices.Contains(arrays, b.Name) && (name == "" || b.Access == "read") {
			name = b.Name
		}
	}
	return name
}

// testSizes are the params of the header of the kernel's shader: of those that it does
// not give the only whole number is 67, and others are 0.5.
func testSizes(k *ir.Kernel) string {
	var sizes []string
	for _, f := range k.Shader().Params {
		v, given := k.Shader().Test[f.Name]
		switch {
		case given:
		case f.Type == "f32":
			v = 0.5
		default:
			v = 67
		}
		sizes = append(sizes, fmt.Sprintf("%s=%v", f.Name, v))
	}
	return strings.Join(sizes, ",")
}

// chain records tanh, the kernel on its result, and tanh of what that writes.
func chain(r *conform.Recorder, k *ir.Kernel, handed string) {
	tanh := kernel("tanh.forward")
	bounded := func(x, y *compute.Tensor) {
		tanh.Run(makeParams(tanh, func(shader.Field) float64 { return float64(x.Len()) }), x, y)
	}
	var tensors []*compute.Tensor
	var written *compute.Tensor
	dims := k.Shader().Shapes()
	for _, b := range k.Bindings() {
		var shape []int
		for _, expr := range dims[b.Name] {
			n, err := shader.Eval(expr, func(name string) (int, bool) { return r.N(name), true })
			if err != nil {
				panic(fmt.Sprintf("suite: %s: shape of %s: %v", k.Name(), b.Name, err))
			}
			shape = append(shape, n)
		}
		var x *compute.Tensor
		switch {
		case b.Name == handed:
			x = r.New(shape...)
			bounded(r.Values(shape...), x)
			if b.Access != "read" {
				written = x
			}
		case b.Access == "read" && b.Unsigned():
			x = r.Indices(max(compute.Elements(shape), 1), shape...)
		case b.Access == "read":
			x = r.Given(positive(compute.Elements(shape)), shape...)
		case slices.Contains(k.Shader().Pointwise(k.Entry()), b.Name) && !slices.Contains(k.Entry().Adds, b.Name):
			p := compute.NewParam(b.Name, shape...)
			r.Set(p)
			x = r.Master(p)
			written = x
		case slices.Contains(k.Entry().Adds, b.Name):
			x = r.Zeros(shape...)
			written = x
		default:
			x = r.New(shape...)
			written = x
		}
		tensors = append(tensors, x)
	}
	(*compute.Kernel)(k).Run(k.MakeParams(func(f shader.Field) float64 { return r.Number(f.Name) }), tensors...)
	y := r.New(written.Shape()...)
	bounded(written, y)
	r.Keep(y)
}

// positive are n numbers from 1 to 2, which do for variances, sums and largest numbers.
func positive(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = 1 + float32(i*37%64)/64
	}
	return x
}
