package layers

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/internal/compiler"
	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/internal/judge"
	"github.com/pumice-ml/pumice/internal/tapeoption"
)

// wholeConv is a convolution of one kind, with its operands: forwards, or to the gradient
// of its input. Judging each kernel of a variant alone would not show operands that are
// handed on in the wrong order, so all of it is compared with the definition.
type wholeConv struct {
	p            convParams
	backward     bool
	a, b, bias   []float32 // x and weight, or weight and dy
	start        float32   // of what is added to
	want, bounds []float64
}

// newWholeConv makes the operands, and what should become of them within the bounds of
// the direct kernels.
func newWholeConv(p convParams, backward bool, value func(stream uint32, i int) float64) *wholeConv {
	c := &wholeConv{p: p, backward: backward, start: 0.625}
	fill := func(stream uint32, n uint32) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(value(stream, i))
		}
		return v
	}
	x, weight, dy := fill(0, p.N*p.C*p.H*p.W), fill(1, p.K*p.C/p.Groups*p.R*p.S), fill(2, p.N*p.K*p.OH*p.OW)
	c.a, c.b, c.bias = x, weight, fill(3, p.K)
	r := &compute.Reference32{Kernel: (*ir.Kernel)(convForward), Params: p}
	model, size := compute.DotOf(convParams.terms), len(dy)
	if backward {
		c.a, c.b, c.bias = weight, dy, nil
		r.Kernel, size = (*ir.Kernel)(convBackwardX), len(x)
		model = compute.DotOf(func(p convParams) int { return int(p.K / p.Groups * p.R * p.S) })
	}
	start := make([]float32, size)
	for i := range start {
		start[i] = c.start
	}
	for _, v := range [][]float32{c.a, c.b, c.bias, start} {
		if v != nil {
			r.In, r.Written = append(r.In, widened(v)), append(r.Written, false)
			r.Want = append(r.Want, widened(v))
		}
	}
	last := len(r.In) - 1
	r.Written[last] = true
	if backward {
		convBackwardXDefine(p, r.Want)
	} else {
		convForwardDefine(p, r.Want)
	}
	c.want, c.bounds = r.Want[last], model.Bound(r)[last]
	return c
}

func widened(v []float32) []float64 {
	out := make([]float64, len(v))
	for i := range v {
		out[i] = float64(v[i])
	}
	return out
}

// run computes the convolution on a device by a variant, judges each of its kernels, and
// returns the result and the kernels' names.
func (c *wholeConv) run(t *testing.T, dev *compute.Device, variant string) (got []float64, kernels []string) {
	t.Helper()
	tape := compute.NewTape(dev, &tapeoption.Switches{Variant: variant})
	a, b := tape.Input("a", compute.F32, len(c.a)), tape.Input("b", compute.F32, len(c.b))
	write := map[*compute.Tensor][]float32{a: c.a, b: c.b}
	of := tape.New(len(c.want))
	tape.Seed(of, c.start)
	y := tape.Grad(of)
	tape.Keep(y)
	if c.backward {
		c.p.inputGradient(a, b, y)
	} else {
		bias := tape.Input("bias", compute.F32, len(c.bias))
		write[bias] = c.bias
		c.p.forward(a, b, bias, y)
	}
	differences, err := compiler.Judge(context.Background(), (*ir.Tape)(tape), func(p *compiler.Program) error {
		for x, v := range write {
			if err := p.Write((*ir.Tensor)(x), v); err != nil {
				return err
			}
		}
		return nil
	}, func(j *judge.Judged) {
		kernels = append(kernels, j.Kernel.Name())
		got = slices.Clone(j.Got) // the last is of y
		for i := range got {
			if share := j.Share(i); share > 1 {
				t.Errorf("%s %+v: %s[%d]: got %v, want %v within %.3g", j.Kernel.Name(), j.Params, j.Binding, i, got[i], j.Want[i], j.Bound[i])
				break
			}
		}
	})
	if err != nil || len(differences) > 0 || len(got) != len(c.want) {
		t.Fatalf("%+v: %v, %v, %d numbers, want %d", c.p, err, differences, len(got), len(c.want))
	}
	return got, kernels
}

// judge wants what a device computed within bounds.
func (c *wholeConv) judge(t *testing.T, got, bounds []float64) {
	t.Helper()
	worst, at := -1.0, 0
	for i, v := range got {
		if share := math.Abs(v-c.want[i]) / bounds[i]; !(share <= worst) {
			worst, at = share, i
		}
	}
	if !(worst <= 1) {
		t.Errorf("[%d] of %+v: got %v, want %v within %.3g", at, c.p, got[at], c.want[at], bounds[at])
	}
}

// even are numbers between -1 and 1.
func even(stream uint32, i int) float64 {
	return 2*float64(compute.Uniform(compute.RandomBits(9, stream, 0, uint32(i))[0])) - 1
}
