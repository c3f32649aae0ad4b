package judge

import (
	"cmp"
	"math"
	"reflect"
	"slices"

	"github.com/x448/float16"

	"github.com/pumice-ml/pumice/internal/ir"
)

// numbers is a kind of numbers that the judge gives to kernels.
type numbers int

// The kinds, the hardest first.
const (
	hardest   numbers = iota // of all magnitudes and both signs, zeros, ones, subnormal, cancelling
	positive                 // of all magnitudes
	plainly                  // between -1 and 1
	fractions                // between 0 and 1
	kinds
)

// number is number j of n of a stream of the kind. The first and the last are never 0, for
// it is at edges that texts go wrong, and a 0 may hide it.
func (k numbers) number(stream, j, n uint32) float32 {
	bits := ir.RandomBits(1, stream, 0, j)
	unit := float32(ir.Uniform(bits[0])) // in [0, 1)
	switch k {
	case fractions:
		return unit
	case plainly:
		return 2*unit - 1
	}
	v := 4*unit - 2
	kind := bits[1] % 16
	if j == 0 || j+4 > n {
		kind = 15
	}
	switch kind {
	case 0:
		v = 0
	case 1:
		v = float32(math.Copysign(0, -1))
	case 2:
		v = 1
	case 3:
		v = (2*unit - 1) * 0x1p-130
	case 4:
		v = (2*unit - 1) * 0x1p-20
	case 5:
		v *= 8
	case 6, 7:
		if j > 0 && j%2 == 1 { // cancels its neighbour, but for some bits
			v = -k.number(stream, j-1, n) * (1 + 0x1p-22)
		}
	}
	if k == positive {
		if v = max(v, -v); v < 0x1p-100 {
			v = 0x1p-20
		}
	}
	return v
}

// inputs are what the tensors of a launch hold before it is judged, and what it should
// make of that.
type inputs struct {
	kind   numbers
	index  string
	before map[*ir.Slot][]float64
	dirty  map[*ir.Slot]bool // nothing of what stood there is left
	eval   *ir.Evaluation
}

// findInputs looks for the hardest numbers of which the definitions of the launch make
// numbers, or returns nil. Numbers of u32 are below one of the params; where the exam of a
// kernel found which, it is that; they are from 1 on first in an exam, and last elsewhere. run, if there is one, does definitions in another way.
func findInputs(d *ir.Dispatch, exam bool, run func(d *ir.Dispatch, b [][]float64) bool) *inputs {
	leaves := d.Leaves()
	kind, fields := hardest, []string{}
	for _, leaf := range leaves {
		e := ready(leaf.Kernel)
		if e != nil {
			kind = max(kind, e.kind)
		}
		for _, f := range wholeFields(leaf) {
			if indexed(leaf) && !slices.Contains(fields, f) {
				fields = append(fields, f)
			}
		}
	}
	if exam { // headers have sizes at which numbers from 1 on mean something to a kernel
		fields = append([]string{""}, fields...)
	} else {
		fields = append(fields, "")
	}
	for ; kind < kinds; kind++ {
		for _, field := range fields {
			in := given(leaves, kind, field, exam)
			in.eval = &ir.Evaluation{
				Before:  func(s *ir.Slot) []float64 { return in.before[s] },
				After:   func(*ir.Slot) []float64 { return nil },
				Run:     run,
				Written: map[*ir.Slot]*ir.Outcome{},
			}
			if makesNumbers(in.eval, d) {
				return in
			}
		}
	}
	return nil
}

// ready is the exam, or nil where there is none, or not yet.
func (e *exam) ready() *exam {
	if e.digest == "" {
		return nil
	}
	return e
}

// wholeFields are the whole numbers of the run's params, the largest first.
func wholeFields(d *ir.Dispatch) []string {
	type field struct {
		name  string
		value float64
	}
	var all []field
	for i, f := range d.Kernel.Shader().Params {
		if v := number(d.Params, i); f.Type == "u32" && v > 0 {
			all = append(all, field{f.Name, v})
		}
	}
	slices.SortStableFunc(all, func(a, b field) int { return cmp.Compare(b.value, a.value) })
	var names []string
	for _, f := range all {
		names = append(names, f.name)
	}
	return names
}

