package compute

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/x448/float16"

	"github.com/pumice-ml/pumice/internal/shader"
)

// Deviation is how far one tensor that a dispatch wrote lies from the kernel's
// definition, at its worst element.
type Deviation struct {
	Dispatch int    // index in the compiled program
	Kernel   string // name of the kernel
	Params   string
	Tensor   string // name of the shader's binding, and the tensor
	Index    int    // the worst element
	Got      float64
	Want     float64
	Bound    float64 // largest legal |Got - Want|
	Legal    bool
}

func (d Deviation) String() string {
	return fmt.Sprintf("dispatch %d, %s %s: %s[%d]: got %v, want %v, off by %.3g, at most %.3g",
		d.Dispatch, d.Kernel, d.Params, d.Tensor, d.Index, d.Got, d.Want, math.Abs(d.Got-d.Want), d.Bound)
}

// Judged is what one dispatch wrote to one tensor, beside what it should have
// written. The arrays are the visitor's to read, not to keep. A dispatch that does the
// work of several (see Batch, Chain and Join) is judged by their definitions.
type Judged struct {
	Dispatch int     // index in the compiled program
	Kernel   *Kernel // of the recorded run that writes the tensor
	// Kernels are those whose work the numbers are: Kernel, after those that hand it
	// numbers without storing them.
	Kernels []*Kernel
	Params  any
	Part    string // of the model, as Tape.Within has it
	Binding string // the shader's name of the tensor
	Tensor  *Tensor
	In      [][]float64 // every tensor of Kernel's run before it, by binding; Want of what it is handed
	Got     []float64
	Want    []float64 // by the definition, in float64
	Bound   []float64 // largest legal |Got - Want|
	Partial bool      // a later dispatch writes to the tensor as well, so NaN may be left
	Beyond  int       // an element written behind the tensor's end, or -1

	program *Program
	before  map[*slot][]float64
	free    []bool // elements of which anything is legal
}

// Step describes the dispatch, with the text that went to the driver.
func (j *Judged) Step() (Step, error) { return j.program.step(j.Dispatch) }

// Bound is a tensor that a dispatch binds.
type Bound struct {
	shader.Binding
	Before []float64 // the dispatch
	Judged bool      // it is the one that was judged
}

// Binds lists the tensors that the dispatch binds, as the text of Step declares them.
func (j *Judged) Binds() (all []Bound) {
	d := &j.program.list[j.Dispatch]
	for i, x := range d.Tensors {
		all = append(all, Bound{d.binding(i), j.before[x.base], d.writes(i) && x.base == j.Tensor.base})
	}
	return all
}

// Share is how much of what is legal element i is off by: 0 where it is as the
// definition has it, or where anything is legal, at most 1 where it is legal,
// infinite where no number would do. Anything is legal where the definition's number, or
// one that it is computed from and that is handed on in place of being stored, is more
// than float32, or f16 where a tensor is stored so, holds (WGSL, section 15.7.2).
func (j *Judged) Share(i int) float64 {
	got, want := j.Got[i], j.Want[i]
	if j.free != nil && j.free[i] {
		return 0
	}
	if math.Abs(want) > math.MaxFloat32 && !math.IsInf(want, 0) {
		return 0
	}
	if math.IsInf(j.Bound[i], 1) && got != want {
		// Anything is legal only of inputs that are not finite; else a model that
		// bounds nothing is at fault.
		if j.program.nonFinite {
			return 0
		}
		return math.Inf(1)
	}
	if got == want || j.Partial && math.IsNaN(got) && math.IsNaN(want) {
		return 0
	}
	// The definition's own rounding, in float64, is not the device's fault.
	share := math.Abs(got-want) / (j.Bound[i] + math.Abs(want)*0x1p-50)
	if math.IsNaN(share) {
		return math.Inf(1)
	}
	return share
}

// Rounded is the definition's number for element i, rounded to the nearest of what the
// tensor is stored as.
func (j *Judged) Rounded(i int) float64 {
	if want := float32(j.Want[i]); j.Tensor.base.dtype != F16 {
		return float64(want)
	} else {
		return float64(float16.Fromfloat32(want).Float32())
	}
}

// worst is the element that is furthest off in parts of its bound.
func (j *Judged) worst() Deviation {
	d := Deviation{
		Dispatch: j.Dispatch, Kernel: names(j.Kernels), Params: fmt.Sprintf("%+v", j.Params),
		Tensor: j.Binding + " (" + j.Tensor.String() + ")", Legal: true,
	}
	most := -1.0
	for i := range j.Got {
		if share := j.Share(i); share > most {
			most = share
			d.Index, d.Got, d.Want, d.Bound, d.Legal = i, j.Got[i], j.Want[i], j.Bound[i], share <= 1
		}
	}
	if j.Beyond >= 0 {
		d.Index, d.Got, d.Want, d.Bound, d.Legal = j.Beyond, math.NaN(), math.NaN(), 0, false
	}
	return d
}

