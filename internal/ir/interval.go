package ir

import (
	"math"
	"slices"
)

// Outcome is what a launch should leave in one tensor: the definition's numbers, how far
// a device may stray from each, and where they come from.
type Outcome struct {
	Run     *Dispatch // the recorded run that writes the tensor last
	Kernels []*Kernel // whose work the numbers are, in order; the last one is run's
	Binding int       // of the tensor in the run
	In      [][]float64
	Want    []float64
	Bound   []float64
	Free    []bool // elements of which anything is legal; nil is none
}

// Evaluation computes what launches should do, in float64, by the definitions and error
// models of the runs that they were recorded as.
type Evaluation struct {
	Before    func(s *Slot) []float64 // what a tensor holds when the launch begins, nil where it is nowhere
	After     func(s *Slot) []float64 // what the launch left there, nil where that is not known
	NonFinite bool                    // see Tape.NonFinite
	// Run, if there is one, does what the definition of d does in another way, within its
	// bounds, and reports whether it did.
	Run     func(d *Dispatch, b [][]float64) bool
	Written map[*Slot]*Outcome
	Order   []*Slot // of written
}

// Evaluate adds the outcomes of a launch. Runs that were batched or joined do not depend
// on each other. Those of a chain do: what one writes, the next is handed with its bound.
func (e *Evaluation) Evaluate(d *Dispatch) {
	if d.Merged == "" {
		e.leaf(d)
		return
	}
	for i := range d.Plain {
		if d.Merged == Chain {
			e.Evaluate(&d.Plain[i])
			continue
		}
		part := *e
		part.Written, part.Order = map[*Slot]*Outcome{}, nil
		part.Evaluate(&d.Plain[i])
		for _, s := range part.Order {
			e.leave(s, part.Written[s])
		}
	}
}

func (e *Evaluation) leave(s *Slot, o *Outcome) {
	if e.Written[s] == nil {
		e.Order = append(e.Order, s)
	}
	e.Written[s] = o
}

// define runs the definition of d, and reports whether it did so in a rougher way.
func (e *Evaluation) define(d *Dispatch, b [][]float64) (rough bool) {
	if e.Run != nil && e.Run(d, b) {
		return true
	}
	d.Kernel.define(d.Params, b)
	return false
}

// leaf adds the outcomes of a recorded run.
func (e *Evaluation) leaf(d *Dispatch) {
	n := len(d.Tensors)
	r := &Reference32{
		Kernel: d.Kernel, Params: d.Params, In: make([][]float64, n), Want: make([][]float64, n), Written: make([]bool, n),
		smallest: make([]float64, n), run: func(b [][]float64) { e.define(d, b) },
	}
	got := make([][]float64, n)
	handed, kernels := -1, []*Kernel(nil)
	var from *Outcome
	for j, x := range d.Tensors {
		r.smallest[j] = tiny
		if x.base.DType == F16 {
			r.smallest[j] = tinyF16
		}
		o := e.Written[x.base]
		r.Written[j] = d.Writes(j)
		switch {
		case r.Written[j] && d.Consts["accumulate"] == "false":
			r.In[j] = make([]float64, x.Len())
		case o != nil:
			handed, from, kernels = j, o, o.Kernels
			r.In[j] = o.Want
		default:
			if r.In[j] = e.Before(x.base); r.In[j] == nil { // the launch does not read it, with these params
				r.In[j] = make([]float64, x.Len())
			}
		}
		r.Want[j], got[j] = slices.Clone(r.In[j]), r.In[j]
		if r.Written[j] {
			if got[j] = e.After(x.base); got[j] == nil {
				got[j] = slices.Repeat([]float64{math.NaN()}, x.Len())
			}
		}
	}
	rough := e.define(d, r.Want)
	bounds := d.Kernel.model.Bound(r)
	if rough {
		for _, b := range bounds {
			for i := range b {
				b[i] *= 2
			}
		}
	}
	r.flush(bounds)
	if e.NonFinite {
		r.unspecified(got, bounds)
	}
	var free []bool
	if from != nil {
		free = r.spread(handed, from, bounds)
	}
	kernels = append(slices.Clip(kernels), d.Kernel)
	for j, x := range d.Tensors {
		if !r.Written[j] {
			continue
		}
		o := &Outcome{Run: d, Kernels: kernels, Binding: j, In: r.In, Want: r.Want[j], Bound: bounds[j], Free: free}
		if x.base.DType == F16 {
			for i, over := range storedF16(o.Want, o.Bound) {
				o.release(i, over)
			}
		}
		e.leave(x.base, o)
	}
}

