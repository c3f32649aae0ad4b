package compute

import (
	"math"
	"slices"
)

// outcome is what a launch should leave in one tensor: the definition's numbers, how far
// a device may stray from each, and where they come from.
type outcome struct {
	run     *Dispatch // the recorded run that writes the tensor last
	kernels []*Kernel // whose work the numbers are, in order; the last one is run's
	binding int       // of the tensor in the run
	in      [][]float64
	want    []float64
	bound   []float64
	free    []bool // elements of which anything is legal; nil is none
}

// evaluation computes what launches should do, in float64, by the definitions and error
// models of the runs that they were recorded as.
type evaluation struct {
	before    func(s *slot) []float64 // what a tensor holds when the launch begins, nil where it is nowhere
	after     func(s *slot) []float64 // what the launch left there, nil where that is not known
	nonFinite bool                    // see Tape.NonFinite
	// run, if there is one, does what the definition of d does in another way, within its
	// bounds, and reports whether it did.
	run     func(d *Dispatch, b [][]float64) bool
	written map[*slot]*outcome
	order   []*slot // of written
}

// evaluate adds the outcomes of a launch. Runs that were batched or joined do not depend
// on each other. Those of a chain do: what one writes, the next is handed with its bound.
func (e *evaluation) evaluate(d *Dispatch) {
	if d.merged == "" {
		e.leaf(d)
		return
	}
	for i := range d.plain {
		if d.merged == Chain {
			e.evaluate(&d.plain[i])
			continue
		}
		part := *e
		part.written, part.order = map[*slot]*outcome{}, nil
		part.evaluate(&d.plain[i])
		for _, s := range part.order {
			e.leave(s, part.written[s])
		}
	}
}

func (e *evaluation) leave(s *slot, o *outcome) {
	if e.written[s] == nil {
		e.order = append(e.order, s)
	}
	e.written[s] = o
}

// define runs the definition of d, and reports whether it did so in a rougher way.
func (e *evaluation) define(d *Dispatch, b [][]float64) (rough bool) {
	if e.run != nil && e.run(d, b) {
		return true
	}
	d.Kernel.define(d.Params, b)
	return false
}

// leaf adds the outcomes of a recorded run.
func (e *evaluation) leaf(d *Dispatch) {
	n := len(d.Tensors)
	r := &Reference32{
		Kernel: d.Kernel, Params: d.Params, In: make([][]float64, n), Want: make([][]float64, n), Written: make([]bool, n),
		smallest: make([]float64, n), run: func(b [][]float64) { e.define(d, b) },
	}
	got := make([][]float64, n)
	handed, kernels := -1, []*Kernel(nil)
	var from *outcome
	for j, x := range d.Tensors {
		r.smallest[j] = tiny
		if x.base.dtype == F16 {
			r.smallest[j] = tinyF16
		}
		o := e.written[x.base]
		r.Written[j] = d.writes(j)
		switch {
		case r.Written[j] && d.Consts["accumulate"] == "false":
			r.In[j] = make([]float64, x.Len())
		case o != nil:
			handed, from, kernels = j, o, o.kernels
			r.In[j] = o.want
		default:
			if r.In[j] = e.before(x.base); r.In[j] == nil { // the launch does not read it, with these params
				r.In[j] = make([]float64, x.Len())
			}
		}
		r.Want[j], got[j] = slices.Clone(r.In[j]), r.In[j]
		if r.Written[j] {
			if got[j] = e.after(x.base); got[j] == nil {
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
	if e.nonFinite {
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
		o := &outcome{run: d, kernels: kernels, binding: j, in: r.In, want: r.Want[j], bound: bounds[j], free: free}
		if x.base.dtype == F16 {
			for i, over := range storedF16(o.want, o.bound) {
				o.release(i, over)
			}
		}
		e.leave(x.base, o)
	}
}

// release marks an element of which anything is legal.
func (o *outcome) release(i int, free bool) {
	if free && o.free == nil {
		o.free = make([]bool, len(o.want))
	}
	if free {
		o.free[i] = true
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
func (r *Reference32) spread(handed int, from *outcome, bounds [][]float64) (free []bool) {
	w, b := from.want, from.bound
	free = slices.Clone(from.free)
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
