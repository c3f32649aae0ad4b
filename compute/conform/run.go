package conform

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/internal/compiler"
	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/internal/judge"
)

// Options choose what Run does; the zero value is everything once.
type Options struct {
	Seed     uint32              // of all values; 0 is 7
	Match    string              // a path.Match pattern of kernels or ops; "" is all
	Cases    []Case              // these, in place of those of the ops
	Passes   bool                // also each op's first case with each pass of the compiler left out
	Variants bool                // also each case with each variant of its kernels
	F16      bool                // also each op with tensors stored as f16, where the device can
	FailFast bool                // stop at the first case that is illegal or failed
	Expected *Expectations       // known failures
	Progress func(done, all int) // called after each case
}

// Run runs the cases of the ops on a GPU device and judges every element that
// every kernel writes. An illegal element is a verdict, not an error; errors are
// those of the context and of a device that is lost, and come with the report so
// far. It panics on the reference device, which is the judge.
func Run(ctx context.Context, dev *compute.Device, ops []Op, o Options) (*Report, error) {
	if dev.IsReference() {
		panic("conform: Run: the reference device is what others are compared with")
	}
	if o.Seed == 0 {
		o.Seed = 7
	}
	if _, err := path.Match(o.Match, ""); err != nil {
		return nil, fmt.Errorf("conform: pattern %q: %w", o.Match, err)
	}
	cases := o.Cases
	if cases == nil {
		cases = Cases(ops, o.Seed)
		if o.F16 && dev.Stores(compute.F16) == nil {
			cases = append(cases, CasesF16(ops, o.Seed)...)
		}
	}
	report := newReport(dev, o.Seed)
	began := time.Now()
	defer func() { report.Seconds = time.Since(began).Seconds() }()
	seen := map[*Op]bool{}
	names := map[*Op][]string{}
	var runs []run
	for _, c := range cases {
		runs = append(runs, run{Case: c})
		if !seen[c.Op] {
			names[c.Op] = variants(dev, c)
		}
		for _, v := range names[c.Op] {
			if o.Variants && c.Storage == compute.F32 {
				other := c
				other.Variant = v
				runs = append(runs, run{Case: other, spare: true})
			}
		}
		if o.Passes && !seen[c.Op] {
			for _, pass := range ir.Passes() {
				if pass == ir.Plan {
					continue // Judge never lets tensors share memory
				}
				runs = append(runs, run{Case: c, without: []ir.Pass{pass}})
			}
		}
		seen[c.Op] = true
	}
	for i, c := range runs {
		if err := ctx.Err(); err != nil {
			return report, fmt.Errorf("conform: stopped after %d of %d cases: %w", i, len(runs), err)
		}
		start := time.Now()
		result, err := c.do(ctx, dev, report, o.Match)
		if errors.Is(err, compute.ErrDeviceLost) || ctx.Err() != nil {
			return report, fmt.Errorf("conform: %s: %w", c.name(), err)
		}
		if err != nil {
			result.Verdict, result.Error = Failed, err.Error()
		}
		result.Seconds = time.Since(start).Seconds()
		if len(result.Checks) > 0 || result.Error != "" || len(result.Differences) > 0 {
			o.Expected.apply(report.Fingerprint, result)
			report.add(result)
			if o.FailFast && result.Verdict.bad() {
				break
			}
		}
		if o.Progress != nil {
			o.Progress(i+1, len(runs))
		}
	}
	report.Unmet = o.Expected.unmet(report)
	return report, nil
}

// run is a case with passes left out.
type run struct {
	Case
	without []ir.Pass
	spare   bool // left out where the variant changes nothing
}

func (r run) name() string {
	name := r.Name()
	for _, p := range r.without {
		name += "/without=" + string(p)
	}
	return name
}

// do runs one case. A panic of the recording is the op's fault, and an error.
func (r run) do(ctx context.Context, dev *compute.Device, report *Report, match string) (result *Result, err error) {
	result = &Result{Name: r.name(), Verdict: Correct}
	rec, err := newRecorder(dev, r.Case)
	if err != nil {
		return result, err
	}
	defer func() {
		dev.Forget(rec.params...)
		if p := recover(); p != nil {
			err = fmt.Errorf("conform: %s: panic: %v", r.name(), p)
		}
	}()
	whole := match == "" || matches(match, r.Op.Name)
	if r.spare || r.Storage == compute.F16 || !whole {
		if needless, err := r.needless(dev, match, whole); needless || err != nil {
			return result, err
		}
	}
	r.Op.Record(rec)
	differences, err := compiler.Judge(ctx, rec.tape(), rec.given, func(j *judge.Judged) {
		if whole || slices.ContainsFunc(j.Kernels, func(k *ir.Kernel) bool { return matches(match, k.Name()) }) {
			result.judge(j, report)
		}
	}, r.without...)
	for _, d := range differences {
		if whole {
			result.Differences = append(result.Differences, d.String())
			result.Verdict = Illegal
		}
	}
	return result, err
}

// needless reports whether there is nothing to run: no kernel that matches, none that
// stores f16, or those of the same case without its variant.
func (r run) needless(dev *compute.Device, match string, whole bool) (bool, error) {
	rec, err := newRecorder(dev, r.Case)
	if err != nil {
		return false, err
	}
	rec.values.zero = true
	r.Op.Record(rec)
	list := compiler.Lowered(rec.tape(), r.without...)
	if r.Storage == compute.F16 && !storesF16(list) {
		return true, nil
	}
	if r.spare {
		rec.Variant = ""
		usual := compiler.Lowered(rec.tape(), r.without...)
		if slices.EqualFunc(list, usual, func(a, b ir.Dispatch) bool { return a.Kernel == b.Kernel }) {
			return true, nil
		}
	}
	return !whole && !slices.ContainsFunc(list, func(d ir.Dispatch) bool { return matches(match, d.Kernel.Name()) }), nil
}

