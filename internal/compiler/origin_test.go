package compiler

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pumice-ml/pumice/internal/ir"
)

type originParams struct{ N uint32 }

// originKernel is a kernel of one to three tensors, of which the last is written; nobody
// runs it.
func originKernel(name string, bindings ...string) *ir.Kernel {
	var b strings.Builder
	b.WriteString("// " + name + ": y = x.\nstruct Params { n: u32 }\n@group(0) @binding(0) var<uniform> params: Params;\n")
	for i, x := range bindings {
		access := "read"
		if i == len(bindings)-1 {
			access = "read_write"
		}
		b.WriteString("@group(0) @binding(" + string(rune('1'+i)) + ") var<storage, " + access + "> " + x + ": array<f32>;\n")
	}
	b.WriteString("// invocations: n\n@compute @workgroup_size(64)\nfn forward(@builtin(global_invocation_id) id: vec3<u32>) {\n    if id.x < params.n { " + bindings[len(bindings)-1] + "[id.x] = ")
	for _, x := range bindings[:len(bindings)-1] {
		b.WriteString(x + "[id.x] + ")
	}
	b.WriteString("1.0; }\n}\n")
	return declareFS(fstest.MapFS{name + ".wgsl": {Data: []byte(b.String())}}, name+".forward", func(_ originParams, b [][]float64) {
		for i := range b[len(b)-1] {
			sum := 1.0
			for _, x := range b[:len(b)-1] {
				sum += x[i]
			}
			b[len(b)-1][i] = sum
		}
	}, ir.Reduce(3))
}

var (
	originA     = originKernel("origin_a", "x", "y")
	originB     = originKernel("origin_b", "x", "gate", "y")
	originBoth  = originKernel("origin_both", "x", "gate", "y")
	originOne   = originKernel("origin_one", "x", "y")
	originTwo   = originKernel("origin_two", "x", "gate", "y")
	originWrite = originKernel("origin_over", "x", "gate")
)

// TestOrigin wants each dispatch to say which recorded ones it does the work of, on the
// tensors of the program, whatever rules were taken one after the other.
func TestOrigin(t *testing.T) {
	p := originParams{5}
	both := ir.Rule{Name: "both", Of: []*ir.Kernel{originA, originB}, Record: func(_ *ir.Tape, runs []ir.Dispatch, _ bool) bool {
		originBoth.Run(p, runs[0].Tensors[0], runs[1].Tensors[1], runs[1].Tensors[2])
		return true
	}}
	split := ir.Rule{Name: "split", Of: []*ir.Kernel{originBoth}, Record: func(t *ir.Tape, runs []ir.Dispatch, _ bool) bool {
		x, z := runs[0].Tensors, t.NewF32(5)
		originOne.Run(p, x[0], z)
		originTwo.Run(p, z, x[1], x[2])
		return true
	}}
	over := ir.Rule{Name: "over", Of: []*ir.Kernel{originTwo}, Over: [2]string{"gate", "y"}, Record: func(_ *ir.Tape, runs []ir.Dispatch, _ bool) bool {
		originWrite.Run(p, runs[0].Tensors[0], runs[0].Tensors[1])
		return true
	}}
	dev := must(open(t.Context()))
	dev.Tune(false)
	for _, c := range []struct {
		rules []ir.Rule
		want  string // kernels, of which those in brackets stand for those behind the colon
	}{
		{nil, "a a b a"},
		{[]ir.Rule{both}, "a [both: a b] a"},
		{[]ir.Rule{both, split}, "a [one two: a b] a"},
		{[]ir.Rule{both, split, over}, "a [one over: a b] a"},
		{[]ir.Rule{over, split, both}, "a [one over: a b] a"},
		{[]ir.Rule{split, over}, "a a b a"},
	} {
		tape := newTape(dev)
		tape.Use(c.rules...)
		x := tape.Input("x", ir.F32, 5)
		gate, y, z, last := tape.New(5), tape.New(5), tape.New(5), tape.New(5)
		originA.Run(p, x, gate)
		originA.Run(p, x, y)
		originB.Run(p, y, gate, z)
		originA.Run(p, z, last)
		tape.Keep(last)
		before := len(tape.Slots())
		for range 2 { // for it may be compiled again
			list := Lowered(tape)
			if got := origins(list); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			if len(tape.Slots()) != before || len(tape.Dispatches()) != 4 || tape.Dispatches()[0].Stands != nil || tape.Dispatches()[3].Tensors[0] != z {
				t.Errorf("the tape has changed: %d tensors, want %d", len(tape.Slots()), before)
			}
			if o := list[1].Stands; strings.Contains(c.want, "over") {
				if end := list[len(list)-1].Tensors[0]; !end.Same(gate) || o.Over[z.Base()] != gate.Base() || !o.Plain[1].Tensors[2].Same(z) {
					t.Errorf("the last reads %v, want %v; over %v, plain %v", end, gate, o.Over, o.Plain)
				}
			}
		}
	}
}

// origins names the kernels of a list, and those of what they stand for.
func origins(list []ir.Dispatch) string {
	name := func(d ir.Dispatch) string {
		return strings.TrimSuffix(strings.TrimPrefix(d.Kernel.Name(), "origin_"), ".forward")
	}
	var out []string
	for i := 0; i < len(list); i++ {
		o := list[i].Stands
		if o == nil {
			out = append(out, name(list[i]))
			continue
		}
		var some, plain []string
		for ; i < len(list) && list[i].Stands == o; i++ {
			some = append(some, name(list[i]))
		}
		i--
		for _, d := range o.Plain {
			plain = append(plain, name(d))
		}
		out = append(out, "["+strings.Join(some, " ")+": "+strings.Join(plain, " ")+"]")
	}
	return strings.Join(out, " ")
}

// TestUsePanics wants rules that lack something refused.
func TestUsePanics(t *testing.T) {
	record := func(*ir.Tape, []ir.Dispatch, bool) bool { return false }
	one := []*ir.Kernel{originA}
	for _, r := range []ir.Rule{
		{Of: one, Record: record}, {Name: "no kernel", Record: record}, {Name: "no record", Of: one},
		{Name: "two", Of: []*ir.Kernel{originA, originB}, Record: record, Over: [2]string{"x", "y"}},
	} {
		func() {
			defer func() {
				if got, _ := recover().(string); !strings.Contains(got, "want a name, kernels") {
					t.Errorf("%+v: panic %q", r, got)
				}
			}()
			newTape(Reference().dev).Use(r)
		}()
	}
}