// release marks an element of which anything is legal.
func (o *Outcome) release(i int, free bool) {
	if free && o.Free == nil {
		o.Free = make([]bool, len(o.Want))
	}
	if free {
		o.Free[i] = true
	}
}

// spread widens the bounds of a pointwise run, in place, by what it does to the numbers
// that it is handed instead of reading them: element i is then any number within the
// bound of the run before. The distance of the result from the definition of the wanted
// number is at most that of the definitions of both, and what the run's own model allows
// at the number at hand. Both are taken where they are largest of the ends of the
// interval, points between, and zero, for which a subnormal may be taken. Elements of a
// pointwise run depend on no other element, so that one run of the definition moves
// all of them; and intervals are some roundings wide, in which definitions are monotonic,
// or step once, but for their extremes, at which they are flat to the square of that.
// The number at hand is a float32 that is not known, so a model of the rounding of the
// very number that is wanted stands for half a unit in the last place. What float32, or
// f16 where the number would have been stored so, cannot hold makes anything legal.
func (r *Reference32) spread(handed int, from *Outcome, bounds [][]float64) (free []bool) {
	w, b := from.Want, from.Bound
	free = slices.Clone(from.Free)
	if free == nil {
		free = make([]bool, len(w))
	}
	known := make([]bool, len(w)) // to be one number, or of no use
	small := false
	for i := range w {
		free[i] = free[i] || math.Abs(w[i])+b[i] > math.MaxFloat32 && !math.IsInf(b[i], 1) && !math.IsInf(w[i], 0)
		known[i] = free[i] || b[i] == 0 || math.IsInf(b[i], 1) || math.IsNaN(w[i]) || math.IsNaN(b[i])
		small = small || !known[i] && math.Abs(w[i])-b[i] < r.smallest[handed]
	}
	own := func(want, bound float64) float64 {
		least := Ulp(want) / 2
		if math.Abs(want) < 2*tiny {
			least = tiny
		}
		return max(bound, least)
	}
	wide := make([][]float64, len(bounds))
	for j, x := range bounds {
		if !r.Written[j] {
			continue
		}
		wide[j] = slices.Clone(x)
		for i := range x {
			if !known[i] {
				wide[j][i] = own(r.Want[j][i], x[i])
			}
		}
	}
	for _, point := range []float64{-1, -0.5, 0, 0.5, 1} {
		if point == 0 && !small {
			continue
		}
		moved := *r
		moved.In, moved.Want = slices.Clone(r.In), make([][]float64, len(r.In))
		moved.In[handed] = slices.Clone(w)
		for i := range w {
			switch {
			case known[i]:
			case point != 0:
				moved.In[handed][i] += point * b[i]
			case math.Abs(w[i])-b[i] < r.smallest[handed]:
				moved.In[handed][i] = 0
			}
		}
		for j, x := range moved.In {
			moved.Want[j] = slices.Clone(x)
		}
		moved.run(moved.Want)
		at := r.Kernel.model.Bound(&moved)
		for j := range wide {
			for i := range wide[j] {
				if !known[i] {
					v := moved.Want[j][i]
					if d := math.Abs(v-r.Want[j][i]) + own(v, at[j][i]); d > wide[j][i] || math.IsNaN(d) {
						wide[j][i] = d
					}
				}
			}
		}
	}
	for j := range wide {
		for i := range wide[j] {
			if bounds[j][i] = wide[j][i]; math.IsInf(b[i], 1) {
				bounds[j][i] = math.Inf(1)
			}
		}
	}
	return free
}
