// Package judge tests on a device what a program would run there.
//
// What runs is what is proved. Before the first result of a program counts, each text
// that it sends to the driver is judged on the device, unless it passed there before: the
// launch runs on scratch copies of its tensors, which hold hard numbers, and what it
// writes is judged by the definitions and error models of the runs whose work it does,
// as compiler.Judge does it.
//
// A text of one kernel with its params in a uniform does not depend on sizes, and is
// judged at those of the shader's header. Other texts are judged at the sizes at hand. A
// definition that would take long there is replaced by a run of the kernel on the device,
// with its params in a uniform, which is judged like every other; both may then stray by
// their bounds. Where the kernel has no such text, it is judged at a smaller size of what
// all of its arrays are made of, such as a batch.
package judge

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"runtime"
	"slices"
	"sync"

	"github.com/pumice-ml/pumice/internal/engine"
	"github.com/pumice-ml/pumice/internal/ir"
)

// Refusal is a text that a device does not run: that of a variant of a kernel, or of a
// merge or a specialisation, for which Variant is the pass.
type Refusal struct {
	Kernel, Variant string
	Reason          string // the worst element, or what the driver says
}

// Refused lists what programs of d would have run, had it computed what it should.
func (d *Device) Refused() []Refusal {
	d.checks.Lock()
	defer d.checks.Unlock()
	return slices.Clone(d.checks.refused)
}

// Warn notes a refusal, and logs it once.
func (d *Device) Warn(kernel, variant, reason string) {
	r := Refusal{Kernel: kernel, Variant: variant, Reason: reason}
	d.checks.Lock()
	known := slices.Contains(d.checks.refused, r)
	if !known {
		d.checks.refused = append(d.checks.refused, r)
	}
	d.checks.Unlock()
	if !known {
		slog.Warn("pumice: a variant is not used, for it computes wrong numbers", "kernel", kernel, "variant", variant, "adapter", d.Info().Name, "reason", reason)
	}
}

// unjudged logs once that a launch runs unjudged.
func (d *Device) unjudged(l *ir.Dispatch) {
	d.checks.Lock()
	known := d.checks.said[l.Kernel.Name()]
	if d.checks.said == nil {
		d.checks.said = map[string]bool{}
	}
	d.checks.said[l.Kernel.Name()] = true
	d.checks.Unlock()
	if !known {
		slog.Warn("pumice: a text runs that was not judged: its tensors are too large, or its definition makes no numbers of made-up ones", "kernel", l.Kernel.Name(), "adapter", d.Info().Name)
	}
}

// checks is what a device knows of texts.
type checks struct {
	judging sync.Mutex // one judgement at a time
	sync.Mutex
	passed  passed
	bad     map[string]string                  // texts that failed, by key, with the reason
	wrong   map[ir.DType]map[*ir.Kernel]string // kernels without a text that passed, by what tensors are stored as
	adds    map[*ir.Kernel]bool                // kernels that need zeros where they could assign
	proved  map[string]string                  // rules that were tested: why not, or ""
	refused []Refusal
	said    map[string]bool // kernels of launches that run unjudged
}

// verdict is how a launch was judged.
type verdict struct {
	key    string
	how    string // "by definition", "by comparison" or "remembered", and the sizes
	reason string // why it failed, or ""
}

// The ways to judge, as Step.Judged names them.
const (
	ByDefinition = "by definition"
	byComparison = "by comparison"
	atTestSizes  = ", at test sizes"
	AtSmaller    = ", at a smaller size"
	Remembered   = "remembered"
	unjudged     = "not judged" // the definition makes no numbers of any
)

// cheap is how many floating-point operations of a definition are worth their time:
// some milliseconds.
const cheap = 96 << 20

// mostDefined is how many floating-point operations a definition may take, where nothing
// can stand for it: some tenths of a second.
const mostDefined = 1 << 27

// charge is a launch to judge: at first as it runs in a program, then as it is judged.
type charge struct {
	d      ir.Dispatch
	bake   bool
	key    string
	suffix string // of the way it is judged
	v      *verdict
	inputs *inputs
	ran    bool   // it had inputs
	told   func() // of progress

	fault   error   // of making the text
	indices bool    // so they do for those that read u32 numbers
	compare bool    // runs of the device stand for definitions that would take long
	before  verdict // of a first attempt
	after   map[*ir.Slot][]float64
	beyond  map[*ir.Slot]int
}

