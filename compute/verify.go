package compute

import (
	"context"
	"fmt"
	"math"
	"slices"
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

// Verify compiles the tape for its GPU device, with all passes but those left
// out, and runs it once, dispatch by dispatch. Before each one it reads the
// tensors back, runs the kernel's definition on them, and judges what the
// device wrote by the kernel's error model. Everything the program owns, but for
// its inputs, starts as NaN, which must be gone after the last dispatch that writes
// the tensor. Behind each tensor stand some elements of a number of its own: what is
// read there shows, and what is written there is not legal. It returns the worst
// element of each tensor written. Inputs are set by the callback, which gets the
// program.
func (t *Tape) Verify(ctx context.Context, inputs func(p *Program) error, without ...Pass) ([]Deviation, error) {
	p, err := t.compile(guard, without)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	for s, b := range p.buffers {
		words := make([]uint32, b.n)
		for i := range words {
			switch {
			case i >= s.n:
				words[i] = s.behind()
			case s.values != nil:
				words[i] = math.Float32bits(s.values[i])
			case !s.input:
				words[i] = math.Float32bits(float32(math.NaN()))
			}
		}
		if err := p.dev.eng.write(b, words); err != nil {
			return nil, err
		}
	}
	if inputs != nil {
		if err := inputs(p); err != nil {
			return nil, err
		}
	}
	var all []Deviation
	for i := range p.list {
		found, err := p.verify(ctx, i)
		if err != nil {
			return all, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// guard is how many elements behind a tensor are watched.
const guard = 8

// behind are the bits that stand there, another number for each tensor, so that a
// copy from one to another shows as well; not too large for a sum to change it.
func (s *slot) behind() uint32 { return math.Float32bits(1 + float32(s.id)/1024) }

func (p *Program) verify(ctx context.Context, i int) ([]Deviation, error) {
	d := &p.list[i]
	in, _, err := p.contents(ctx, d)
	if err != nil {
		return nil, err
	}
	if err := p.runner.step(i); err != nil {
		return nil, fmt.Errorf("compute: kernel %s: %w", d.Kernel.name, err)
	}
	got, behind, err := p.contents(ctx, d)
	if err != nil {
		return nil, err
	}
	r := &Reference32{Kernel: d.Kernel, Params: d.Params, In: in, Written: make([]bool, len(in)), Want: make([][]float64, len(in))}
	for j := range in {
		r.Written[j] = d.writes(j)
		if r.Written[j] && d.Consts["accumulate"] == "false" {
			clear(in[j])
		}
		r.Want[j] = append([]float64(nil), in[j]...)
	}
	d.Kernel.define(d.Params, r.Want)
	bounds := d.Kernel.model.Bound(r)
	var found []Deviation
	for j := range in {
		if !r.Written[j] {
			continue
		}
		dev := judge(got[j], r.Want[j], bounds[j], p.written(d.Tensors[j].base, i+1))
		if i := slices.IndexFunc(behind[j], func(word uint32) bool { return word != d.Tensors[j].base.behind() }); i >= 0 {
			dev = Deviation{Index: len(got[j]) + i, Got: float64(math.Float32frombits(behind[j][i])), Want: math.NaN()}
		}
		dev.Dispatch, dev.Kernel, dev.Params = i, d.Kernel.name, fmt.Sprintf("%+v", d.Params)
		dev.Tensor = d.binding(j).Name + " (" + d.Tensors[j].String() + ")"
		found = append(found, dev)
	}
	return found, nil
}

// written reports whether a dispatch from the one at first on writes to s.
func (p *Program) written(s *slot, first int) bool {
	return slices.ContainsFunc(p.list[first:], func(d Dispatch) bool {
		for j, x := range d.Tensors {
			if x.base == s && d.writes(j) {
				return true
			}
		}
		return false
	})
}

// judge finds the worst element: the one that is furthest off in parts of its
// bound. NaN is legal only where a part of the tensor is left to a later dispatch.
func judge(got, want, bound []float64, part bool) Deviation {
	worst := Deviation{Legal: true}
	most := -1.0
	for i := range got {
		off, limit := math.Abs(got[i]-want[i]), bound[i]+math.Abs(want[i])*0x1p-50
		share := off / limit
		switch {
		case got[i] == want[i] || part && math.IsNaN(got[i]) && math.IsNaN(want[i]):
			share = 0
		case math.IsNaN(off) || math.IsNaN(limit) || limit == 0:
			share = math.Inf(1)
		}
		if share > most {
			most = share
			worst = Deviation{Index: i, Got: got[i], Want: want[i], Bound: limit, Legal: share <= 1}
		}
	}
	return worst
}

// contents reads all tensors of a dispatch, and what stands behind those that the
// program owns.
func (p *Program) contents(ctx context.Context, d *Dispatch) (all [][]float64, behind [][]uint32, err error) {
	for _, x := range d.Tensors {
		b := p.buffers[x.base]
		if x.base.param != nil {
			if b, err = p.dev.param(x.base.param); err != nil {
				return nil, nil, err
			}
		}
		words := make([]uint32, b.n)
		if err := p.dev.readInto(ctx, b, words); err != nil {
			return nil, nil, err
		}
		v := make([]float64, x.Len())
		fromWords(v, words[:x.Len()], b.dtype)
		all, behind = append(all, v), append(behind, words[x.Len():])
	}
	return all, behind, nil
}
