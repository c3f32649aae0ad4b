package conform

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/internal/shader"
)

// KernelOp is an op that runs one kernel, yours or ours, on tensors of the shapes
// that the header of its shader gives, as in
//
//	// blur: y[i] = (x[i-1] + x[i] + x[i+1]) / 3, within each row.
//	// x, y are (rows, size).
//
// where dimensions are expressions of the fields of Params (shader.Eval). The
// sizes of its cases are the params; without shapes it takes numbers around the
// workgroup's size, and primes, for those that are whole, and 0.5 for the others. A
// tensor that the kernel writes holds values before. It panics where the header has
// no shape of a tensor.
func KernelOp(k *compute.Kernel, shapes ...string) Op {
	whole := (*ir.Kernel)(k)
	dims := whole.Shader().Shapes()
	bindings := whole.Bindings()
	for _, b := range bindings {
		if dims[b.Name] == nil {
			panic(fmt.Sprintf("conform: KernelOp %s: the header of %s.wgsl does not say what the shape of %s is, as in \"// %s is (n).\"", k.Name(), whole.Shader().Name, b.Name, b.Name))
		}
	}
	if len(shapes) == 0 {
		shapes = defaultShapes(whole)
	}
	return Op{Name: k.Name(), Shapes: shapes, Record: func(r *Recorder) {
		params := whole.MakeParams(func(f shader.Field) float64 { return r.Number(f.Name) })
		lookup := func(name string) (int, bool) {
			n, ok := r.sizes[name]
			return int(n), ok
		}
		var tensors []*compute.Tensor
		for _, b := range bindings {
			var shape []int
			for _, expr := range dims[b.Name] {
				n, err := shader.Eval(expr, lookup)
				if err != nil {
					panic(fmt.Sprintf("conform: %s: shape of %s: %v", k.Name(), b.Name, err))
				}
				shape = append(shape, n)
			}
			var x *compute.Tensor
			switch {
			case b.Access == "read" && b.Unsigned():
				x = r.Indices(max(compute.Elements(shape), 1), shape...)
			case b.Access == "read":
				x = r.Values(shape...)
			default:
				p := compute.NewParam(b.Name, shape...)
				if b.Unsigned() {
					p = compute.NewParamU32(b.Name, shape...)
				}
				r.Set(p)
				x = r.Master(p)
			}
			tensors = append(tensors, x)
		}
		k.Run(params, tensors...)
	}}
}

// defaultShapes are sizes around the kernel's workgroup.
func defaultShapes(k *ir.Kernel) []string {
	entry := k.Entry()
	block := entry.Workgroup[0] * entry.Workgroup[1] * entry.Workgroup[2]
	whole := 0
	for _, f := range k.Shader().Params {
		if f.Type != "f32" {
			whole++
		}
	}
	numbers := []int{1, 2, block - 1, block, block + 1, 257, 1031}
	if whole > 1 {
		numbers = []int{1, 3, 8, 17, 64}
	}
	var shapes []string
	for turn := range numbers {
		var sizes []string
		for i, f := range k.Shader().Params {
			n := fmt.Sprint(max(numbers[(turn+i)%len(numbers)], 1))
			if f.Type == "f32" {
				n = "0.5"
			}
			sizes = append(sizes, f.Name+"="+n)
		}
		shapes = append(shapes, strings.Join(sizes, ","))
	}
	return shapes
}

// Test checks kernels as a test: KernelOp for each, all patterns of values, on a GPU
// device. It fails the test for each case that is illegal, with the worst element.
func Test(t testing.TB, dev *compute.Device, kernels ...*compute.Kernel) {
	t.Helper()
	var ops []Op
	for _, k := range kernels {
		ops = append(ops, KernelOp(k))
	}
	TestOps(t, dev, ops...)
}

// TestOps is Test for ops.
func TestOps(t testing.TB, dev *compute.Device, ops ...Op) {
	t.Helper()
	r, err := Run(context.Background(), dev, ops, Options{Variants: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Cases) == 0 {
		t.Fatal("conform: nothing was checked")
	}
	for _, c := range r.Bad() {
		t.Errorf("%s: %s\n%s", c.Verdict, c.Name, strings.Join(c.lines(), "\n"))
	}
}