// Difference is an element whose bits two runs of one program do not agree on.
type Difference struct {
	Tensor        string
	Index         int
	First, Second uint32 // bits
}

func (d Difference) String() string {
	return fmt.Sprintf("%s[%d]: %#08x in the first run, %#08x in the second", d.Tensor, d.Index, d.First, d.Second)
}

// Judge compiles the tape for its GPU device, with all passes but those left out, and
// Plan, which changes no text, and runs it dispatch by dispatch. Before each one it reads
// the tensors back, runs the definitions of the runs whose work it does on them, and gives
// the visitor what the device wrote to each tensor, with the bounds of the error models. Everything the program owns, but for its
// inputs, starts as NaN, which must be gone after the last dispatch that writes the
// tensor. Behind each tensor stand some elements of a number of its own: what is
// read there shows, and what is written there is reported. Then it starts again,
// with large numbers in place of NaN, runs the program as a whole, and returns where
// the two runs differ. Inputs are set by the callback, which gets the program. The
// parameters that the program works on are copies: the device's stay as they are.
func (t *Tape) Judge(ctx context.Context, inputs func(p *Program) error, visit func(*Judged), without ...Pass) ([]Difference, error) {
	p, err := t.compile(guard, without)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	values := map[*slot][]uint32{} // of the parameters
	for s := range p.buffers {
		if s.param != nil {
			if values[s], err = t.dev.values(ctx, s.param); err != nil {
				return nil, err
			}
		}
	}
	start := func(dirt float32) error {
		for s, b := range p.wholes {
			if err := p.dev.eng.write(b, p.initial(s, b.n, values, dirt)); err != nil {
				return err
			}
		}
		for s, b := range p.buffers {
			if b.parent != nil {
				continue // written with the whole
			}
			if err := p.dev.eng.write(b, p.initial(s, b.n, values, dirt)); err != nil {
				return err
			}
		}
		if inputs != nil {
			return inputs(p)
		}
		return nil
	}
	p.nonFinite = t.switches.NonFinite
	dirt := float32(math.NaN())
	if t.switches.NonFinite { // a NaN is then one of the inputs'
		dirt = 1e30
	}
	if err := start(dirt); err != nil {
		return nil, err
	}
	for i := range p.list {
		if err := p.judge(ctx, i, visit); err != nil {
			return nil, err
		}
	}
	first, err := p.words(ctx)
	if err != nil {
		return nil, err
	}
	if err := start(math.MaxFloat32); err != nil {
		return nil, err
	}
	if err := p.Run(ctx); err != nil {
		return nil, err
	}
	second, err := p.words(ctx)
	if err != nil {
		return nil, err
	}
	var found []Difference
	for b, words := range first {
		for i, word := range words {
			if other := second[b][i]; word != other {
				found = append(found, Difference{b.label, i, word, other})
				break
			}
		}
	}
	return found, nil
}

// Verify is Judge that returns the worst element of each tensor written, and each
// difference of the two runs as one that is not legal.
func (t *Tape) Verify(ctx context.Context, inputs func(p *Program) error, without ...Pass) ([]Deviation, error) {
	var all []Deviation
	differences, err := t.Judge(ctx, inputs, func(j *Judged) { all = append(all, j.worst()) }, without...)
	for _, d := range differences {
		all = append(all, Deviation{
			Dispatch: -1, Kernel: "second run", Tensor: d.Tensor, Index: d.Index,
			Got: float64(math.Float32frombits(d.Second)), Want: float64(math.Float32frombits(d.First)),
		})
	}
	return all, err
}

// guard is how many elements behind a tensor are watched.
const guard = 8

// behind are the bits that stand there, another number for each tensor, so that a
// copy from one to another shows as well; not too large for a sum to change it, and one
// that f16 holds.
func (s *slot) behind() uint32 { return math.Float32bits(1 + float32(s.id%1024)/1024) }

// initial are the bits of a tensor and of what stands behind it before the program runs.
func (p *Program) initial(s *slot, n int, params map[*slot][]uint32, dirt float32) []uint32 {
	words := make([]uint32, n)
	for i := range words {
		switch {
		case i >= s.n:
			words[i] = s.behind()
		case s.members != nil: // between them stand zeros, as in all new memory
		case s.param != nil:
			words[i] = params[s][i]
		case p.values[s] != nil:
			words[i] = math.Float32bits(p.values[s][i])
		case !s.input && s.dtype == F16:
			words[i] = math.Float32bits(min(dirt, maxF16))
		case !s.input:
			words[i] = math.Float32bits(dirt)
		}
	}
	for _, m := range s.members {
		copy(words[m.at:], p.initial(m.slot, m.n, params, dirt))
	}
	return words
}