// judge judges the launches of a list that have no verdict yet, and gives that of each.
func (d *Device) judge(ctx context.Context, list []ir.Dispatch, bake bool) ([]verdict, error) {
	d.checks.judging.Lock()
	defer d.checks.judging.Unlock()
	d.checks.Lock()
	d.checks.load(d)
	d.checks.Unlock()
	verdicts := make([]verdict, len(list))
	var charges []*charge
	first := map[string]int{}
	for i := range list {
		c, err := d.charge(&list[i], bake)
		if err != nil {
			return nil, err
		}
		if verdicts[i].key = c.key; c.fault != nil {
			verdicts[i] = verdict{how: unjudged, reason: c.fault.Error()}
		}
		if _, again := first[c.key]; again || c.key == "" {
			continue
		}
		first[c.key] = i
		c.v = &verdicts[i]
		if !d.remembers(c.v) {
			charges = append(charges, c)
		}
	}
	if err := d.try(ctx, charges); err != nil {
		return nil, err
	}
	for i := range verdicts {
		if key := verdicts[i].key; key != "" {
			verdicts[i] = verdicts[first[key]]
		}
	}
	return verdicts, nil
}

// charge is a launch as it will be judged. It has no key where there is nothing to run.
func (d *Device) charge(l *ir.Dispatch, bake bool) (*charge, error) {
	c := &charge{d: *l, bake: bake}
	groups, err := l.Grid(int(d.Info().Limits.WorkgroupsPerDimension))
	if err != nil || groups[0] == 0 || !l.Kernel.RunsOn(d) {
		return c, nil // the program says so
	}
	text, err := l.Text(bake)
	if err != nil {
		c.fault = err
		return c, nil
	}
	c.key = d.Key(l, text)
	sized := func(sizes ir.Dispatch, ok bool, suffix string) {
		if ok {
			c.d, c.suffix = sizes, suffix
		}
	}
	switch {
	case l.Merged == "" && !l.Baked(bake) && l.Kernel.Testable() == nil:
		test, ok := l.Kernel.At(l.Kernel.TestSizes(), l)
		sized(test, ok, atTestSizes)
	case l.Merged == "" && (l.Bytes() > MostAtOnce || costs(l, d) > cheap && (len(compares(l, d, false)) == 0 || l.Bytes() > mostCompared)):
		small, ok := smaller(l, d)
		sized(small, ok, AtSmaller)
	}
	if l.Merged == "" && c.suffix == "" && (l.Bytes() > MostAtOnce || costs(l, d) > mostDefined && len(compares(l, d, false)) == 0) && l.Kernel.Testable() == nil {
		test, ok := l.Kernel.At(l.Kernel.TestSizes(), l)
		sized(test, ok, AtSmaller)
	}
	if l.Merged == ir.Join && (l.Bytes() > MostAtOnce || costs(l, d) > cheap && len(compares(l, d, false)) == 0) {
		small, ok := d.smallerParts(l)
		sized(small, ok, AtSmaller)
	}
	if c.suffix == "" {
		c.d = private(l)
	}
	return c, nil
}

// mostCompared is how many bytes of tensors a run may have whose definition a run of the
// device stands for.
const mostCompared = 4 << 20

// remembers reports whether the device knows how v's text does.
func (d *Device) remembers(v *verdict) bool {
	d.checks.Lock()
	defer d.checks.Unlock()
	if reason, ok := d.checks.bad[v.key]; ok {
		v.how, v.reason = Remembered, reason
		return true
	}
	if d.checks.passed.has(v.key) {
		v.how = Remembered
		return true
	}
	return false
}

// Remembers reports whether a text is known to pass.
func (d *Device) Remembers(key string) bool {
	d.checks.Lock()
	defer d.checks.Unlock()
	return d.checks.passed.has(key)
}

// load reads what passed before.
func (c *checks) load(d *Device) {
	if c.bad == nil {
		c.bad, c.wrong = map[string]string{}, map[ir.DType]map[*ir.Kernel]string{ir.F32: {}, ir.F16: {}}
		c.passed = readPassed(d.checksFile())
	}
}

