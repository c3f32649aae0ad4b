package compute

import (
	"slices"
	"strconv"
	"strings"

	"github.com/pumice-ml/pumice/internal/shader"
)

// chain makes one run of runs that hand each element on: the first computes it and
// would store it, and each of the others would load it, do something with it alone, and
// store the result (see shader.Chain). What nobody else sees of the tensors between
// gets no memory; the others are stored as well. The run is that of a kernel made for it.
// What would have been stored as f16 is handed on as what would have been loaded, so that
// the bits are those without the pass.
func (t *Tape) chain(list []Dispatch, buffers map[*slot]*buffer, bake bool) ([]Dispatch, error) {
	c := chaining{tape: t, bake: bake, buffers: buffers, uses: map[*slot]int{}}
	for _, d := range list {
		for _, s := range d.slots() {
			c.uses[s]++
		}
	}
	for _, d := range list {
		if err := c.take(d); err != nil {
			return nil, err
		}
	}
	out := make([]Dispatch, len(c.all))
	for i, one := range c.all {
		out[i] = one.run
	}
	return out, nil
}

// chaining is the list so far, as runs that do the work of one dispatch or more.
type chaining struct {
	tape    *Tape
	bake    bool // whether the program bakes params into texts
	buffers map[*slot]*buffer
	uses    map[*slot]int // dispatches
	all     []chained
}

// chained are dispatches, and the run that does the work of all of them.
type chained struct {
	run  Dispatch
	list []Dispatch
}

// take puts d at the end of the run that writes what it reads, if it can, and else
// behind all others.
func (c *chaining) take(d Dispatch) error {
	for i := len(c.all) - 1; i >= 0; i-- {
		one := c.all[i]
		handed := c.handed(one.list, &d)
		if handed < 0 {
			continue
		}
		later := c.all[i+1:]
		waits := !slices.ContainsFunc(later, func(l chained) bool { return conflicts(one.list, l.list, c.buffers) })
		if !waits && slices.ContainsFunc(later, func(l chained) bool { return conflicts([]Dispatch{d}, l.list, c.buffers) }) {
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
			c.all = append(slices.Delete(c.all, i, i+1), chained{run, longer})
		} else {
			c.all[i] = chained{run, longer}
		}
		return nil
	}
	c.all = append(c.all, chained{d, []Dispatch{d}})
	return nil
}

// handed is which tensor of d the list could hand it, -1 for none: one that the last of
// the list writes and d reads element by element. No other tensor of d may be one that the list writes, nor may d write one that
// the list reads.
func (c *chaining) handed(list []Dispatch, d *Dispatch) int {
	last := &list[len(list)-1]
	x, y := last.written(), d.written()
	if x == nil || y == nil || last.uniform || d.uniform || !d.uses(x.base) || len(list) == mostChained || x.Len() == 0 || x.Len() != y.Len() || !covers(d, y) {
		return -1
	}
	if last.Kernel == fill {
		return -1 // a constant in the text of a sum: drivers add in another order then
	}
	if len(list) == 1 {
		k := last.Kernel
		output, indexed := k.read().shader.Output(k.read().entry)
		if output == "" || last.adds() && last.Consts["accumulate"] != "false" || indexed && !covers(last, x) {
			return -1
		}
	}
	handed := -1
	arrays := d.Kernel.read().shader.Pointwise(d.Kernel.read().entry)
	for i, z := range d.Tensors {
		if z.base == x.base && handed < 0 && slices.Contains(arrays, d.binding(i).Name) {
			handed = i
			continue
		}
		for k := range list {
			for j, other := range list[k].Tensors {
				if (d.writes(i) || list[k].writes(j)) && overlap(z.base, other.base, c.buffers) {
					return -1
				}
			}
		}
	}
	return handed
}

// covers reports whether d has an invocation for each element of x.
func covers(d *Dispatch, x *Tensor) bool {
	n, err := shader.Eval(d.Kernel.read().entry.Size[0], d.Kernel.lookup(d.Params))
	return err == nil && n == x.Len()
}

// seen reports whether anybody but the list uses x.
func (c *chaining) seen(x *Tensor, list []Dispatch) bool {
	s := x.base
	own := 0
	for _, d := range list {
		if d.uses(s) {
			own++
		}
	}
	return s.param != nil || s.keep || s.input || c.buffers[s] != nil || own < c.uses[s]
}