// words reads what the program's dispatches write.
func (p *Program) words(ctx context.Context) (map[*buffer][]uint32, error) {
	all := map[*buffer][]uint32{}
	for i := range p.list {
		for _, d := range p.list[i].leaves() {
			for j, x := range d.Tensors {
				b := p.buffers[x.base]
				if b == nil || all[b] != nil || !d.writes(j) {
					continue // handed on only, or read before
				}
				all[b] = make([]uint32, b.n)
				if err := p.dev.readInto(ctx, b, all[b]); err != nil {
					return nil, err
				}
			}
		}
	}
	return all, nil
}

// values are the elements of a parameter: the device's, or else the host's.
func (d *Device) values(ctx context.Context, p *Param) ([]uint32, error) {
	d.mu.Lock()
	b, ok := d.params[p]
	d.mu.Unlock()
	if ok {
		words := make([]uint32, b.n)
		return words, d.readInto(ctx, b, words)
	}
	p.check("Tape.Judge")
	return slices.Clone(p.words()), nil
}

func (p *Program) judge(ctx context.Context, i int, visit func(*Judged)) error {
	d := &p.list[i]
	before, _, err := p.contents(ctx, d)
	if err != nil {
		return err
	}
	if err := p.runner.step(i); err != nil {
		return fmt.Errorf("compute: kernel %s: %w", d.Kernel.name, err)
	}
	after, behind, err := p.contents(ctx, d)
	if err != nil {
		return err
	}
	e := evaluation{
		before:    func(s *slot) []float64 { return before[s] },
		after:     func(s *slot) []float64 { return after[s] },
		nonFinite: p.nonFinite, written: map[*slot]*outcome{},
	}
	e.evaluate(d)
	for _, s := range e.order {
		o := e.written[s]
		if after[s] == nil {
			continue // handed on, and stored nowhere
		}
		x := o.run.Tensors[o.binding]
		seen := &Judged{
			Dispatch: i, Kernel: o.run.Kernel, Kernels: o.kernels, Params: o.run.Params, Part: o.run.scope,
			Binding: o.run.binding(o.binding).Name, Tensor: x,
			In: o.in, Got: after[s], Want: o.want, Bound: o.bound, free: o.free, Partial: p.written(s, i+1), Beyond: -1, program: p, before: before,
		}
		if k := slices.IndexFunc(behind[s], func(word uint32) bool { return word != s.behind() }); k >= 0 {
			seen.Beyond = s.n + k
		}
		visit(seen)
	}
	return nil
}

// written reports whether a dispatch from the one at first on writes to s.
func (p *Program) written(s *slot, first int) bool {
	return slices.ContainsFunc(p.list[first:], func(d Dispatch) bool {
		return slices.ContainsFunc(d.leaves(), func(d *Dispatch) bool {
			for j, x := range d.Tensors {
				if x.base == s && d.writes(j) {
					return true
				}
			}
			return false
		})
	})
}

// contents reads all tensors of a dispatch, and what stands behind them. Of a tensor in
// which others have places it reads those; what stands behind it is behind the last.
func (p *Program) contents(ctx context.Context, d *Dispatch) (all map[*slot][]float64, behind map[*slot][]uint32, err error) {
	all, behind = map[*slot][]float64{}, map[*slot][]uint32{}
	slots := d.slots()
	for _, leaf := range d.leaves() { // what a chain is known not to read, it does not bind
		slots = append(slots, leaf.slots()...)
	}
	for _, s := range slots {
		b := p.buffers[s]
		if s.members != nil {
			b = p.wholes[s]
		}
		if b == nil || all[s] != nil {
			continue
		}
		words := make([]uint32, b.n)
		if err := p.dev.readInto(ctx, b, words); err != nil {
			return nil, nil, err
		}
		parts := s.members
		if parts == nil {
			parts = []member{{s, 0}}
		}
		if s.members != nil {
			all[s] = make([]float64, s.n)
			fromWords(all[s], words[:s.n], b.dtype)
		}
		for _, m := range parts {
			all[m.slot] = make([]float64, m.n)
			fromWords(all[m.slot], words[m.at:m.at+m.n], b.dtype)
		}
		if at := slices.IndexFunc(words[s.n:], func(word uint32) bool { return word != s.behind() }); at >= 0 {
			last := parts[len(parts)-1].slot
			behind[last] = append(slices.Repeat([]uint32{last.behind()}, at), ^last.behind())
		}
	}
	return all, behind, nil
}