// Kernels names the kernels that a case runs, or would with another variant, without
// running it.
func Kernels(dev *compute.Device, c Case) (names []string) {
	r, err := newRecorder(dev, c)
	if err != nil {
		return nil
	}
	r.values.zero = true
	c.Op.Record(r)
	for _, v := range append(variants(dev, c), "") {
		r.Variant = v
		for _, d := range compiler.Lowered(r.tape()) {
			names = append(names, d.Kernel.Name())
		}
	}
	return names
}

// Fired are the names of rules, with those of the kernels that they replace.
type Fired struct {
	Handed []string // by the operations to the tape
	Taken  []string // on the device, by its own choice or asked for by name
	Lacked []string // where the device does not have what their kernels need
}

// Rules lists the rules of a case. With merges the passes and rewritings of texts that
// take effect in the compiled program are among those taken.
func Rules(dev *compute.Device, c Case, merges bool) (f Fired, err error) {
	r, err := newRecorder(dev, c)
	if err != nil {
		return f, err
	}
	defer func() { dev.Forget(r.params...) }()
	r.values.zero = true
	add := func(to *[]string) func(string) {
		return func(name string) {
			if !slices.Contains(*to, name) {
				*to = append(*to, name)
			}
		}
	}
	r.Handed, r.Taken, r.Lacked = add(&f.Handed), add(&f.Taken), add(&f.Lacked)
	c.Op.Record(r)
	names := []string{""}
	for _, d := range r.tape().Dispatches() {
		for _, v := range r.tape().Variants(d.Kernel) {
			add(&names)(v)
		}
	}
	for _, v := range names {
		r.Variant = v
		compiler.Lowered(r.tape())
	}
	r.Variant = ""
	if merges {
		p, err := r.Compile("check")
		if err != nil {
			return f, err
		}
		return f, p.Close()
	}
	return f, nil
}

// plain is the variant of a kernel that is the kernel itself.
const plain = "plain"

// variants are the variants of the kernels of a case, and plain where there are any.
func variants(dev *compute.Device, c Case) (names []string) {
	r, err := newRecorder(dev, c)
	if err != nil {
		return nil
	}
	defer func() { _ = recover() }() // the case itself will say so
	r.values.zero = true
	c.Op.Record(r)
	for _, d := range r.tape().Dispatches() {
		for _, v := range r.tape().Variants(d.Kernel) {
			if !slices.Contains(names, v) {
				names = append(names, v)
			}
		}
	}
	if names == nil {
		return nil
	}
	// A variant that the device, or the case, has no kernels for would be plain again.
	kernels := func(variant string) (list []string) {
		r.Variant = variant
		for _, d := range compiler.Lowered(r.tape()) {
			list = append(list, d.Kernel.Name())
		}
		return list
	}
	same := kernels(plain)
	names = slices.DeleteFunc(names, func(v string) bool { return slices.Equal(kernels(v), same) })
	return append(names, plain)
}

func matches(pattern, name string) bool {
	ok, _ := path.Match(pattern, name) // Run has looked at the pattern
	return ok
}

// names are those of the kernels whose work was judged, joined by plus signs.
func names(j *judge.Judged) string {
	var all []string
	for _, k := range j.Kernels {
		all = append(all, k.Name())
	}
	return strings.Join(all, "+")
}

// judge adds what a dispatch wrote to one tensor to the result and the summary of
// its kernel.
func (r *Result) judge(j *judge.Judged, report *Report) {
	c := Check{Dispatch: j.Dispatch, Kernel: names(j), Params: fmt.Sprintf("%+v", j.Params), Tensor: j.Binding, Elements: len(j.Got)}
	k := report.kernel(j)
	worst, at := -1.0, -1
	for i, got := range j.Got {
		share := j.Share(i)
		rounded := share == 0 || got == j.Rounded(i)
		switch {
		case share > 1:
			c.Illegal++
		case rounded:
			c.Correct++
		default:
			c.Within++
		}
		k.count(share, rounded)
		if share > worst {
			worst, at = share, i
		}
	}
	if at >= 0 {
		c.Worst = element(j, at)
	}
	if j.Beyond >= 0 {
		c.Illegal++
		c.Beyond = true
	}
	k.Elements += int64(c.Elements)
	k.Correct += int64(c.Correct)
	k.Within += int64(c.Within)
	k.Illegal += int64(c.Illegal)
	if worst > k.share() {
		k.Worst, k.Case = c.Worst, r.Name
	}
	switch {
	case c.Illegal > 0:
		r.Verdict = Illegal
	case c.Within > 0 && r.Verdict == Correct:
		r.Verdict = Within
	}
	r.Checks = append(r.Checks, c)
}

// element describes element i of what was judged, with the numbers of the same
// index among the inputs of its length.
func element(j *judge.Judged, i int) *Element {
	e := &Element{
		Index: i, Got: Number(j.Got[i]), Want: Number(j.Want[i]), Low: Number(j.Want[i] - j.Bound[i]), High: Number(j.Want[i] + j.Bound[i]),
		ULP: Number(math.Abs(j.Got[i]-j.Want[i]) / compute.Ulp(j.Want[i])), Share: Number(j.Share(i)),
	}
	bindings := j.Kernel.Bindings()
	for k, x := range j.In {
		if len(x) == len(j.Got) {
			e.Inputs = append(e.Inputs, Input{bindings[k].Name, Number(x[i])})
		}
	}
	return e
}
