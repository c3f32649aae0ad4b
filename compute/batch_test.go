package compute_test

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"testing/fstest"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
)

// descend is w = w - rate * dw, element by element.
var descend = compute.NewKernelFS(fstest.MapFS{"descend.wgsl": {Data: []byte(`// descend: w = w - rate * dw.
// w, dw are (n), rate is (1).
struct Params { n: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dw: array<f32>;
@group(0) @binding(2) var<storage, read> rate: array<f32>;
@group(0) @binding(3) var<storage, read_write> w: array<f32>;
const block: u32 = 64u;
// each: n
// invocations: n
@compute @workgroup_size(block)
fn step(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < params.n { w[id.x] -= rate[0] * dw[id.x]; }
}
`)}}, "descend.step", func(_ doubleParams, b [][]float64) {
	for i, g := range b[0] {
		b[2][i] -= b[1][0] * g
	}
}, compute.Func(func(r *compute.Reference32) [][]float64 {
	bound := make([]float64, len(r.In[2]))
	for i, w := range r.In[2] {
		bound[i] = compute.Gamma(3)*(math.Abs(w)+math.Abs(r.In[1][0]*r.In[0][i])) + 3*0x1p-126
	}
	return [][]float64{nil, nil, bound}
}))

// descent is a program that lowers parameters of 3, 70 and 5 elements by rate times
// 1, 2 and 3, and keeps the last gradient.
func descent(t *testing.T, dev *compute.Device, params []*compute.Param) (*compute.Program, *compute.Tensor, *compute.Tensor) {
	t.Helper()
	tape := compute.NewTape(dev)
	rate := tape.Input("rate", compute.F32, 1)
	var grad *compute.Tensor
	var gradients []*compute.Tensor
	for i, p := range params {
		grad = tape.New(p.Len())
		x := tape.Constant("x", filled(p.Len(), float32(i+1)/2), p.Len())
		doubled.Run(doubleParams{uint32(p.Len())}, x, grad)
		gradients = append(gradients, grad)
	}
	for i, p := range params {
		descend.Run(doubleParams{uint32(p.Len())}, gradients[i], rate, tape.Param(p))
	}
	tape.Keep(grad)
	p, err := tape.Compile("choose", "join")
	if err != nil {
		t.Fatal(err)
	}
	return p, rate, grad
}

func filled(n int, v float32) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = v
	}
	return x
}

func descending() []*compute.Param {
	return []*compute.Param{compute.NewParam("a", 3), compute.NewParam("b", 70), compute.NewParam("c", 5)}
}

