package compute

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"

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

// Testable is nil where the kernel's shader says at which sizes it is judged: the shapes
// of its arrays, and a test (package shaders).
func (k *Kernel) Testable() error {
	sizes := k.testSizes()
	shapes := k.read().shader.Shapes()
	for _, f := range k.read().shader.Params {
		if _, ok := sizes[f.Name]; !ok {
			return fmt.Errorf("compute: kernel %s: %s.wgsl has no line \"// test:\" with %s", k.name, k.read().shader.Name, f.Name)
		}
	}
	for _, b := range k.read().entry.Bindings {
		if shapes[b.Name] == nil {
			return fmt.Errorf("compute: kernel %s: the header of %s.wgsl has no shape of %s", k.name, k.read().shader.Name, b.Name)
		}
		for _, expr := range shapes[b.Name] {
			if _, err := shader.Eval(expr, wholes(sizes)); err != nil {
				return fmt.Errorf("compute: kernel %s: shape of %s: %w", k.name, b.Name, err)
			}
		}
	}
	return nil
}

// testSizes are the values of the params at which the kernel is judged: those of the
// shader's header, 67 for the only whole number, 0.5 for others.
func (k *Kernel) testSizes() map[string]float64 {
	sizes := maps.Clone(k.read().shader.Test)
	if sizes == nil {
		sizes = map[string]float64{}
	}
	var whole []string
	for _, f := range k.read().shader.Params {
		_, given := sizes[f.Name]
		switch {
		case f.Type != "f32":
			whole = append(whole, f.Name)
		case !given:
			sizes[f.Name] = 0.5
		}
	}
	if _, given := sizes[strings.Join(whole, " ")]; len(whole) == 1 && !given {
		sizes[whole[0]] = 67
	}
	return sizes
}

func wholes(sizes map[string]float64) func(string) (int, bool) {
	return func(name string) (int, bool) {
		v, ok := sizes[name]
		return int(v), ok
	}
}

// at is a run of the kernel at sizes, with tensors of its own of the shapes that the
// shader's header gives; its constants and types of storage are those of like.
func (k *Kernel) at(sizes map[string]float64, like *Dispatch) (d Dispatch, ok bool) {
	d = Dispatch{Kernel: k, Consts: like.Consts, uniform: like.uniform, scope: like.scope}
	d.Params = k.MakeParams(func(f shader.Field) float64 { return sizes[f.Name] })
	shapes, at := k.read().shader.Shapes(), map[string]*Tensor{}
	for i, b := range k.read().entry.Bindings {
		x := at[k.read().shader.Same[b.Name]]
		if x == nil {
			var shape []int
			for _, expr := range shapes[b.Name] {
				n, err := shader.Eval(expr, wholes(sizes))
				if err != nil || n < 0 {
					return d, false
				}
				shape = append(shape, n)
			}
			s := &slot{id: i, name: b.Name, n: Elements(shape), dtype: like.Tensors[i].dtype, input: like.Tensors[i].base != nil && !like.Tensors[i].base.made()}
			x = &Tensor{shape: shape, dtype: s.dtype, base: s}
		}
		at[b.Name] = x
		d.Tensors = append(d.Tensors, x)
	}
	return d, true
}

// test is the run at which the kernel is judged, with numbers stored so.
func (k *Kernel) test(storage DType) (Dispatch, bool) {
	var like Dispatch
	for _, b := range k.read().entry.Bindings {
		x := &Tensor{dtype: storage}
		if b.Unsigned() {
			x.dtype = U32
		}
		like.Tensors = append(like.Tensors, x)
	}
	return k.at(k.testSizes(), &like)
}

// examined is k's exam, or nil where the kernel is not Testable or its definition makes
// anything but numbers of all kinds of them.
func (k *Kernel) examined() *exam {
	k.exam.once.Do(func() {
		if k.Testable() != nil {
			return
		}
		d, ok := k.test(F32)
		if !ok {
			return
		}
		e := &k.exam
		in := findInputs(&d, true, nil)
		if in == nil {
			return
		}
		e.kind, e.index = in.kind, in.index
		e.digest = in.eval.digest()
		e.whole = make([]bool, len(d.Tensors))
		dirty := make([][]float64, len(d.Tensors))
		for i, x := range d.Tensors {
			if dirty[i] = slices.Clone(in.before[x.base]); d.writes(i) && x.dtype != U32 {
				dirty[i] = slices.Repeat([]float64{math.NaN()}, x.Len())
			}
		}
		k.define(d.Params, dirty)
		for i, x := range d.Tensors {
			o := in.eval.written[x.base]
			e.whole[i] = d.writes(i) && x.dtype != U32 && o != nil && slices.Equal(dirty[i], o.want)
		}
	})
	if k.exam.digest == "" {
		return nil
	}
	return &k.exam
}

