package tune_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/internal/rule"
	"github.com/pumice-ml/pumice/internal/tune"
)

// shifted is y = x + 1, in a shader of its own for each name, whose flops are counted
// as given.
func shifted(name, expression, flops string) *compute.Kernel {
	text := `// ` + name + `: y = x + 1, element by element.
// x, y are (rows*n).
// test: rows=3, n=5
struct Params { rows: u32, n: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
const block: u32 = 64u;
// invocations: rows*n
// flops: ` + flops + `
@compute @workgroup_size(block)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < params.rows * params.n { y[id.x] = ` + expression + `; }
}
`
	return compute.NewKernelFS(fstest.MapFS{name + ".wgsl": {Data: []byte(text)}}, name+".forward", func(_ shiftedParams, b [][]float64) {
		for i, x := range b[0] {
			b[1][i] = x + 1
		}
	}, compute.Exact)
}

type shiftedParams struct{ Rows, N uint32 }

var (
	shift     = shifted("shift", "x[id.x] + 1.0", "rows*n")
	shiftOne  = shifted("shift_one", "1.0 + x[id.x]", "rows*n")
	shiftTwo  = shifted("shift_two", "x[id.x] - (-1.0)", "rows*n")
	shiftNot  = shifted("shift_not", "x[id.x] + 1.25", "rows*n")
	shiftMuch = shifted("shift_much", "1.0 - (-x[id.x])", "1000000*rows*n")
)

// The first variant is the device's own choice, the others suit none.
func shiftRules() (rules []ir.Rule) {
	for _, v := range []struct {
		name  string
		k     *compute.Kernel
		suits func(compute.Info) bool
	}{{"one", shiftOne, nil}, {"two", shiftTwo, never}, {"not", shiftNot, never}, {"much", shiftMuch, never}} {
		r := as(shift, v.k)
		r.Name, r.Suits, r.Class = v.name, suitsOf(v.suits), func(params any) any {
			p := params.(shiftedParams)
			p.Rows = ir.BatchClass(p.Rows)
			return p
		}
		rules = append(rules, r)
	}
	return rules
}

// unsuited has a variant that suits no device.
var unsuited = shifted("shift_unsuited", "x[id.x] + 1.0", "rows*n")

func unsuitedRule() ir.Rule {
	r := as(unsuited, shiftTwo)
	r.Name, r.Suits = "two", rule.Suits(never)
	return r
}

// TestTuneUnsuited wants the kernel itself first where nothing suits the device.
func TestTuneUnsuited(t *testing.T) {
	for us, want := range map[int]string{8: "two", 9: "plain"} {
		cache(t)
		dev, _ := tuning(t, map[string]int{"plain": 9, "two": us})
		tape := compute.NewTape(dev)
		x, y := tape.Input("x", compute.F32, 15), tape.New(15)
		rule.Use(tape, unsuitedRule())
		unsuited.Run(shiftedParams{3, 5}, x, y)
		tape.Keep(y)
		p, err := tape.Compile()
		if err != nil {
			t.Fatal(err)
		}
		p.Close()
		if c := devicetest.Machine(dev).Choices()[0]; c.Candidates[0].Variant != "plain" || c.Variant != want {
			t.Errorf("%d us: %+v, want %s", us, c, want)
		}
	}
}

// both has two variants that suit any device.
var both = shifted("shift_both", "x[id.x] + 1.0", "rows*n")

// TestTuneSuited wants variants that suit the device tried however long they run.
func TestTuneSuited(t *testing.T) {
	cache(t)
	dev, _ := tuning(t, map[string]int{"shift_one.forward": 30_000, "shift_two.forward": 25_000, "plain": 1})
	tape := compute.NewTape(dev)
	x, y := tape.Input("x", compute.F32, 15), tape.New(15)
	rule.Use(tape, as(both, shiftOne), as(both, shiftTwo))
	both.Run(shiftedParams{3, 5}, x, y)
	tape.Keep(y)
	p, err := tape.Compile()
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
	if c := devicetest.Machine(dev).Choices()[0]; c.Variant != "shift_two.forward" {
		t.Errorf("chosen: %+v", c)
	}
}

// tuning is a device that tunes by times in microseconds, in place of measuring, and
// counts the samples of each variant. A sample takes 1 ms.
func tuning(t *testing.T, times map[string]int) (*compute.Device, map[string]int) {
	dev, samples := devicetest.Fresh(t), map[string]int{}
	devicetest.Machine(dev).Fake(func(variant string) (one, took time.Duration, err error) {
		samples[variant]++
		return time.Duration(times[variant]) * time.Microsecond, time.Millisecond, nil
	}, 1e9, 1e12)
	dev.Tune(true)
	return dev, samples
}