// TestBatch wants the runs of an optimizer to become one, the parameters to be where
// every program finds them, and nothing to be left.
func TestBatch(t *testing.T) {
	dev := devicetest.Fresh(t)
	devicetest.NoLeaks(t, dev)
	params := descending()
	count := func(p *compute.Program, want int) {
		t.Helper()
		steps, err := devicetest.Steps(p)
		if err != nil || len(steps) != want {
			t.Errorf("%d dispatches, %v, want %d", len(steps), err, want)
		}
	}
	first, rate, grad := descent(t, dev, params)
	count(first, 4)
	second, rate2, _ := descent(t, dev, params)
	count(second, 4) // in the same places
	// A program that uses one parameter alone, and one of other parameters as well.
	tape := compute.NewTape(dev)
	y := tape.New(70)
	doubled.Run(doubleParams{70}, tape.Param(params[1]), y)
	tape.Keep(y)
	reader, err := tape.Compile("join")
	if err != nil {
		t.Fatal(err)
	}
	more := append([]*compute.Param{compute.NewParam("d", 2)}, params...)
	third, rate3, _ := descent(t, dev, more)
	count(third, 8) // they have other places
	got, g := make([]float32, 70), make([]float32, 5)
	params[1].Data[69] = 100
	for _, err := range []error{
		dev.Upload(params[1]), first.Write(rate, []float32{1}), second.Write(rate2, []float32{10}), third.Write(rate3, []float32{100}),
		first.Run(ctx), second.Run(ctx), third.Run(ctx), first.Run(ctx), reader.Run(ctx), reader.Read(ctx, y, got), first.Read(ctx, grad, g), dev.Download(ctx, params...),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	// Two runs by 1, one by 10, and one by 100 in which each is the next.
	for i, p := range params {
		if want := -float32(12*(i+1) + 100*(i+2)); p.Data[0] != want || p.Data[2] != want {
			t.Errorf("%s is %v, want %v", p.Name, p.Data, want)
		}
	}
	if got[0] != -2*324 || got[69] != 2*(100-324) || g[4] != 3 {
		t.Errorf("twice the second is %v ... %v, want -648 and -448; the last gradient is %v, want 3", got[0], got[69], g[4])
	}
	if err := errors.Join(first.Close(), second.Close(), third.Close(), reader.Close()); err != nil {
		t.Error(err)
	}
	dev.Forget(more...)
	// Of parameters that are on the device already, and not together.
	others := descending()
	tape = compute.NewTape(dev)
	doubled.Run(doubleParams{5}, tape.Param(others[2]), tape.New(5))
	alone, err := tape.Compile("prune", "join")
	if err != nil {
		t.Fatal(err)
	}
	last, _, _ := descent(t, dev, others)
	count(last, 6)
	if err := errors.Join(alone.Close(), last.Close()); err != nil {
		t.Error(err)
	}
	dev.Forget(others...)
}

// TestOneUse wants a run that reads a parameter and writes another to work whichever
// program is compiled first, though the optimizer's puts both in one buffer: with the
// same texts and the same bits.
func TestOneUse(t *testing.T) {
	dev := devicetest.Open(t)
	var texts, results []string
	for _, order := range [][]string{{"train", "copy"}, {"copy", "train"}} {
		params := descending()
		for i, p := range params {
			copy(p.Data, filled(p.Len(), float32(i)+0.3))
		}
		programs := map[string]*compute.Program{}
		for _, name := range order {
			if name == "train" {
				p, rate, _ := descent(t, dev, params)
				if err := p.Write(rate, []float32{0.1}); err != nil {
					t.Fatal(err)
				}
				programs[name] = p
				continue
			}
			tape := compute.NewTape(dev)
			doubled.Run(doubleParams{3}, tape.Param(params[2]), tape.Param(params[0]))
			p, err := tape.Compile("choose")
			if err != nil {
				t.Fatalf("%v: %v", order, err)
			}
			programs[name] = p
		}
		for range 3 {
			if err := errors.Join(programs["train"].Run(ctx), programs["copy"].Run(ctx)); err != nil {
				t.Fatal(err)
			}
		}
		steps, err := devicetest.Steps(programs["copy"])
		if err := errors.Join(err, dev.Download(ctx, params...), programs["train"].Close(), programs["copy"].Close()); err != nil {
			t.Fatal(err)
		}
		text, result := "", ""
		for _, s := range steps {
			text += s.WGSL
		}
		for _, p := range params {
			result += fmt.Sprint(p.Data)
		}
		texts, results = append(texts, text), append(results, result)
		if want := 2 * params[2].Data[1]; params[0].Data[1] != want || want == 0 {
			t.Errorf("%v: the first parameter is %v, want %v, twice the third", order, params[0].Data[1], want)
		}
		dev.Forget(params...)
	}
	if texts[0] != texts[1] || results[0] != results[1] {
		t.Errorf("the order of compilation changes texts, or %v to %v", results[0], results[1])
	}
}

// TestJoinPlaces wants a program to know that another one gave parameters places in one
// buffer, of which WebGPU lets no launch read some and write others.
func TestJoinPlaces(t *testing.T) {
	dev := devicetest.Open(t)
	params := descending()
	first, _, _ := descent(t, dev, params)
	for _, p := range params { // as they come from the device
		clear(p.Data)
	}
	if err := dev.Upload(params...); err != nil {
		t.Fatal(err)
	}
	tape := compute.NewTape(dev)
	one, y := tape.Constant("one", []float32{1}, 1), tape.New(5)
	doubled.Run(doubleParams{5}, tape.Param(params[2]), y)
	descend.Run(doubleParams{70}, tape.Constant("dw", filled(70, 2), 70), one, tape.Param(params[1]))
	tape.Keep(y)
	second, err := tape.Compile("choose")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(second.Run(t.Context()), dev.Download(t.Context(), params[1])); err != nil || params[1].Data[69] != -2 {
		t.Errorf("the second parameter ends with %v, %v, want -2", params[1].Data[69], err)
	}
	if err := errors.Join(first.Close(), second.Close()); err != nil {
		t.Error(err)
	}
	dev.Forget(params...)
}
