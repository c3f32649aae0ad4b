package pass

import (
	"slices"

	"github.com/pumice-ml/pumice/internal/engine"
	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/internal/shader"
	"github.com/pumice-ml/pumice/internal/tune"
)

// chain makes one run of runs that hand each element on: the first computes it and
// would store it, and each of the others would load it, do something with it alone, and
// store the result (see shader.Chain). What nobody else sees of the tensors between
// gets no memory; the others are stored as well. The run is that of a kernel made for it.
// What would have been stored as f16 is handed on as what would have been loaded, so that
// the bits are those without the pass.
func (l *lowering) chain() error {
	c := chaining{dev: l.dev, bake: l.bake(), buffers: l.place.Buffers, uses: map[*ir.Slot]int{}}
	for _, d := range l.list {
		for _, s := range d.Slots() {
			c.uses[s]++
		}
	}
	for _, d := range l.list {
		if err := c.take(d); err != nil {
			return err
		}
	}
	l.list = make([]ir.Dispatch, len(c.all))
	for i, one := range c.all {
		l.list[i] = one.run
	}
	return nil
}

// chaining is the list so far, as runs that do the work of one dispatch or more.
type chaining struct {
	dev     *tune.Device
	bake    bool // whether the program bakes params into texts
	buffers map[*ir.Slot]*engine.Buffer
	uses    map[*ir.Slot]int // dispatches
	all     []linked
}

// linked are dispatches, and the run that does the work of all of them.
type linked struct {
	run  ir.Dispatch
	list []ir.Dispatch
}

// take puts d at the end of the run that writes what it reads, if it can, and else
// behind all others.
func (c *chaining) take(d ir.Dispatch) error {
	for i := len(c.all) - 1; i >= 0; i-- {
		one := c.all[i]
		handed := c.handed(one.list, &d)
		if handed < 0 {
			continue
		}
		later := c.all[i+1:]
		waits := !slices.ContainsFunc(later, func(l linked) bool { return conflicts(one.list, l.list, c.buffers) })
		if !waits && slices.ContainsFunc(later, func(l linked) bool { return conflicts([]ir.Dispatch{d}, l.list, c.buffers) }) {
			continue
		}
		longer := append(slices.Clip(one.list), d)
		run, ok, err := c.link(longer)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if waits {
			c.all = append(slices.Delete(c.all, i, i+1), linked{run, longer})
		} else {
			c.all[i] = linked{run, longer}
		}
		return nil
	}
	c.all = append(c.all, linked{d, []ir.Dispatch{d}})
	return nil
}

// handed is which tensor of d the list could hand it, -1 for none: one that the last of
// the list writes and d reads element by element. No other tensor of d may be one that the list writes, nor may d write one that
// the list reads.
func (c *chaining) handed(list []ir.Dispatch, d *ir.Dispatch) int {
	last := &list[len(list)-1]
	x, y := last.Written(), d.Written()
	if x == nil || y == nil || last.Uniform || d.Uniform || !d.Uses(x.Base()) || len(list) == mostChained || x.Len() == 0 || x.Len() != y.Len() || !covers(d, y) {
		return -1
	}
	if last.Kernel == ir.Fill {
		return -1 // a constant in the text of a sum: drivers add in another order then
	}
	if len(list) == 1 {
		k := last.Kernel
		output, indexed := k.Shader().Output(k.Entry())
		if output == "" || last.Adds() && last.Consts["accumulate"] != "false" || indexed && !covers(last, x) {
			return -1
		}
	}
	handed := -1
	arrays := d.Kernel.Shader().Pointwise(d.Kernel.Entry())
	for i, z := range d.Tensors {
		if z.Base() == x.Base() && handed < 0 && slices.Contains(arrays, d.Binding(i).Name) {
			handed = i
			continue
		}
		for k := range list {
			for j, other := range list[k].Tensors {
				if (d.Writes(i) || list[k].Writes(j)) && overlap(z.Base(), other.Base(), c.buffers) {
					return -1
				}
			}
		}
	}
	return handed
}

// covers reports whether d has an invocation for each element of x.
func covers(d *ir.Dispatch, x *ir.Tensor) bool {
	n, err := shader.Eval(d.Kernel.Entry().Size[0], d.Kernel.Lookup(d.Params))
	return err == nil && n == x.Len()
}