// digest is of all outcomes.
func (e *evaluation) digest() string {
	sum := sha256.New()
	for _, s := range e.order {
		for _, x := range [][]float64{e.written[s].want, e.written[s].bound} {
			if err := binary.Write(sum, binary.LittleEndian, x); err != nil {
				panic(err) // a hash takes everything
			}
		}
	}
	return fmt.Sprintf("%x", sum.Sum(nil)[:8])
}

// key is what decides whether a text of the launch may run: the text, its entry point,
// and what the definitions and error models of the runs whose work it does say on the
// judge's numbers. Of a kernel that is not Testable that is what they say at the sizes at
// hand, where that is cheap; elsewhere they do not judge.
func (d *Device) key(l *Dispatch, text string) string {
	sum := sha256.New()
	fmt.Fprintf(sum, "%s\x00%s\x00", l.Kernel.read().entry.Name, text)
	for _, leaf := range l.leaves() {
		k := leaf.Kernel
		if e := k.examined(); e != nil {
			fmt.Fprintf(sum, "%s %s\x00", k.name, e.digest)
			continue
		}
		fmt.Fprintf(sum, "%s %+v", k.name, leaf.Params)
		if leaf.costs(d) <= cheap {
			own := leaf.private()
			if in := findInputs(&own, false, nil); in != nil {
				fmt.Fprintf(sum, " %s", in.eval.digest())
			}
		}
		sum.Write([]byte{0})
	}
	return fmt.Sprintf("%x", sum.Sum(nil)[:12])
}

// costs counts the floating-point operations of a launch.
func (d *Dispatch) costs(dev *Device) int64 {
	groups, err := d.grid(int(dev.info.Limits.WorkgroupsPerDimension))
	if err != nil {
		return 0
	}
	n, err := d.flops(groups)
	if err != nil {
		return 0
	}
	if trips := d.Kernel.read().entry.Trips; trips != "" && d.Kernel.read().entry.Flops == "" {
		if t, err := shader.Eval(trips, d.Kernel.lookup(d.Params)); err == nil {
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
func (d *Dispatch) smaller(dev *Device) (small Dispatch, ok bool) {
	k := d.Kernel
	if k.Testable() != nil {
		return small, false
	}
	sizes := map[string]float64{}
	for i, f := range k.read().shader.Params {
		sizes[f.Name] = number(d.Params, i)
	}
	most := d.costs(dev)
	for _, f := range k.read().shader.Params {
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
			small, ok := k.at(less, d)
			if !ok || small.costs(dev) > cheap || small.bytes() > mostAtOnce || !slices.ContainsFunc(small.Tensors, func(x *Tensor) bool { return x.Len() > 0 }) || !proportional(d, &small, fewer, n) {
				continue
			}
			return small, true
		}
	}
	return small, false
}

// smallerParts is a launch of joined runs with those smaller whose definitions take long.
func (d *Device) smallerParts(l *Dispatch) (small Dispatch, ok bool) {
	own := l.private()
	for i := range own.plain {
		part := &own.plain[i]
		if part.costs(d) <= cheap && part.bytes() <= mostAtOnce/int64(len(own.plain)) {
			continue
		}
		if part.merged != "" {
			return small, false
		}
		less, ok := part.smaller(d)
		if !ok && part.Kernel.Testable() == nil {
			less, ok = part.Kernel.at(part.Kernel.testSizes(), part)
		}
		if !ok {
			return small, false
		}
		*part = less
	}
	small, err := d.joined(own.plain)
	return small, err == nil
}

// proportional reports whether each tensor is as long as before, or as much shorter.
func proportional(large, small *Dispatch, fewer, n int) bool {
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
