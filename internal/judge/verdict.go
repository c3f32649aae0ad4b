package judge

import (
	"fmt"
	"math"

	"github.com/x448/float16"

	"github.com/pumice-ml/pumice/internal/ir"
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
	Dispatch int        // index in the compiled program
	Kernel   *ir.Kernel // of the recorded run that writes the tensor
	// Kernels are those whose work the numbers are: Kernel, after those that hand it
	// numbers without storing them.
	Kernels []*ir.Kernel
	Params  any
	Part    string // of the model, as Tape.Within has it
	Binding string // the shader's name of the tensor
	Tensor  *ir.Tensor
	In      [][]float64 // every tensor of Kernel's run before it, by binding; Want of what it is handed
	Got     []float64
	Want    []float64 // by the definition, in float64
	Bound   []float64 // largest legal |Got - Want|
	Partial bool      // a later dispatch writes to the tensor as well, so NaN may be left
	Beyond  int       // an element written behind the tensor's end, or -1

	NonFinite bool                    // inputs may hold NaN, of which anything may come
	Launch    *ir.Dispatch            // that wrote it
	Before    map[*ir.Slot][]float64  // the launch
	Describe  func() (ir.Step, error) // describes it
	Free      []bool                  // elements of which anything is legal
}

// Step describes the dispatch, with the text that went to the driver.
func (j *Judged) Step() (ir.Step, error) { return j.Describe() }

// Bound is a tensor that a dispatch binds.
type Bound struct {
	shader.Binding
	Before []float64 // the dispatch
	Judged bool      // it is the one that was judged
}

// Binds lists the tensors that the dispatch binds, as the text of Step declares them.
func (j *Judged) Binds() (all []Bound) {
	d := j.Launch
	for i, x := range d.Tensors {
		all = append(all, Bound{d.Binding(i), j.Before[x.Base()], d.Writes(i) && x.Base() == j.Tensor.Base()})
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
	if j.Free != nil && j.Free[i] {
		return 0
	}
	if math.Abs(want) > math.MaxFloat32 && !math.IsInf(want, 0) {
		return 0
	}
	if math.IsInf(j.Bound[i], 1) && got != want {
		// Anything is legal only of inputs that are not finite; else a model that
		// bounds nothing is at fault.
		if j.NonFinite {
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
	if want := float32(j.Want[i]); j.Tensor.Base().DType != ir.F16 {
		return float64(want)
	} else {
		return float64(float16.Fromfloat32(want).Float32())
	}
}

// Worst is the element that is furthest off in parts of its bound.
func (j *Judged) Worst() Deviation {
	d := Deviation{
		Dispatch: j.Dispatch, Kernel: ir.Names(j.Kernels), Params: fmt.Sprintf("%+v", j.Params),
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
