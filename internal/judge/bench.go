package judge

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/pumice-ml/pumice/internal/engine"
	"github.com/pumice-ml/pumice/internal/ir"
)

// bench runs launches on a device on memory of its own.
type bench struct {
	dev *Device

	mu  sync.Mutex
	err error // of a device that cannot judge
}

// MostAtOnce is how many bytes of tensors launches that are judged together use.
const MostAtOnce = 64 << 20

// scratch is the memory of launches.
type scratch struct {
	buffers map[*ir.Slot]*engine.Buffer
}

// hold allocates the tensors that the launches bind, with a guard behind each.
func (b *bench) hold(list []ir.Dispatch) (*scratch, error) {
	m := &scratch{buffers: map[*ir.Slot]*engine.Buffer{}}
	for i := range list {
		for _, s := range list[i].Slots() {
			if m.buffers[s] != nil {
				continue
			}
			whole, err := b.dev.Alloc("judge", s.Name, s.DType, s.N+Guard)
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
		b.dev.Free(x)
	}
}

// set writes what the tensors of a launch hold before it.
// Of those that are dirty it overwrites all, and finds dirt there.
func (b *bench) set(m *scratch, d *ir.Dispatch, before map[*ir.Slot][]float64, dirty map[*ir.Slot]bool, dirt float64) error {
	for _, s := range d.Slots() {
		words := make([]uint32, s.N+Guard)
		parts := s.Members
		if parts == nil {
			parts = []ir.Member{{Slot: s}}
		} // between members stand zeros, as in all new memory
		for _, p := range parts {
			toWords(words[p.At:p.At+p.N], before[p.Slot], s.DType, dirty[p.Slot], dirt)
		}
		for i := s.N; i < len(words); i++ {
			words[i] = GuardWord(s)
		}
		if err := b.dev.Engine.Write(m.buffers[s], words); err != nil {
			return err
		}
	}
	return nil
}

func toWords(words []uint32, x []float64, dtype ir.DType, dirty bool, dirt float64) {
	for i := range words {
		switch {
		case dirty && dtype != ir.U32:
			words[i] = math.Float32bits(float32(dirt))
		case i >= len(x):
		case dtype == ir.U32:
			words[i] = uint32(x[i])
		default:
			words[i] = math.Float32bits(float32(x[i]))
		}
	}
}

// read reads what the launch wrote, and whether something was written behind a tensor.
func (b *bench) read(ctx context.Context, m *scratch, d *ir.Dispatch) (after map[*ir.Slot][]float64, beyond map[*ir.Slot]int, err error) {
	after, beyond = map[*ir.Slot][]float64{}, map[*ir.Slot]int{}
	seen := map[*ir.Slot]bool{}
	for i, x := range d.Tensors {
		s := x.Base()
		if seen[s] || !d.Writes(i) {
			continue
		}
		seen[s] = true
		words := make([]uint32, s.N+Guard)
		if err := b.dev.ReadInto(ctx, m.buffers[s], words); err != nil {
			return nil, nil, err
		}
		parts := s.Members
		if parts == nil {
			parts = []ir.Member{{Slot: s}}
		}
		for _, p := range parts {
			after[p.Slot] = make([]float64, p.N)
			engine.FromWords(after[p.Slot], words[p.At:p.At+p.N], s.DType)
		}
		if k := slices.IndexFunc(words[s.N:], func(word uint32) bool { return word != GuardWord(s) }); k >= 0 {
			last := parts[len(parts)-1]
			beyond[last.Slot] = s.N - last.At + k
		}
	}
	return after, beyond, nil
}

// hard gives the launch of a charge inputs.
func (b *bench) hard(c *charge) error {
	operations, bytes := int64(mostDefined), int64(MostAtOnce)
	if c.d.Merged != "" { // which has no smaller size
		operations, bytes = 4*operations, 4*bytes
	}
	if n := costs(&c.d, b.dev); (n > operations || c.d.Bytes() > bytes) && !c.compare || c.d.Bytes() > 4*MostAtOnce {
		c.v.how = unjudged
		return nil
	}
	rough := false
	in := findInputs(&c.d, c.suffix == atTestSizes, func(d *ir.Dispatch, x [][]float64) bool {
		if !c.compare || costs(d, b.dev) <= cheap && !(c.indices && indexed(d)) || !measures(d, b.dev) {
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
	if in == nil && c.suffix == "" && c.d.Merged == "" && examined(c.d.Kernel) != nil {
		// Of the numbers at hand the definition makes none: those of the header do.
		if test, ok := c.d.Kernel.At(c.d.Kernel.TestSizes(), &c.d); ok {
			c.d, c.suffix = test, AtSmaller
			in = findInputs(&c.d, true, nil)
		}
	}
	c.inputs, c.v.how = in, ByDefinition+c.suffix
	if rough {
		c.v.how = byComparison + c.suffix
	}
	if in == nil {
		c.v.how = unjudged
	}
	return nil
}

// define does what the definition of d does, on the device, with params in a uniform.
func (b *bench) define(d *ir.Dispatch, x [][]float64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	one := private(d)
	one.Uniform = true
	for i := range one.Tensors { // what the definition reads are numbers of f32
		if s := one.Tensors[i].Base(); s.DType == ir.F16 {
			s.DType = ir.F32
		}
	}
	m, err := b.hold([]ir.Dispatch{one})
	if err != nil {
		return err
	}
	defer b.free(m)
	before := map[*ir.Slot][]float64{}
	for i, y := range one.Tensors {
		before[y.Base()] = x[i]
	}
	if one.Consts["accumulate"] == "false" {
		one.Consts = nil // the definition adds to zeros
	}
	if err := b.set(m, &one, before, nil, 0); err != nil {
		return err
	}
	r, err := b.dev.Engine.Build([]ir.Dispatch{one}, func(s *ir.Slot) *engine.Buffer { return m.buffers[s] }, false)
	if err != nil {
		return err
	}
	defer r.Release()
	if err := r.Run(context.Background()); err != nil {
		return err
	}
	after, _, err := b.read(context.Background(), m, &one)
	if err != nil {
		return err
	}
	for i, y := range one.Tensors {
		if one.Writes(i) {
			copy(x[i], after[y.Base()])
		}
	}
	return nil
}

// together runs launches, and where the driver refuses some, the others. Twice: a launch
// that does not give the same bits again has no meaning.
func (b *bench) together(ctx context.Context, charges []*charge) error {
	var list []ir.Dispatch
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
	r, err := b.dev.Engine.Build(list, func(s *ir.Slot) *engine.Buffer { return m.buffers[s] }, bake)
	if err != nil {
		var each engine.BuildErrors
		if !errors.As(err, &each) || deviceFault(err) {
			return err
		}
		var rest []*charge
		for i, c := range of {
			switch {
			case each[i] == nil:
				rest = append(rest, c)
			case errors.Is(each[i], ir.ErrLimit):
				c.v.how, c.inputs = unjudged, nil // the program says so
			default:
				c.v.reason = each[i].Error()
				c.inputs = nil
			}
		}
		return b.together(ctx, rest)
	}
	defer r.Release()
	for _, dirt := range []float64{1e30, math.NaN()} {
		for _, c := range of {
			if err := b.set(m, &c.d, c.inputs.before, c.inputs.dirty, dirt); err != nil {
				return err
			}
		}
		if err := r.Run(ctx); err != nil {
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
func (c *charge) again(first map[*ir.Slot][]float64) string {
	for s, x := range first {
		for i, v := range x {
			if w := c.after[s][i]; v != w && !math.IsNaN(v) && !math.IsNaN(w) {
				return fmt.Sprintf("%s[%d]: %v in the first run, %v in the second", s.Name, i, v, w)
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
	for _, s := range c.inputs.eval.Order {
		o, got := c.inputs.eval.Written[s], c.after[s]
		if got == nil {
			continue // handed on, and stored nowhere
		}
		j := &Judged{
			Kernel: o.Run.Kernel, Kernels: o.Kernels, Params: o.Run.Params, Part: o.Run.Scope,
			Binding: o.Run.Binding(o.Binding).Name, Tensor: o.Run.Tensors[o.Binding],
			Got: got, Want: o.Want, Bound: o.Bound, Free: o.Free, Beyond: -1,
		}
		if at, ok := c.beyond[s]; ok {
			j.Beyond = at
		}
		if w := j.Worst(); !w.Legal {
			c.v.reason = w.String()
			return nil
		}
	}
	return nil
}

// indexed reports whether d reads u32 numbers.
func indexed(d *ir.Dispatch) bool {
	return slices.ContainsFunc(d.Tensors, func(x *ir.Tensor) bool { return x.DType() == ir.U32 })
}

// measures reports whether a run on the device, with params in a uniform, can stand for the
// definition of d. Loops that are unrolled for params that are known count there, so that
// an invocation may have as many trips as operations.
func measures(d *ir.Dispatch, dev *Device) bool {
	groups, err := d.Grid(int(dev.Info().Limits.WorkgroupsPerDimension))
	w := d.Kernel.Entry().Workgroup
	invocations := int64(groups[0]) * int64(groups[1]) * int64(groups[2]) * int64(w[0]*w[1]*w[2])
	return err == nil && invocations > 0 && costs(d, dev)/invocations <= ir.MaxTrips && !d.Kernel.Entry().Subgroup && d.Kernel.Testable() == nil
}

// compares are the runs of a launch whose definitions would take long, as the device can
// do them in place of those.
// With indices, those that read u32 numbers as well.
func compares(d *ir.Dispatch, dev *Device, indices bool) (plain []ir.Dispatch) {
	for _, leaf := range d.Leaves() {
		if (costs(leaf, dev) > cheap || indices && indexed(leaf)) && measures(leaf, dev) {
			u := *leaf
			u.Uniform, u.Plain, u.Consts = true, nil, nil
			u.Tensors = nil
			for _, x := range leaf.Tensors {
				s := *x.Base()
				if s.DType == ir.F16 {
					s.DType = ir.F32
				}
				u.Tensors = append(u.Tensors, ir.View(&s, x.Shape()...))
			}
			plain = append(plain, u)
		}
	}
	return plain
}

// Guard is how many elements behind a tensor are watched.
const Guard = 8

// GuardWord are the bits that stand there, another number for each tensor, so that a
// copy from one to another shows as well; not too large for a sum to change it, and one
// that f16 holds.
func GuardWord(s *ir.Slot) uint32 { return math.Float32bits(1 + float32(s.ID%1024)/1024) }
