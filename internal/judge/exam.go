package judge

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"

	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/internal/shader"
)

// exam is what a kernel's definition and error model say at the sizes of its shader's
// header, on the judge's numbers.
type exam struct {
	once   sync.Once
	kind   numbers // the hardest of which the definition makes numbers
	index  string  // the field of Params that u32 numbers are below, or ""
	whole  []bool  // by binding: all of it is written, and the same whatever stood there
	digest string  // of the intervals
}

// examined is k's exam, or nil where the kernel is not Testable or its definition makes
// anything but numbers of all kinds of them.
func examined(k *ir.Kernel) *exam {
	kept, _ := exams.LoadOrStore(k, &exam{})
	e := kept.(*exam)
	e.once.Do(func() {
		if k.Testable() != nil {
			return
		}
		d, ok := k.Test(ir.F32)
		if !ok {
			return
		}
		in := findInputs(&d, true, nil)
		if in == nil {
			return
		}
		e.kind, e.index = in.kind, in.index
		e.digest = digest(in.eval)
		e.whole = make([]bool, len(d.Tensors))
		dirty := make([][]float64, len(d.Tensors))
		for i, x := range d.Tensors {
			if dirty[i] = slices.Clone(in.before[x.Base()]); d.Writes(i) && x.DType() != ir.U32 {
				dirty[i] = slices.Repeat([]float64{math.NaN()}, x.Len())
			}
		}
		k.Define(d.Params, dirty)
		for i, x := range d.Tensors {
			o := in.eval.Written[x.Base()]
			e.whole[i] = d.Writes(i) && x.DType() != ir.U32 && o != nil && slices.Equal(dirty[i], o.Want)
		}
	})
	return e.ready()
}

// digest is of all outcomes.
func digest(e *ir.Evaluation) string {
	sum := sha256.New()
	for _, s := range e.Order {
		for _, x := range [][]float64{e.Written[s].Want, e.Written[s].Bound} {
			if err := binary.Write(sum, binary.LittleEndian, x); err != nil {
				panic(err) // a hash takes everything
			}
		}
	}
	return fmt.Sprintf("%x", sum.Sum(nil)[:8])
}

// Key is what decides whether a text of the launch may run: the text, its entry point,
// and what the definitions and error models of the runs whose work it does say on the
// judge's numbers. Of a kernel that is not Testable that is what they say at the sizes at
// hand, where that is cheap; elsewhere they do not judge.
func (d *Device) Key(l *ir.Dispatch, text string) string {
	sum := sha256.New()
	fmt.Fprintf(sum, "%s\x00%s\x00", l.Kernel.Entry().Name, text)
	for _, leaf := range l.Leaves() {
		k := leaf.Kernel
		if e := examined(k); e != nil {
			fmt.Fprintf(sum, "%s %s\x00", k.Name(), e.digest)
			continue
		}
		fmt.Fprintf(sum, "%s %+v", k.Name(), leaf.Params)
		if costs(leaf, d) <= cheap {
			own := private(leaf)
			if in := findInputs(&own, false, nil); in != nil {
				fmt.Fprintf(sum, " %s", digest(in.eval))
			}
		}
		sum.Write([]byte{0})
	}
	return fmt.Sprintf("%x", sum.Sum(nil)[:12])
}

// costs counts the floating-point operations of a launch.
func costs(d *ir.Dispatch, dev *Device) int64 {
	groups, err := d.Grid(int(dev.Info().Limits.WorkgroupsPerDimension))
	if err != nil {
		return 0
	}
	n, err := d.Flops(groups)
	if err != nil {
		return 0
	}
	if trips := d.Kernel.Entry().Trips; trips != "" && d.Kernel.Entry().Flops == "" {
		if t, err := shader.Eval(trips, d.Kernel.Lookup(d.Params)); err == nil {
			n *= int64(max(t, 1))
		}
	}
	for _, x := range d.Tensors {
		n = max(n, 4*int64(x.Len())) // to be filled and copied some times
	}
	return n
}

// smaller is the run with fewer of what its arrays are all made of, such as images of a
// batch, so that its definition is cheap: as many as leave the remainders that they leave
// now by the largest power of two.
func smaller(d *ir.Dispatch, dev *Device) (small ir.Dispatch, ok bool) {
	k := d.Kernel
	if k.Testable() != nil {
		return small, false
	}
	sizes := map[string]float64{}
	for i, f := range k.Shader().Params {
		sizes[f.Name] = number(d.Params, i)
	}
	most := costs(d, dev)
	for _, f := range k.Shader().Params {
		n := int(sizes[f.Name])
		if f.Type == "f32" || n < 4 || float64(most)/float64(n) > cheap {
			continue
		}
		for m := 64; m > 1; m /= 2 {
			fewer := n%m + m
			if fewer >= n {
				continue
			}
			less := maps.Clone(sizes)
			less[f.Name] = float64(fewer)
			small, ok := k.At(less, d)
			if !ok || costs(&small, dev) > cheap || small.Bytes() > MostAtOnce || !slices.ContainsFunc(small.Tensors, func(x *ir.Tensor) bool { return x.Len() > 0 }) || !proportional(d, &small, fewer, n) {
				continue
			}
			return small, true
		}
	}
	return small, false
}

// smallerParts is a launch of joined runs with those smaller whose definitions take long.
func (d *Device) smallerParts(l *ir.Dispatch) (small ir.Dispatch, ok bool) {
	own := private(l)
	for i := range own.Plain {
		part := &own.Plain[i]
		if costs(part, d) <= cheap && part.Bytes() <= MostAtOnce/int64(len(own.Plain)) {
			continue
		}
		if part.Merged != "" {
			return small, false
		}
		less, ok := smaller(part, d)
		if !ok && part.Kernel.Testable() == nil {
			less, ok = part.Kernel.At(part.Kernel.TestSizes(), part)
		}
		if !ok {
			return small, false
		}
		*part = less
	}
	small, err := ir.Joined(own.Plain, int(d.Info().Limits.WorkgroupsPerDimension))
	return small, err == nil
}

// proportional reports whether each tensor is as long as before, or as much shorter.
func proportional(large, small *ir.Dispatch, fewer, n int) bool {
	shorter := false
	for i, x := range large.Tensors {
		switch y := small.Tensors[i]; {
		case y.Len() == x.Len():
		case y.Len()*n == x.Len()*fewer:
			shorter = true
		default:
			return false
		}
	}
	return shorter
}

// exams are those of the declared kernels, by kernel.
var exams sync.Map

// ready is the exam of a kernel, or nil where there is none, or not yet.
func ready(k *ir.Kernel) *exam {
	if e, ok := exams.Load(k); ok {
		return e.(*exam).ready()
	}
	return nil
}