// shifts compiles and runs a program that shifts rows of five, and names its kernel.
func shifts(t *testing.T, dev *compute.Device, rows int, without ...string) string {
	t.Helper()
	name, err := shiftsOr(dev, rows, without...)
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func shiftsOr(dev *compute.Device, rows int, without ...string) (string, error) {
	tape := compute.NewTape(dev)
	x, y := tape.Input("x", compute.F32, 5*rows), tape.New(5*rows)
	rule.Use(tape, shiftRules()...)
	shift.Run(shiftedParams{uint32(rows), 5}, x, y)
	tape.Keep(y)
	p, err := tape.Compile(without...)
	if err != nil {
		return "", err
	}
	defer p.Close()
	numbers, got := make([]float32, 5*rows), make([]float32, 5*rows)
	for i := range numbers {
		numbers[i] = float32(i)
	}
	if err := errors.Join(p.Write(x, numbers), p.Run(ctx), p.Read(ctx, y, got)); err != nil {
		return "", err
	}
	for i := range got {
		if got[i] != float32(i+1) {
			return "", fmt.Errorf("element %d is %v, want %v", i, got[i], i+1)
		}
	}
	steps, err := devicetest.Steps(p)
	if err != nil || len(steps) != 1 {
		return "", fmt.Errorf("%d steps, %w", len(steps), err)
	}
	name, _, _ := strings.Cut(steps[0].Kernel, ".")
	return name, nil
}

// TestTune wants the fastest variant that is right, whether it suits the device or not.
func TestTune(t *testing.T) {
	cache(t)
	dev, samples := tuning(t, map[string]int{"plain": 50, "one": 20, "two": 15, "not": 1, "much": 1})
	if got := shifts(t, dev, 3); got != "shift_two" {
		t.Errorf("the program is %s, want the fastest right one, shift_two", got)
	}
	if want := map[string]int{"plain": 2, "one": 10, "two": 10}; !maps.Equal(samples, want) {
		t.Errorf("samples %v, want %v", samples, want)
	}
	all := devicetest.Machine(dev).Choices()
	if len(all) != 1 {
		t.Fatalf("choices %+v, want one", all)
	}
	c := all[0]
	if c.Kernel != "shift.forward" || c.Class != "Rows:3 N:5" || c.Variant != "two" || c.Cached || c.Reason != "the fastest: 1.33 times as fast as one" {
		t.Errorf("got %+v", c)
	}
	us := time.Microsecond
	want := []tune.Candidate{
		{Variant: "one", Floor: 15, Median: 20 * us, Least: 20 * us, Most: 20 * us, Samples: 9},
		{Variant: "two", Floor: 15, Median: 15 * us, Least: 15 * us, Most: 15 * us, Samples: 9},
		{Variant: "not", Floor: 15},
		{Variant: "much", Floor: 15 * time.Millisecond, Left: "takes 15ms at the adapter's ceilings, one 20µs"},
		{Variant: "plain", Floor: 15, Median: 50 * us, Least: 50 * us, Most: 50 * us, Samples: 1, Left: "took 50µs at first, two 15µs"},
	}
	if left := c.Candidates[2].Left; !strings.HasPrefix(left, "computes wrong numbers: ") {
		t.Errorf("the wrong one is left out because it %q", left)
	}
	c.Candidates[2].Left = ""
	if diff := cmp.Diff(want, c.Candidates); diff != "" {
		t.Errorf("candidates, want -, got +:\n%s", diff)
	}
	if refused := devicetest.Machine(dev).Refused(); len(refused) != 1 || refused[0].Variant != "not" {
		t.Errorf("refused: %+v", refused)
	}
	if got := shifts(t, dev, 3, "choose"); got != "shift" {
		t.Errorf("without choice the program is %s", got)
	}
}

// TestTuneCeilings wants nothing left out for ceilings that are none, and nothing
// measured that has nothing to do.
func TestTuneCeilings(t *testing.T) {
	cache(t)
	dev, samples := tuning(t, map[string]int{"plain": 9, "one": 8, "two": 7, "much": 6})
	devicetest.Machine(dev).Fake(func(variant string) (one, took time.Duration, err error) {
		samples[variant]++
		return 8 * time.Microsecond, time.Millisecond, nil
	}, 1e3, 1e12)
	if shifts(t, dev, 3); samples["much"] != 10 {
		t.Errorf("samples %v, want 10 of each", samples)
	}
	clear(samples)
	tape := compute.NewTape(dev)
	x, y := tape.Input("x", compute.F32, 0), tape.New(0)
	rule.Use(tape, shiftRules()...)
	shift.Run(shiftedParams{0, 5}, x, y)
	tape.Keep(y)
	p, err := tape.Compile()
	if err != nil || len(samples) > 0 {
		t.Fatalf("of nothing: samples %v, %v", samples, err)
	}
	p.Close()
}

// TestTuneClass wants one measurement for programs of a class, on devices of one
// adapter.
func TestTuneClass(t *testing.T) {
	cache(t)
	times := map[string]int{"plain": 9, "one": 8, "two": 7, "much": 7}
	dev, samples := tuning(t, times)
	shifts(t, dev, 17)
	before := maps.Clone(samples)
	shifts(t, dev, 32)
	other, none := tuning(t, times)
	if got := shifts(t, other, 20); got != "shift_two" || len(none) > 0 || !maps.Equal(samples, before) {
		t.Errorf("the same class again: %s, samples %v and %v, want none and %v", got, none, samples, before)
	}
	if c := devicetest.Machine(other).Choices(); len(c) != 1 || !c[0].Cached || c[0].Class != "Rows:32 N:5" {
		t.Errorf("the other device: %+v", c)
	}
	if shifts(t, dev, 33); maps.Equal(samples, before) {
		t.Error("another class was not measured")
	}
	for n, want := range map[uint32]uint32{0: 0, 1: 1, 15: 15, 16: 16, 17: 32, 32: 32, 33: 64, 1 << 31: 1 << 31, 1<<31 + 1: 1<<31 + 1} {
		if got := ir.BatchClass(n); got != want {
			t.Errorf("BatchClass(%d) = %d, want %d", n, got, want)
		}
	}
}

// TestTuneJudged wants what judges a program to see the kernels that it has.
func TestTuneJudged(t *testing.T) {
	cache(t)
	dev, samples := tuning(t, map[string]int{"plain": 9, "one": 8, "two": 7})
	record := func() *compute.Tape {
		tape := compute.NewTape(dev)
		x, y := tape.Zeros(15), tape.New(15)
		rule.Use(tape, shiftRules()...)
		shift.Run(shiftedParams{3, 5}, x, y)
		tape.Keep(y)
		return tape
	}
	lowered := func() string {
		list := devicetest.Lowered(record())
		return list[len(list)-1].Kernel.Name()
	}
	if got := lowered(); got != "shift_one.forward" || len(samples) > 0 {
		t.Errorf("before: %s, samples %v, want shift_one, and none", got, samples)
	}
	shifts(t, dev, 3)
	if got := lowered(); got != "shift_two.forward" {
		t.Errorf("after: %s", got)
	}
	found, err := devicetest.Verify(record(), nil)
	devicetest.Check(t, found, err)
	if last := found[len(found)-1]; last.Kernel != "shift_two.forward" {
		t.Errorf("judged: %v", last)
	}
}

// TestTuneWhere wants software adapters not to tune unless asked.
func TestTuneWhere(t *testing.T) {
	t.Setenv("PUMICE_TUNE", "")
	os.Unsetenv("PUMICE_TUNE")
	dev, err := compute.Open(ctx, compute.Want{Name: devicetest.Open(t).Info().Name})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	kind := dev.Info().Type
	if want := kind == "discrete" || kind == "integrated"; devicetest.Machine(dev).Tunes() != want {
		t.Errorf("a %s adapter tunes: %v", kind, devicetest.Machine(dev).Tunes())
	}
	logged := logs(t)
	for value, want := range map[string]bool{"1": true, "0": false, "true": true, "often": devicetest.Machine(dev).Tunes()} {
		t.Setenv("PUMICE_TUNE", value)
		if devicetest.Machine(dev).Tunes() != want {
			t.Errorf("PUMICE_TUNE=%s: %v", value, devicetest.Machine(dev).Tunes())
		}
	}
	if strings.Count(logged.String(), "often") != 1 {
		t.Errorf("logged %q", logged)
	}
	t.Setenv("PUMICE_TUNE", "1")
	if dev.Tune(false); devicetest.Machine(dev).Tunes() {
		t.Error("the program's word does not count more than the environment's")
	}
	cache(t)
	quiet, samples := tuning(t, nil)
	quiet.Tune(false)
	if got := shifts(t, quiet, 3); got != "shift_one" || len(samples) > 0 || len(devicetest.Machine(quiet).Choices()) > 0 {
		t.Errorf("a device that does not tune: %s, samples %v", got, samples)
	}
}

// TestTuneUnmeasured wants a program that is compiled without measuring to take what is
// known, and else what suits the device.
func TestTuneUnmeasured(t *testing.T) {
	cache(t)
	dev, samples := tuning(t, map[string]int{"plain": 50, "one": 20, "two": 15})
	if got := shifts(t, dev, 3, "measure"); got != "shift_one" || len(samples) > 0 || len(devicetest.Machine(dev).Choices()) > 0 {
		t.Errorf("before: %s, samples %v, choices %v, want shift_one, and none", got, samples, devicetest.Machine(dev).Choices())
	}
	if got := shifts(t, dev, 3); got != "shift_two" {
		t.Errorf("measured: %s, want shift_two", got)
	}
	before := maps.Clone(samples)
	if got := shifts(t, dev, 3, "measure"); got != "shift_two" || !maps.Equal(samples, before) {
		t.Errorf("after: %s, samples %v, want shift_two and %v", got, samples, before)
	}
}
