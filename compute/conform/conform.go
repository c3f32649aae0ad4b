// Package conform finds out whether a GPU, its driver and its WebGPU
// implementation compute what they should. It runs operations case by case, with
// shapes and values that hurt, and judges every element that every kernel writes
// by the kernel's definition in float64 and its error model (package compute):
// nothing is compared with a tolerance that somebody picked.
//
//	report, err := conform.Run(ctx, dev, suite.Ops(), conform.Options{})
//	report.WriteTable(os.Stdout)
//
// An Op records something on a tape: a layer with its gradients, a loss, a step
// of an optimizer, or a single kernel (KernelOp). A case is an op with sizes, a
// pattern of values and a seed, and is made again from its name alone:
//
//	linear/rows=129,in=70000,out=1/cancel/seed=7
//
// Each element gets one of three verdicts: correctly rounded, within the
// specification, or illegal. Each case runs twice, on memory that is dirty in two
// ways, and must give the same bits.
package conform

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/internal/compiler"
	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/internal/tapeoption"
)

// Op is something to check.
type Op struct {
	Name string
	// Shapes are the sizes of its cases, each as "rows=3,in=65".
	Shapes []string
	// Patterns are the names of the patterns of its cases; nil is all Patterns.
	Patterns []string
	// Record records the op on r's tape, with r's sizes and values.
	Record func(r *Recorder)
}

// Case is an op with sizes, a pattern of values and a seed.
type Case struct {
	Op      *Op
	Shape   string
	Pattern string
	Seed    uint32
	Variant string // the only variant of kernels to take; "" is the device's choice
	Storage compute.DType
}

// Name is the case's name, from which Find makes it again.
func (c Case) Name() string {
	name := fmt.Sprintf("%s/%s/%s/seed=%d", c.Op.Name, c.Shape, c.Pattern, c.Seed)
	if c.Variant != "" {
		name += "/variant=" + c.Variant
	}
	if c.Storage == compute.F16 {
		name += storedF16
	}
	return name
}

// Cases lists the cases of ops, each with a seed.
func Cases(ops []Op, seed uint32) (all []Case) {
	for i := range ops {
		op := &ops[i]
		patterns := op.Patterns
		if patterns == nil {
			patterns = Patterns()
		}
		for _, shape := range op.Shapes {
			for _, pattern := range patterns {
				all = append(all, Case{Op: op, Shape: shape, Pattern: pattern, Seed: seed})
			}
		}
	}
	return all
}

// Find makes the case of a name. The sizes may be others than the op lists, but
// must have their names.
func Find(ops []Op, name string) (Case, error) {
	rest, half := strings.CutSuffix(name, storedF16)
	parts := strings.Split(rest, "/")
	variant, given := strings.CutPrefix(parts[len(parts)-1], "variant=")
	if given {
		parts = parts[:len(parts)-1]
	} else {
		variant = ""
	}
	if len(parts) < 4 {
		return Case{}, fmt.Errorf("conform: case %q, want op/sizes/pattern/seed=N, and /variant=NAME perhaps", name)
	}
	n := len(parts)
	c := Case{Shape: parts[n-3], Pattern: parts[n-2], Variant: variant}
	if half {
		c.Storage = compute.F16
	}
	want := strings.Join(parts[:n-3], "/")
	i := slices.IndexFunc(ops, func(op Op) bool { return op.Name == want })
	if i < 0 {
		return Case{}, fmt.Errorf("conform: case %q: no op %q", name, want)
	}
	c.Op = &ops[i]
	seed, err := strconv.ParseUint(strings.TrimPrefix(parts[n-1], "seed="), 10, 32)
	if err != nil {
		return Case{}, fmt.Errorf("conform: case %q: %w", name, err)
	}
	c.Seed = uint32(seed)
	if !slices.Contains(Patterns(), c.Pattern) {
		return Case{}, fmt.Errorf("conform: case %q: no pattern %q, there are %v", name, c.Pattern, Patterns())
	}
	sizes, err := parseShape(c.Shape)
	if err != nil {
		return Case{}, fmt.Errorf("conform: case %q: %w", name, err)
	}
	listed, err := parseShape(c.Op.Shapes[0])
	if err != nil {
		return Case{}, fmt.Errorf("conform: op %s: %w", c.Op.Name, err)
	}
	for k := range listed {
		if _, ok := sizes[k]; !ok {
			return Case{}, fmt.Errorf("conform: case %q has no size %q", name, k)
		}
	}
	return c, nil
}

func parseShape(text string) (map[string]float64, error) {
	sizes := map[string]float64{}
	for part := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(part, "=")
		n, err := strconv.ParseFloat(value, 64)
		if err != nil || name == "" {
			return nil, fmt.Errorf("size %q, want name=number", part)
		}
		sizes[name] = n
	}
	return sizes, nil
}

// Recorder is what an op records on: a tape, with the sizes and values of a case. An op
// may set Row, the most workgroups in x before its grids are folded.
type Recorder struct {
	*compute.Tape
	*tapeoption.Switches

	shape   string
	sizes   map[string]float64
	trained []*compute.Param
	seeded  bool
	values  values
	stream  uint32
	inputs  map[*compute.Tensor][]float32
	indices map[*compute.Tensor][]uint32
	params  []*compute.Param
}

