// Package layertest gives a layer its whole test by one call: gradients against
// central differences, every kernel on the GPU against its definition within
// its error model (with and without the compiler's passes), and the same bits
// from two runs. It checks layers of one's own as well. With -short it runs what a GPU
// computes, as usual and without the passes, and nothing of the reference device.
//
//	layertest.Run(t, MyLayer{}, layertest.Shape(1), layertest.Shape(3, 67))
package layertest

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/diff/fd"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/internal/compiler"
	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/internal/tapeoption"
)

// Layer is what layers.Layer is.
type Layer interface {
	Forward(t *compute.Tape, x *compute.Tensor) *compute.Tensor
}

// Input describes one input of a test. Its elements are distinct, away from 0
// and spread evenly over [-Scale, Scale], in an order that looks random; where
// Below is not 0 they are u32 numbers less than Below instead.
type Input struct {
	Shape []int
	Scale float64 // default 2
	Below uint32
	Eval  bool // record the tape for evaluation, not training

	Switches tapeoption.Switches // of the tape; those of the first input count
}

// Shape is an Input of float32 numbers.
func Shape(dims ...int) Input { return Input{Shape: dims} }

// Indices is an Input of u32 numbers less than below.
func Indices(below uint32, dims ...int) Input { return Input{Shape: dims, Below: below} }

// Evaluated is an Input of float32 numbers for a tape that does not train.
func Evaluated(dims ...int) Input { return Input{Shape: dims, Eval: true} }

func (in Input) dtype() compute.DType {
	if in.Below > 0 {
		return compute.U32
	}
	return compute.F32
}

func (in Input) values(stream uint32) []float64 {
	n := compute.Elements(in.Shape)
	v := make([]float64, n)
	if in.Below > 0 {
		for i := range v {
			v[i] = float64(compute.RandomBits(1, stream, 0, uint32(i))[0] % in.Below)
		}
		return v
	}
	order := make([]int, n)
	for i := range order {
		j := int(compute.RandomBits(1, stream, 0, uint32(i))[0] % uint32(i+1))
		order[i], order[j] = order[j], i
	}
	scale := in.Scale
	if scale == 0 {
		scale = 2
	}
	for i, k := range order {
		v[i] = float64(float32((float64(k)+0.37)/float64(n)*2*scale - scale))
		if math.Abs(v[i]) < 1e-3*scale {
			v[i] = float64(float32(1e-3 * scale))
		}
	}
	return v
}

// Run tests a layer with one input, once for each description.
func Run(t *testing.T, layer Layer, inputs ...Input) {
	t.Helper()
	for _, in := range inputs {
		RunOp(t, func(tape *compute.Tape, x []*compute.Tensor) *compute.Tensor {
			return layer.Forward(tape, x[0])
		}, walk(layer), in)
	}
}

// RunOp tests an operation of several inputs, and the parameters it uses.
func RunOp(t *testing.T, op func(t *compute.Tape, x []*compute.Tensor) *compute.Tensor, params []*compute.Param, inputs ...Input) {
	t.Helper()
	name := ""
	for _, in := range inputs {
		name += fmt.Sprint(in.Shape)
	}
	t.Run(name, func(t *testing.T) {
		if !testing.Short() {
			t.Run("gradients", func(t *testing.T) { gradients(t, op, params, inputs) })
		}
		gpu := devicetest.Open(t)
		devicetest.NoLeaks(t, gpu)
		for name, c := range map[string]struct {
			without []string
			seed    float32
			row     int
		}{
			"gpu": {nil, seed, 0}, "gpu, gradients from nothing, in a column": {nil, 0, 1},
			"gpu without passes, folded": {[]string{"prune", "choose", "accumulate", "specialise"}, seed, 2},
		} {
			if testing.Short() && c.seed == 0 {
				continue
			}
			t.Run(name, func(t *testing.T) {
				inputs := slices.Clone(inputs)
				inputs[0].Switches.Row = c.row
				r := record(gpu, op, params, inputs, c.seed)
				defer gpu.Forget(r.tape.Clock)
				found, err := devicetest.Verify(r.tape, r.write, c.without...)
				devicetest.Check(t, found, err)
			})
		}
		gpu.Forget(params...)
	})
}

// walk lists the parameters of a layer.
func walk(layer any) (params []*compute.Param) {
	if w, ok := layer.(interface {
		Walk(visit func(name string, p *compute.Param))
	}); ok {
		w.Walk(func(_ string, p *compute.Param) { params = append(params, p) })
	}
	return params
}