// try judges charges, and remembers the verdicts.
func (d *Device) try(ctx context.Context, charges []*charge) error {
	if len(charges) == 0 {
		return nil
	}
	done := d.Progress.Begin(engine.Judging, len(charges))
	for _, c := range charges {
		c.told = sync.OnceFunc(func() { done(c.d.Kernel.Name()) })
		defer c.told()
	}
	if err := d.attempt(ctx, charges); err != nil {
		return err
	}
	// At the sizes of its header a kernel takes any u32 numbers below one of its params; at
	// others, they may mean nothing to it, such as a place outside of a window. What the
	// kernel itself makes of them on the device is then the measure.
	var again []*charge
	for _, c := range charges {
		if c.v.reason != "" && c.ran && c.suffix != atTestSizes && slices.ContainsFunc(c.d.Leaves(), indexed) {
			c.indices, c.before = true, *c.v
			again = append(again, c)
		}
	}
	for _, c := range again {
		c.v.reason = ""
	}
	if err := d.attempt(ctx, again); err != nil {
		return err
	}
	for _, c := range again {
		if !c.compare || c.v.how == unjudged { // which says nothing against what was found
			*c.v = c.before
		}
	}
	var passed []string
	d.checks.Lock()
	for _, c := range charges {
		switch {
		case c.v.reason != "":
			d.checks.bad[c.key] = c.v.reason
		case c.v.how != unjudged:
			passed = append(passed, c.key)
		}
	}
	d.checks.passed.add(passed)
	d.checks.Unlock()
	writePassed(d.checksFile(), passed)
	return nil
}

// attempt gives charges their verdicts.
func (d *Device) attempt(ctx context.Context, charges []*charge) error {
	// Runs that stand for definitions are judged first.
	for _, c := range charges {
		var plain []ir.Dispatch
		if c.suffix == "" {
			plain = compares(&c.d, d, c.indices)
		}
		if c.compare = len(plain) > 0; !c.compare {
			continue
		}
		var first []*charge
		for i := range plain {
			one, err := d.charge(&plain[i], false)
			if err != nil {
				return err
			}
			if one.v = (&verdict{key: one.key}); one.key == "" || one.key == c.key {
				c.compare = false
			} else if !d.remembers(one.v) {
				first = append(first, one)
			}
			if one.v.reason != "" {
				c.compare = false
			}
		}
		if err := d.try(ctx, first); err != nil {
			return err
		}
		for _, one := range first {
			c.compare = c.compare && one.v.reason == ""
		}
	}
	// Definitions run side by side, some launches at a time, for their numbers take memory.
	b := &bench{dev: d}
	for len(charges) > 0 {
		n, bytes := 0, int64(0)
		for n < min(len(charges), 16) && (n == 0 || bytes+charges[n].d.Bytes() <= MostAtOnce) {
			bytes += charges[n].d.Bytes()
			n++
		}
		some := charges[:n]
		if err := side(some, b.hard); err != nil {
			return err
		}
		if b.err != nil {
			return b.err
		}
		if err := b.together(ctx, some); err != nil {
			return err
		}
		if err := side(some, b.verdict); err != nil {
			return err
		}
		for _, c := range some {
			c.ran = c.inputs != nil
			c.inputs, c.after, c.beyond = nil, nil, nil
			c.told()
		}
		charges = charges[n:]
	}
	return nil
}

// side calls do for each of the charges, side by side, and joins the errors.
func side(charges []*charge, do func(c *charge) error) error {
	errs := make([]error, len(charges))
	work := make(chan int)
	var wg sync.WaitGroup
	for range min(runtime.NumCPU(), len(charges)) {
		wg.Go(func() {
			for i := range work {
				errs[i] = do(charges[i])
			}
		})
	}
	for i := range charges {
		work <- i
	}
	close(work)
	wg.Wait()
	return errors.Join(errs...)
}

// finite reports whether float32 holds all of the numbers.
func finite(x []float64) bool {
	return !slices.ContainsFunc(x, func(v float64) bool { return !(math.Abs(v) <= math.MaxFloat32) })
}

// Device is a device that judges what it runs.
type Device struct {
	*engine.Device
	checks checks
}

// New lets a device judge.
func New(d *engine.Device) *Device { return &Device{Device: d} }
