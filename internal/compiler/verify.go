package compiler

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/pumice-ml/pumice/internal/engine"
	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/internal/judge"
)

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
func Judge(ctx context.Context, t *ir.Tape, inputs func(p *Program) error, visit func(*judge.Judged), without ...ir.Pass) ([]Difference, error) {
	p, err := compileGuarded(t, judge.Guard, without)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	values := map[*ir.Slot][]uint32{} // of the parameters
	for s := range p.place.Owned {
		if s.Param != nil {
			if values[s], err = p.dev.ParamWords(ctx, s.Param); err != nil {
				return nil, err
			}
		}
	}
	start := func(dirt float32) error {
		for s, b := range p.place.Wholes {
			if err := p.dev.Engine.Write(b, p.initial(s, b.N, values, dirt)); err != nil {
				return err
			}
		}
		for s, b := range p.place.Owned {
			if b.Parent != nil {
				continue // written with the whole
			}
			if err := p.dev.Engine.Write(b, p.initial(s, b.N, values, dirt)); err != nil {
				return err
			}
		}
		if inputs != nil {
			return inputs(p)
		}
		return nil
	}
	p.nonFinite = t.Switches().NonFinite
	dirt := float32(math.NaN())
	if t.Switches().NonFinite { // a NaN is then one of the inputs'
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
				found = append(found, Difference{b.Label, i, word, other})
				break
			}
		}
	}
	return found, nil
}

// Verify is Judge that returns the worst element of each tensor written, and each
// difference of the two runs as one that is not legal.
func Verify(ctx context.Context, t *ir.Tape, inputs func(p *Program) error, without ...ir.Pass) ([]judge.Deviation, error) {
	var all []judge.Deviation
	differences, err := Judge(ctx, t, inputs, func(j *judge.Judged) { all = append(all, j.Worst()) }, without...)
	for _, d := range differences {
		all = append(all, judge.Deviation{
			Dispatch: -1, Kernel: "second run", Tensor: d.Tensor, Index: d.Index,
			Got: float64(math.Float32frombits(d.Second)), Want: float64(math.Float32frombits(d.First)),
		})
	}
	return all, err
}

// initial are the bits of a tensor and of what stands behind it before the program runs.
func (p *Program) initial(s *ir.Slot, n int, params map[*ir.Slot][]uint32, dirt float32) []uint32 {
	words := make([]uint32, n)
	for i := range words {
		switch {
		case i >= s.N:
			words[i] = judge.GuardWord(s)
		case s.Members != nil: // between them stand zeros, as in all new memory
		case s.Param != nil:
			words[i] = params[s][i]
		case p.values[s] != nil:
			words[i] = math.Float32bits(p.values[s][i])
		case !s.Input && s.DType == ir.F16:
			words[i] = math.Float32bits(min(dirt, ir.MaxF16))
		case !s.Input:
			words[i] = math.Float32bits(dirt)
		}
	}
	for _, m := range s.Members {
		copy(words[m.At:], p.initial(m.Slot, m.N, params, dirt))
	}
	return words
}

// words reads what the program's dispatches write.
func (p *Program) words(ctx context.Context) (map[*engine.Buffer][]uint32, error) {
	all := map[*engine.Buffer][]uint32{}
	for i := range p.list {
		for _, d := range p.list[i].Leaves() {
			for j, x := range d.Tensors {
				b := p.place.Owned[x.Base()]
				if b == nil || all[b] != nil || !d.Writes(j) {
					continue // handed on only, or read before
				}
				all[b] = make([]uint32, b.N)
				if err := p.dev.ReadInto(ctx, b, all[b]); err != nil {
					return nil, err
				}
			}
		}
	}
	return all, nil
}

func (p *Program) judge(ctx context.Context, i int, visit func(*judge.Judged)) error {
	d := &p.list[i]
	before, _, err := p.contents(ctx, d)
	if err != nil {
		return err
	}
	if err := p.runner.Step(i); err != nil {
		return fmt.Errorf("compute: kernel %s: %w", d.Kernel.Name(), err)
	}
	after, behind, err := p.contents(ctx, d)
	if err != nil {
		return err
	}
	e := ir.Evaluation{
		Before:    func(s *ir.Slot) []float64 { return before[s] },
		After:     func(s *ir.Slot) []float64 { return after[s] },
		NonFinite: p.nonFinite, Written: map[*ir.Slot]*ir.Outcome{},
	}
	e.Evaluate(d)
	for _, s := range e.Order {
		o := e.Written[s]
		if after[s] == nil {
			continue // handed on, and stored nowhere
		}
		x := o.Run.Tensors[o.Binding]
		seen := &judge.Judged{
			Dispatch: i, Kernel: o.Run.Kernel, Kernels: o.Kernels, Params: o.Run.Params, Part: o.Run.Scope,
			Binding: o.Run.Binding(o.Binding).Name, Tensor: x,
			In: o.In, Got: after[s], Want: o.Want, Bound: o.Bound, Free: o.Free, Partial: p.written(s, i+1), Beyond: -1,
			NonFinite: p.nonFinite, Launch: d, Before: before, Describe: func() (ir.Step, error) { return p.step(i) },
		}
		if k := slices.IndexFunc(behind[s], func(word uint32) bool { return word != judge.GuardWord(s) }); k >= 0 {
			seen.Beyond = s.N + k
		}
		visit(seen)
	}
	return nil
}

// written reports whether a dispatch from the one at first on writes to s.
func (p *Program) written(s *ir.Slot, first int) bool {
	return slices.ContainsFunc(p.list[first:], func(d ir.Dispatch) bool {
		return slices.ContainsFunc(d.Leaves(), func(d *ir.Dispatch) bool {
			for j, x := range d.Tensors {
				if x.Base() == s && d.Writes(j) {
					return true
				}
			}
			return false
		})
	})
}

// contents reads all tensors of a dispatch, and what stands behind them. Of a tensor in
// which others have places it reads those; what stands behind it is behind the last.
func (p *Program) contents(ctx context.Context, d *ir.Dispatch) (all map[*ir.Slot][]float64, behind map[*ir.Slot][]uint32, err error) {
	all, behind = map[*ir.Slot][]float64{}, map[*ir.Slot][]uint32{}
	slots := d.Slots()
	for _, leaf := range d.Leaves() { // what a chain is known not to read, it does not bind
		slots = append(slots, leaf.Slots()...)
	}
	for _, s := range slots {
		b := p.place.Owned[s]
		if s.Members != nil {
			b = p.place.Wholes[s]
		}
		if b == nil || all[s] != nil {
			continue
		}
		words := make([]uint32, b.N)
		if err := p.dev.ReadInto(ctx, b, words); err != nil {
			return nil, nil, err
		}
		parts := s.Members
		if parts == nil {
			parts = []ir.Member{{Slot: s}}
		}
		if s.Members != nil {
			all[s] = make([]float64, s.N)
			engine.FromWords(all[s], words[:s.N], b.DType)
		}
		for _, m := range parts {
			all[m.Slot] = make([]float64, m.N)
			engine.FromWords(all[m.Slot], words[m.At:m.At+m.N], b.DType)
		}
		if at := slices.IndexFunc(words[s.N:], func(word uint32) bool { return word != judge.GuardWord(s) }); at >= 0 {
			last := parts[len(parts)-1].Slot
			behind[last] = append(slices.Repeat([]uint32{judge.GuardWord(last)}, at), ^judge.GuardWord(last))
		}
	}
	return all, behind, nil
}