func newRecorder(dev *compute.Device, c Case) (*Recorder, error) {
	sizes, err := parseShape(c.Shape)
	if err != nil {
		return nil, fmt.Errorf("conform: %s: %w", c.Name(), err)
	}
	switches := &tapeoption.Switches{NonFinite: c.Pattern == special, Variant: c.Variant}
	r := &Recorder{
		Tape: compute.NewTape(dev, switches), Switches: switches, shape: c.Shape, sizes: sizes, values: values{pattern: c.Pattern, seed: c.Seed},
		inputs: map[*compute.Tensor][]float32{}, indices: map[*compute.Tensor][]uint32{},
	}
	r.Training, r.Storage = true, c.Storage
	// Every second pattern adds to gradients that are not 0, every third folds the
	// grid to a column.
	turn := slices.Index(Patterns(), c.Pattern)
	r.seeded = turn%2 == 1
	if turn%3 == 2 {
		r.Row = 1
	}
	r.Clock = compute.NewParamU32("clock", 2)
	r.Clock.Ints[0], r.Clock.Ints[1] = 3, c.Seed
	r.Own(r.Clock)
	return r, nil
}

// N is the size of a name. It panics where the case has none, or no whole number.
func (r *Recorder) N(name string) int {
	n := r.Number(name)
	if n != math.Trunc(n) {
		panic(fmt.Sprintf("conform: the size %s=%v is no whole number", name, n))
	}
	return int(n)
}

// Number is the size of a name, whole or not. It panics where the case has none.
func (r *Recorder) Number(name string) float64 {
	n, ok := r.sizes[name]
	if !ok {
		panic(fmt.Sprintf("conform: the sizes %q have no %q", r.shape, name))
	}
	return n
}

// next is a stream of values of its own.
func (r *Recorder) next() uint32 {
	r.stream++
	return r.stream
}

// Values is an input of the case's values, in a shape.
func (r *Recorder) Values(dims ...int) *compute.Tensor {
	return r.Given(r.values.floats(r.next(), compute.Elements(dims)), dims...)
}

// Given is an input of the numbers, in a shape.
func (r *Recorder) Given(numbers []float32, dims ...int) *compute.Tensor {
	x := r.Input(fmt.Sprintf("x%d", len(r.inputs)), compute.F32, dims...)
	r.inputs[x] = numbers
	return x
}

// Unit is an input of numbers in [0, 1], in a shape.
func (r *Recorder) Unit(dims ...int) *compute.Tensor {
	v := r.values.floats(r.next(), compute.Elements(dims))
	for i, x := range v {
		v[i] = float32(math.Mod(math.Abs(float64(x)), 1)) // NaN stays NaN
	}
	return r.Given(v, dims...)
}

// Indices is an input of u32 numbers less than below, in a shape.
func (r *Recorder) Indices(below int, dims ...int) *compute.Tensor {
	x := r.Input(fmt.Sprintf("indices%d", len(r.indices)), compute.U32, dims...)
	r.indices[x] = r.values.indices(r.next(), compute.Elements(dims), below)
	return x
}

// Own gives the device's copies of parameters back after the case.
func (r *Recorder) Own(params ...*compute.Param) { r.params = append(r.params, params...) }

// Set gives the parameters that are trained the case's values, and owns all.
func (r *Recorder) Set(params ...*compute.Param) {
	for _, p := range params {
		if p.Frozen {
			continue
		}
		r.trained = append(r.trained, p)
		if p.DType() == compute.U32 {
			copy(p.Ints, r.values.indices(r.next(), p.Len(), math.MaxInt32))
		} else {
			copy(p.Data, r.values.floats(r.next(), p.Len()))
		}
	}
	r.Own(params...)
}

// Walk is Set for the parameters of a layer.
func (r *Recorder) Walk(layer any) {
	if w, ok := layer.(interface {
		Walk(visit func(name string, p *compute.Param))
	}); ok {
		w.Walk(func(_ string, p *compute.Param) { r.Set(p) })
	}
}

// Check keeps y and the gradients of xs and of the parameters that were set, and
// records the backward runs from a gradient of the case's values.
func (r *Recorder) Check(y *compute.Tensor, xs ...*compute.Tensor) {
	r.SetGrad(y, r.Values(y.Shape()...))
	r.keep(y, xs)
	r.BackwardFromGrads()
}

// CheckLoss is Check from a loss.
func (r *Recorder) CheckLoss(loss *compute.Tensor, xs ...*compute.Tensor) {
	r.keep(loss, xs)
	r.Backward(loss)
}

func (r *Recorder) keep(y *compute.Tensor, xs []*compute.Tensor) {
	r.Keep(y)
	for _, p := range r.trained {
		xs = append(xs, r.Param(p))
	}
	for _, x := range xs {
		if r.seeded {
			r.Seed(x, 0.625)
		}
		r.Keep(r.Grad(x))
	}
}

// Layer records a layer on an input of the case's values, and its gradients.
func (r *Recorder) Layer(layer interface {
	Forward(t *compute.Tape, x *compute.Tensor) *compute.Tensor
}, dims ...int) {
	r.Walk(layer)
	x := r.Values(dims...)
	r.Check(layer.Forward(r.Tape, x), x)
}

// write sets the program's inputs.
func (r *Recorder) write(p *compute.Program) error {
	for x, v := range r.inputs {
		if err := p.Write(x, v); err != nil {
			return err
		}
	}
	for x, v := range r.indices {
		if err := p.WriteU32(x, v); err != nil {
			return err
		}
	}
	return nil
}

// tape is the tape as the compiler has it.
func (r *Recorder) tape() *ir.Tape { return (*ir.Tape)(r.Tape) }

// given is write for a program as the compiler has it.
func (r *Recorder) given(p *compiler.Program) error { return r.write((*compute.Program)(p)) }
