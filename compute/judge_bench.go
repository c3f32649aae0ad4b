package compute

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
)

// bench runs launches on a device on memory of its own.
type bench struct {
	dev *Device

	mu  sync.Mutex
	err error // of a device that cannot judge
}

// mostAtOnce is how many bytes of tensors launches that are judged together use.
const mostAtOnce = 64 << 20

// scratch is the memory of launches.
type scratch struct {
	buffers map[*slot]*buffer
}

// hold allocates the tensors that the launches bind, with a guard behind each.
func (b *bench) hold(list []Dispatch) (*scratch, error) {
	m := &scratch{buffers: map[*slot]*buffer{}}
	for i := range list {
		for _, s := range list[i].slots() {
			if m.buffers[s] != nil {
				continue
			}
			whole, err := b.dev.alloc("judge", s.name, s.dtype, s.n+guard)
			if err != nil {
				b.free(m)
				return nil, err
			}
			m.buffers[s] = whole
		}
	}
	return m, nil
}

func (b *bench) free(m *scratch) {
	for _, x := range m.buffers {
		b.dev.free(x)
	}
}

// set writes what the tensors of a launch hold before it.
// Of those that are dirty it overwrites all, and finds dirt there.
func (b *bench) set(m *scratch, d *Dispatch, before map[*slot][]float64, dirty map[*slot]bool, dirt float64) error {
	for _, s := range d.slots() {
		words := make([]uint32, s.n+guard)
		parts := s.members
		if parts == nil {
			parts = []member{{s, 0}}
		} // between members stand zeros, as in all new memory
		for _, p := range parts {
			toWords(words[p.at:p.at+p.n], before[p.slot], s.dtype, dirty[p.slot], dirt)
		}
		for i := s.n; i < len(words); i++ {
			words[i] = s.behind()
		}
		if err := b.dev.eng.write(m.buffers[s], words); err != nil {
			return err
		}
	}
	return nil
}

func toWords(words []uint32, x []float64, dtype DType, dirty bool, dirt float64) {
	for i := range words {
		switch {
		case dirty && dtype != U32:
			words[i] = math.Float32bits(float32(dirt))
		case i >= len(x):
		case dtype == U32:
			words[i] = uint32(x[i])
		default:
			words[i] = math.Float32bits(float32(x[i]))
		}
	}
}

// read reads what the launch wrote, and whether something was written behind a tensor.
func (b *bench) read(ctx context.Context, m *scratch, d *Dispatch) (after map[*slot][]float64, beyond map[*slot]int, err error) {
	after, beyond = map[*slot][]float64{}, map[*slot]int{}
	seen := map[*slot]bool{}
	for i, x := range d.Tensors {
		s := x.base
		if seen[s] || !d.writes(i) {
			continue
		}
		seen[s] = true
		words := make([]uint32, s.n+guard)
		if err := b.dev.readInto(ctx, m.buffers[s], words); err != nil {
			return nil, nil, err
		}
		parts := s.members
		if parts == nil {
			parts = []member{{s, 0}}
		}
		for _, p := range parts {
			after[p.slot] = make([]float64, p.n)
			fromWords(after[p.slot], words[p.at:p.at+p.n], s.dtype)
		}
		if k := slices.IndexFunc(words[s.n:], func(word uint32) bool { return word != s.behind() }); k >= 0 {
			last := parts[len(parts)-1]
			beyond[last.slot] = s.n - last.at + k
		}
	}
	return after, beyond, nil
}

// hard gives the launch of a charge inputs.
func (b *bench) hard(c *charge) error {
	operations, bytes := int64(mostDefined), int64(mostAtOnce)
	if c.d.merged != "" { // which has no smaller size
		operations, bytes = 4*operations, 4*bytes
	}
	if n := c.d.costs(b.dev); (n > operations || c.d.bytes() > bytes) && !c.compare || c.d.bytes() > 4*mostAtOnce {
		c.v.how = unjudged
		return nil
	}
	rough := false
	in := findInputs(&c.d, c.suffix == atTestSizes, func(d *Dispatch, x [][]float64) bool {
		if !c.compare || d.costs(b.dev) <= cheap && !(c.indices && d.indexed()) || !d.measures(b.dev) {
			return false
		}
		if err := b.define(d, x); err != nil {
			b.mu.Lock()
			b.err = errors.Join(b.err, err)
			b.mu.Unlock()
			return false
		}
		rough = true
		return true
	})
	if in == nil && c.suffix == "" && c.d.merged == "" && c.d.Kernel.examined() != nil {
		// Of the numbers at hand the definition makes none: those of the header do.
		if test, ok := c.d.Kernel.at(c.d.Kernel.testSizes(), &c.d); ok {
			c.d, c.suffix = test, atSmaller
			in = findInputs(&c.d, true, nil)
		}
	}
	c.inputs, c.v.how = in, byDefinition+c.suffix
	if rough {
		c.v.how = byComparison + c.suffix
	}
	if in == nil {
		c.v.how = unjudged
	}
	return nil
}