// seen reports whether anybody but the list uses x.
func (c *chaining) seen(x *ir.Tensor, list []ir.Dispatch) bool {
	s := x.Base()
	own := 0
	for _, d := range list {
		if d.Uses(s) {
			own++
		}
	}
	return s.Param != nil || s.Keep || s.Input || c.buffers[s] != nil || own < c.uses[s]
}

// worth reports whether a kernel should store so many elements by links of so many
// operations: they are written out for each, and drivers of software adapters take
// seconds to compile 10,000. A few are next to nothing beside what gives the element.
func worth(info ir.Info, places, operations int) bool {
	most := 1 << 14
	if info.Type == "software" {
		most = 1 << 10
	}
	return places == 1 || operations <= 12 || places*operations <= most
}

// mostChained is how many runs one does the work of: drivers compile longer ones for
// seconds.
const mostChained = 16

// mostBound is how many tensors a run may bind on every device, and shader.Parse takes.
const mostBound = 8

// link is one run for the list, and whether the device can do it.
func (c *chaining) link(list []ir.Dispatch) (one ir.Dispatch, ok bool, err error) {
	head := &list[0]
	links, bound, err := c.links(list)
	if err != nil || len(bound) > mostBound || links == nil {
		return one, false, err
	}
	s, err := shader.Chain(head.Kernel.Shader(), head.Kernel.Entry(), links)
	if err != nil {
		return one, false, err
	}
	flops, err := c.flops(list)
	if err != nil {
		return one, false, err
	}
	one = ir.Dispatch{Kernel: ir.Chained(head.Kernel, s, list, flops), Params: head.Params, Consts: head.Consts, Row: head.Row, Scope: ir.Scopes(list), Plain: list, Merged: ir.Chain}
	for _, b := range one.Kernel.Entry().Bindings {
		one.Tensors = append(one.Tensors, bound[b.Number])
	}
	text, err := one.Text(true)
	if err != nil {
		return one, false, err
	}
	operations := 0
	for _, l := range links {
		operations += l.Operations()
	}
	return one, oneAccess([]ir.Dispatch{one}, c.buffers) && !c.dev.Fails(&one, c.bake) && worth(c.dev.Info(), shader.Stores(text), operations), err
}

// links are the list but for its first, and the tensors that a run of all binds, by
// number. There are none where a link would read single elements of vectors.
func (c *chaining) links(list []ir.Dispatch) (links []shader.Link, bound map[int]*ir.Tensor, err error) {
	type reading struct {
		*ir.Slot
		kind string
	}
	reads := map[reading]int{} // their numbers
	bound = map[int]*ir.Tensor{}
	number := 0
	var output shader.Binding
	for i, b := range list[0].Kernel.Entry().Bindings {
		number = b.Number
		bound[number] = list[0].Tensors[i]
		if list[0].Writes(i) {
			output = b
		} else {
			reads[reading{list[0].Tensors[i].Base(), b.Type}] = number
		}
	}
	bind := func(x *ir.Tensor) int {
		number++
		bound[number] = x
		return number
	}
	x := list[0].Written()
	for i := range list[1:] {
		d := &list[i+1]
		l := shader.Link{Shader: d.Kernel.Shader(), Entry: d.Kernel.Entry()}
		if l.Text, err = d.Specialized(true); err != nil {
			return nil, nil, err
		}
		for j, z := range d.Tensors {
			r := reading{z.Base(), d.Binding(j).Type}
			switch {
			case z.Base() == x.Base():
				l.Bindings = append(l.Bindings, shader.Handed)
				l.Half = x.Base().DType == ir.F16
			case d.Writes(j):
				if output.Type != "array<f32>" && slices.Contains(l.Shader.Pointwise(l.Entry), d.Binding(j).Name) && d.Consts["accumulate"] != "false" {
					return nil, nil, nil
				}
				l.Bindings = append(l.Bindings, output.Number)
			default:
				if reads[r] == 0 {
					reads[r] = bind(z)
				}
				l.Bindings = append(l.Bindings, reads[r])
			}
		}
		y := d.Written()
		if y.Base() != x.Base() && c.seen(x, list) {
			l.Keep = bind(x)
		}
		links, x = append(links, l), y
	}
	bound[output.Number] = x
	return links, bound, nil
}

// flops are the floating-point operations of the list.
func (c *chaining) flops(list []ir.Dispatch) (sum int64, err error) {
	for i := range list {
		groups, err := list[i].Grid(int(c.dev.Info().Limits.WorkgroupsPerDimension))
		if err != nil {
			return 0, err
		}
		n, err := list[i].Flops(groups)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}