// recording is an operation on a tape, with its inputs and a gradient of its
// result that comes from outside.
type recording struct {
	tape   *compute.Tape
	x      []*compute.Tensor
	y, dy  *compute.Tensor
	params []*compute.Tensor // trained ones
	values map[*compute.Tensor][]float64
}

// seed is what gradients start at, so that = in place of += shows.
const seed = 0.625

func record(dev *compute.Device, op func(t *compute.Tape, x []*compute.Tensor) *compute.Tensor, params []*compute.Param, inputs []Input, seed float32) *recording {
	switches := inputs[0].Switches
	tape := compute.NewTape(dev, &switches)
	tape.Training = !inputs[0].Eval
	tape.Clock = &compute.Param{Name: "clock", Shape: []int{2}, Ints: []uint32{3, 7}, Frozen: true}
	r := &recording{tape: tape, values: map[*compute.Tensor][]float64{}}
	for i, in := range inputs {
		x := tape.Input(fmt.Sprintf("x%d", i), in.dtype(), in.Shape...)
		r.x = append(r.x, x)
		r.values[x] = in.values(uint32(i))
	}
	r.y = op(tape, r.x)
	tape.Keep(r.y)
	r.dy = tape.Input("dy", compute.F32, r.y.Shape()...)
	r.values[r.dy] = Shape(r.y.Shape()...).values(100)
	tape.SetGrad(r.y, r.dy)
	for _, p := range params {
		if !p.Frozen {
			r.params = append(r.params, tape.Param(p))
		}
	}
	for _, x := range append(slices.Clone(r.x), r.params...) {
		if x.DType() == compute.F32 {
			if seed != 0 { // otherwise the first addition is an assignment
				tape.Seed(x, seed)
			}
			tape.Keep(tape.Grad(x))
		}
	}
	tape.BackwardFromGrads()
	return r
}

// write sets the inputs.
func (r *recording) write(p *compute.Program) error {
	for x, v := range r.values {
		if err := write(p, x, v); err != nil {
			return err
		}
	}
	return nil
}

func write(p *compute.Program, x *compute.Tensor, v []float64) error {
	if x.DType() == compute.U32 {
		ints := make([]uint32, len(v))
		for i := range v {
			ints[i] = uint32(v[i])
		}
		return p.WriteU32(x, ints)
	}
	floats := make([]float32, len(v))
	for i := range v {
		floats[i] = float32(v[i])
	}
	return p.Write(x, floats)
}

// checked is how many elements of each tensor are differentiated numerically, and
// step how far they are moved.
const (
	checked = 48
	step    = 1e-6
)

func gradients(t *testing.T, op func(t *compute.Tape, x []*compute.Tensor) *compute.Tensor, params []*compute.Param, inputs []Input) {
	ctx := context.Background()
	dev := compute.Reference()
	defer dev.Close()
	r := record(dev, op, params, inputs, seed)
	p, err := r.tape.Compile("prune")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := r.write(p); err != nil {
		t.Fatal(err)
	}
	inner := (*compiler.Program)(p)
	loss := func() (sum, size float64) {
		if err := p.Run(ctx); err != nil {
			t.Fatal(err)
		}
		for i, y := range inner.Get64((*ir.Tensor)(r.y)) {
			sum += y * r.values[r.dy][i]
			size += math.Abs(y * r.values[r.dy][i])
		}
		return sum, size
	}
	_, size := loss()
	for _, x := range append(slices.Clone(r.x), r.params...) {
		if x.DType() != compute.F32 {
			continue
		}
		if err := p.Run(ctx); err != nil {
			t.Fatal(err)
		}
		got := inner.Get64((*ir.Tensor)(r.tape.Grad(x)))
		at := inner.Get64((*ir.Tensor)(x))
		largest := 0.0
		for _, v := range got {
			largest = max(largest, math.Abs(v-seed))
		}
		// What the loss is rounded by, over the step, and the third derivative.
		bound := size*0x1p-46/step + 1e-6*largest
		stride := max(1, len(at)/checked)
		for i := 0; i < len(at); i += stride {
			want := fd.Derivative(func(v float64) float64 {
				moved := slices.Clone(at)
				moved[i] = v
				inner.Set64((*ir.Tensor)(x), moved)
				sum, _ := loss()
				return sum
			}, at[i], &fd.Settings{Formula: fd.Central, Step: step})
			inner.Set64((*ir.Tensor)(x), at)
			if off := math.Abs(got[i] - seed - want); !(off <= bound) {
				t.Errorf("gradient of %v [%d]: got %v, want %v within %.3g by central differences", x, i, got[i]-seed, want, bound)
			}
		}
	}
}