// worth reports whether a kernel should store so many elements by links of so many
// operations: they are written out for each, and drivers of software adapters take
// seconds to compile 10,000. A few are next to nothing beside what gives the element.
func worth(info Info, places, operations int) bool {
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
func (c *chaining) link(list []Dispatch) (one Dispatch, ok bool, err error) {
	head := &list[0]
	links, bound, err := c.links(list)
	if err != nil || len(bound) > mostBound || links == nil {
		return one, false, err
	}
	s, err := shader.Chain(head.Kernel.read().shader, head.Kernel.read().entry, links)
	if err != nil {
		return one, false, err
	}
	one = Dispatch{Kernel: head.Kernel.chained(s, list), Params: head.Params, Consts: head.Consts, row: head.row, scope: scopes(list), plain: list, merged: Chain}
	for _, b := range one.Kernel.read().entry.Bindings {
		one.Tensors = append(one.Tensors, bound[b.Number])
	}
	text, err := one.text(true)
	if err != nil {
		return one, false, err
	}
	operations := 0
	for _, l := range links {
		operations += l.Operations()
	}
	flops, err := c.flops(list)
	one.Kernel.read().entry.Flops = strconv.FormatInt(flops, 10)
	return one, oneAccess([]Dispatch{one}, c.buffers) && !c.tape.dev.fails(&one, c.bake) && worth(c.tape.dev.info, shader.Stores(text), operations), err
}

// links are the list but for its first, and the tensors that a run of all binds, by
// number. There are none where a link would read single elements of vectors.
func (c *chaining) links(list []Dispatch) (links []shader.Link, bound map[int]*Tensor, err error) {
	type reading struct {
		*slot
		kind string
	}
	reads := map[reading]int{} // their numbers
	bound = map[int]*Tensor{}
	number := 0
	var output shader.Binding
	for i, b := range list[0].Kernel.read().entry.Bindings {
		number = b.Number
		bound[number] = list[0].Tensors[i]
		if list[0].writes(i) {
			output = b
		} else {
			reads[reading{list[0].Tensors[i].base, b.Type}] = number
		}
	}
	bind := func(x *Tensor) int {
		number++
		bound[number] = x
		return number
	}
	x := list[0].written()
	for i := range list[1:] {
		d := &list[i+1]
		l := shader.Link{Shader: d.Kernel.read().shader, Entry: d.Kernel.read().entry}
		if l.Text, err = d.specialized(true); err != nil {
			return nil, nil, err
		}
		for j, z := range d.Tensors {
			r := reading{z.base, d.binding(j).Type}
			switch {
			case z.base == x.base:
				l.Bindings = append(l.Bindings, shader.Handed)
				l.Half = x.base.dtype == F16
			case d.writes(j):
				if output.Type != "array<f32>" && slices.Contains(l.Shader.Pointwise(l.Entry), d.binding(j).Name) && d.Consts["accumulate"] != "false" {
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
		y := d.written()
		if y.base != x.base && c.seen(x, list) {
			l.Keep = bind(x)
		}
		links, x = append(links, l), y
	}
	bound[output.Number] = x
	return links, bound, nil
}

// flops are the floating-point operations of the list.
func (c *chaining) flops(list []Dispatch) (sum int64, err error) {
	for i := range list {
		groups, err := list[i].grid(int(c.tape.dev.info.Limits.WorkgroupsPerDimension))
		if err != nil {
			return 0, err
		}
		n, err := list[i].flops(groups)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// chained is a kernel for one run of the list, by the text of s.
func (k *Kernel) chained(s *shader.Shader, list []Dispatch) *Kernel {
	entry, _ := s.Entry(k.read().entry.Name)
	one := &Kernel{pc: k.pc, shader: s, entry: entry, params: k.params}
	one.halves = slices.ContainsFunc(list, func(d Dispatch) bool { return d.storage() == F16 })
	for _, d := range list {
		one.parts = append(one.parts, d.Kernel)
	}
	one.name = names(one.parts)
	return one
}

// names are those of kernels, joined by plus signs.
func names(kernels []*Kernel) string {
	var all []string
	for _, k := range kernels {
		all = append(all, k.name)
	}
	return strings.Join(all, "+")
}

// scopes are the parts of the model that the list is of, joined by plus signs.
func scopes(list []Dispatch) string {
	var all []string
	for _, d := range list {
		if d.scope != "" && !slices.Contains(all, d.scope) {
			all = append(all, d.scope)
		}
	}
	return strings.Join(all, "+")
}