// number is field i of params.
func number(params any, i int) float64 {
	switch f := reflect.ValueOf(params).Field(i); f.Kind() {
	case reflect.Uint32:
		return float64(f.Uint())
	case reflect.Int32:
		return float64(f.Int())
	default:
		return f.Float()
	}
}

// given gives the tensors that the runs use numbers of the kind, and those of u32 numbers
// below the field of the run's params, or 1 and on where it is "". Outside of an exam those
// that kernels make are 1 and on for a kernel that loops, unless it needs others: they may
// be places that lead to each other, which must end.
func given(leaves []*ir.Dispatch, kind numbers, field string, exam bool) *inputs {
	in := &inputs{kind: kind, index: field, before: map[*ir.Slot][]float64{}, dirty: map[*ir.Slot]bool{}}
	for _, d := range leaves {
		e := ready(d.Kernel)
		if field = in.index; e != nil && e.index != "" {
			field = e.index
		}
		below := 0
		for i, f := range d.Kernel.Shader().Params {
			if f.Name == field {
				below = int(number(d.Params, i))
			}
		}
		for i, x := range d.Tensors {
			s := x.Base()
			if in.before[s] != nil {
				continue
			}
			v := make([]float64, s.N)
			in.before[s] = v
			if d.Writes(i) && (d.Consts["accumulate"] == "false" || e != nil && e.whole[i]) && !reads(d, s, i) {
				in.dirty[s] = true
				continue
			}
			stream := uint32(len(in.before))
			below := below
			if !exam && s.Made() && d.Kernel.Entry().Trips != "" && (e == nil || e.index == "") {
				below = 0
			}
			for j := range v {
				if again := j - recurrence; again >= 4 && j+4 < len(v) && (s.DType != ir.U32 || below > 0) {
					v[j] = v[again]
					continue
				}
				switch {
				case s.DType == ir.U32 && below > 0:
					v[j] = float64(ir.RandomBits(1, stream, 0, uint32(j))[0] % uint32(below))
				case s.DType == ir.U32:
					v[j] = float64(uint32(j + 1))
				case s.DType == ir.F16:
					v[j] = float64(float16.Fromfloat32(kind.number(stream, uint32(j), uint32(s.N))).Float32())
				default:
					v[j] = float64(kind.number(stream, uint32(j), uint32(s.N)))
				}
			}
		}
	}
	return in
}

// recurrence is after how many numbers, but for the first and the last, those of an array come
// again, for it takes long to make them.
const recurrence = 8191

// reads reports whether d binds s elsewhere than at binding i.
func reads(d *ir.Dispatch, s *ir.Slot, i int) bool {
	for j, x := range d.Tensors {
		if j != i && x.Base() == s {
			return true
		}
	}
	return false
}

// makesNumbers evaluates the launch, and reports whether all outcomes and bounds are numbers
// that are held where they are stored. A definition that panics makes none.
func makesNumbers(e *ir.Evaluation, d *ir.Dispatch) (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	e.Evaluate(d)
	for _, o := range e.Written {
		if !finite(o.Want) || !finite(o.Bound) || slices.Contains(o.Free, true) {
			return false
		}
	}
	return true
}

// private is the launch on tensors of its own, of no program.
func private(d *ir.Dispatch) ir.Dispatch {
	own := map[*ir.Slot]*ir.Slot{}
	var slotOf func(s *ir.Slot) *ir.Slot
	slotOf = func(s *ir.Slot) *ir.Slot {
		if own[s] == nil {
			own[s] = &ir.Slot{ID: s.ID, Name: s.Name, N: s.N, DType: s.DType, Input: !s.Made()}
			for _, m := range s.Members {
				own[s].Members = append(own[s].Members, ir.Member{Slot: slotOf(m.Slot), At: m.At})
			}
		}
		return own[s]
	}
	var of func(d ir.Dispatch) ir.Dispatch
	of = func(d ir.Dispatch) ir.Dispatch {
		tensors, plain := d.Tensors, d.Plain
		d.Tensors, d.Plain = nil, nil
		for _, x := range tensors {
			d.Tensors = append(d.Tensors, ir.View(slotOf(x.Base()), x.Shape()...))
		}
		for _, p := range plain {
			d.Plain = append(d.Plain, of(p))
		}
		return d
	}
	return of(*d)
}
