package compute

import "github.com/pumice-ml/pumice/internal/ir"

// DType is the type of a tensor's elements.
type DType = ir.DType

// The element types. U32 holds labels, indices, packed bytes and random state. F16 is
// how numbers may be stored (see Tape); kernels compute with f32.
const (
	F32 = ir.F32
	U32 = ir.U32
	F16 = ir.F16
)

// Param is a named array on the host that outlives tapes: a weight, a running
// statistic, optimizer state, a data set. A device uploads it when a tape first
// uses it, and every tape on that device shares the copy there. Device.Download
// brings the device's values back to the host, Device.Upload replaces them.
//
//	Name  string
//	Shape []int
//	Data  []float32 // elements where Ints is nil, row-major
//	Ints  []uint32  // elements of a U32 array
//	// Frozen says that the array is not trained: running statistics, state.
//	Frozen bool
//	// Init fills Data from a stream of random numbers of its own (see RandomBits);
//	// nil leaves the array as it is.
//	Init func(p *Param, seed, stream uint32)
//
// Its methods are Len, the number of elements, and DType, U32 where it holds Ints, else F32.
type Param = ir.Param

// NewParam returns an array of zeros.
func NewParam(name string, shape ...int) *Param { return ir.NewParam(name, shape...) }

// NewParamU32 returns a frozen U32 array of zeros.
func NewParamU32(name string, shape ...int) *Param { return ir.NewParamU32(name, shape...) }

// Elements is the number of elements of a shape: the product of its dimensions,
// 1 where it has none. It panics on a negative dimension.
func Elements(shape []int) int { return ir.Elements(shape) }

// Tensor is an array that a tape's kernels read and write. It belongs to its
// tape; the values live on the tape's device once the tape is compiled.
type Tensor ir.Tensor

// inner are the tensors as the compiler has them.
func inner(tensors []*Tensor) []*ir.Tensor {
	all := make([]*ir.Tensor, len(tensors))
	for i, x := range tensors {
		all[i] = (*ir.Tensor)(x)
	}
	return all
}

// Shape is the tensor's dimensions; the caller must not change it.
func (x *Tensor) Shape() []int { return (*ir.Tensor)(x).Shape() }

// Dim is dimension i, counted from the end where i is negative.
func (x *Tensor) Dim(i int) int { return (*ir.Tensor)(x).Dim(i) }

// Len is the number of elements.
func (x *Tensor) Len() int { return (*ir.Tensor)(x).Len() }

// DType is the type of the elements.
func (x *Tensor) DType() DType { return (*ir.Tensor)(x).DType() }

// Param is the parameter whose values x holds, or nil.
func (x *Tensor) Param() *Param { return (*ir.Tensor)(x).Param() }

// Same reports whether x and y are views of the same elements.
func (x *Tensor) Same(y *Tensor) bool { return (*ir.Tensor)(x).Same((*ir.Tensor)(y)) }

// Tape is the tape that x belongs to.
func (x *Tensor) Tape() *Tape { return (*Tape)((*ir.Tensor)(x).Tape()) }

func (x *Tensor) String() string { return (*ir.Tensor)(x).String() }