// define does what the definition of d does, on the device, with params in a uniform.
func (b *bench) define(d *Dispatch, x [][]float64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	one := d.private()
	one.uniform = true
	for i := range one.Tensors { // what the definition reads are numbers of f32
		if s := one.Tensors[i].base; s.dtype == F16 {
			one.Tensors[i].dtype, s.dtype = F32, F32
		}
	}
	m, err := b.hold([]Dispatch{one})
	if err != nil {
		return err
	}
	defer b.free(m)
	before := map[*slot][]float64{}
	for i, y := range one.Tensors {
		before[y.base] = x[i]
	}
	if one.Consts["accumulate"] == "false" {
		one.Consts = nil // the definition adds to zeros
	}
	if err := b.set(m, &one, before, nil, 0); err != nil {
		return err
	}
	r, err := b.dev.eng.build([]Dispatch{one}, func(s *slot) *buffer { return m.buffers[s] }, false)
	if err != nil {
		return err
	}
	defer r.release()
	if err := r.run(context.Background()); err != nil {
		return err
	}
	after, _, err := b.read(context.Background(), m, &one)
	if err != nil {
		return err
	}
	for i, y := range one.Tensors {
		if one.writes(i) {
			copy(x[i], after[y.base])
		}
	}
	return nil
}

// together runs launches, and where the driver refuses some, the others. Twice: a launch
// that does not give the same bits again has no meaning.
func (b *bench) together(ctx context.Context, charges []*charge) error {
	var list []Dispatch
	var of []*charge
	for _, c := range charges {
		if c.inputs != nil {
			list, of = append(list, c.d), append(of, c)
		}
	}
	if len(list) == 0 {
		return nil
	}
	m, err := b.hold(list)
	if err != nil {
		return err
	}
	defer b.free(m)
	bake := of[0].bake
	r, err := b.dev.eng.build(list, func(s *slot) *buffer { return m.buffers[s] }, bake)
	if err != nil {
		var each buildErrors
		if !errors.As(err, &each) || deviceFault(err) {
			return err
		}
		var rest []*charge
		for i, c := range of {
			switch {
			case each[i] == nil:
				rest = append(rest, c)
			case errors.Is(each[i], ErrLimit):
				c.v.how, c.inputs = unjudged, nil // the program says so
			default:
				c.v.reason = each[i].Error()
				c.inputs = nil
			}
		}
		return b.together(ctx, rest)
	}
	defer r.release()
	for _, dirt := range []float64{1e30, math.NaN()} {
		for _, c := range of {
			if err := b.set(m, &c.d, c.inputs.before, c.inputs.dirty, dirt); err != nil {
				return err
			}
		}
		if err := r.run(ctx); err != nil {
			return err
		}
		for _, c := range of {
			first := c.after
			if c.after, c.beyond, err = b.read(ctx, m, &c.d); err != nil {
				return err
			}
			if first != nil && c.v.reason == "" {
				c.v.reason = c.again(first)
			}
		}
	}
	return nil
}

// again is where a second run of the launch, on other dirt, left other bits than the first
// one, or "". Which dirt stays in an element that nobody writes is the verdict's to find.
func (c *charge) again(first map[*slot][]float64) string {
	for s, x := range first {
		for i, v := range x {
			if w := c.after[s][i]; v != w && !math.IsNaN(v) && !math.IsNaN(w) {
				return fmt.Sprintf("%s[%d]: %v in the first run, %v in the second", s.name, i, v, w)
			}
		}
	}
	return ""
}

// verdict judges what a launch wrote.
func (b *bench) verdict(c *charge) error {
	if c.inputs == nil {
		return nil
	}
	for _, s := range c.inputs.eval.order {
		o, got := c.inputs.eval.written[s], c.after[s]
		if got == nil {
			continue // handed on, and stored nowhere
		}
		j := &Judged{
			Kernel: o.run.Kernel, Kernels: o.kernels, Params: o.run.Params, Part: o.run.scope,
			Binding: o.run.binding(o.binding).Name, Tensor: o.run.Tensors[o.binding],
			Got: got, Want: o.want, Bound: o.bound, free: o.free, Beyond: -1, program: &Program{},
		}
		if at, ok := c.beyond[s]; ok {
			j.Beyond = at
		}
		if w := j.worst(); !w.Legal {
			c.v.reason = w.String()
			return nil
		}
	}
	return nil
}

// indexed reports whether d reads u32 numbers.
func (d *Dispatch) indexed() bool {
	return slices.ContainsFunc(d.Tensors, func(x *Tensor) bool { return x.dtype == U32 })
}

// measures reports whether a run on the device, with params in a uniform, can stand for the
// definition of d. Loops that are unrolled for params that are known count there, so that
// an invocation may have as many trips as operations.
func (d *Dispatch) measures(dev *Device) bool {
	groups, err := d.grid(int(dev.info.Limits.WorkgroupsPerDimension))
	w := d.Kernel.read().entry.Workgroup
	invocations := int64(groups[0]) * int64(groups[1]) * int64(groups[2]) * int64(w[0]*w[1]*w[2])
	return err == nil && invocations > 0 && d.costs(dev)/invocations <= maxTrips && !d.Kernel.read().entry.Subgroup && d.Kernel.Testable() == nil
}

// compares are the runs of a launch whose definitions would take long, as the device can
// do them in place of those.
// With indices, those that read u32 numbers as well.
func (d *Dispatch) compares(dev *Device, indices bool) (plain []Dispatch) {
	for _, leaf := range d.leaves() {
		if (leaf.costs(dev) > cheap || indices && leaf.indexed()) && leaf.measures(dev) {
			u := *leaf
			u.uniform, u.plain, u.Consts = true, nil, nil
			u.Tensors = nil
			for _, x := range leaf.Tensors {
				y := *x
				s := *x.base
				y.base = &s
				if s.dtype == F16 {
					y.dtype, s.dtype = F32, F32
				}
				u.Tensors = append(u.Tensors, &y)
			}
			plain = append(plain, u)
		}
	}
	return plain
}
