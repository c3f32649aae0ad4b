package ir

import (
	"fmt"
	"slices"
	"unsafe"
)

// DType is the type of a tensor's elements.
type DType uint8

// The element types. U32 holds labels, indices, packed bytes and random state. F16 is
// how numbers may be stored (see Tape.Storage); kernels compute with f32.
const (
	F32 DType = iota
	U32
	F16
)

func (d DType) String() string { return [...]string{"f32", "u32", "f16"}[d] }

// Numbers is the type on the host: F32 of what is stored as f16.
func Numbers(d DType) DType {
	if d == F16 {
		return F32
	}
	return d
}

// Bytes of n elements.
func Bytes(d DType, n int) int64 {
	if d == F16 {
		return int64(n) * 2
	}
	return int64(n) * 4
}

// Param is a named array on the host that outlives tapes: a weight, a running
// statistic, optimizer state, a data set. A device uploads it when a tape first
// uses it, and every tape on that device shares the copy there. Device.Download
// brings the device's values back to the host, Device.Upload replaces them.
type Param struct {
	Name  string
	Shape []int
	Data  []float32 // elements where Ints is nil, row-major
	Ints  []uint32  // elements of a U32 array
	// Frozen says that the array is not trained: running statistics, state.
	Frozen bool
	// Init fills Data from a stream of random numbers of its own (see RandomBits);
	// nil leaves the array as it is.
	Init func(p *Param, seed, stream uint32)

	half *Param // the f16 copy
	of   *Param // the parameter that this one is the f16 copy of, or nil
}

// NewParam returns an array of zeros.
func NewParam(name string, shape ...int) *Param {
	return &Param{Name: name, Shape: slices.Clone(shape), Data: make([]float32, Elements(shape))}
}

// NewParamU32 returns a frozen U32 array of zeros.
func NewParamU32(name string, shape ...int) *Param {
	return &Param{Name: name, Shape: slices.Clone(shape), Ints: make([]uint32, Elements(shape)), Frozen: true}
}

// DType is U32 where p holds Ints, else F32.
func (p *Param) DType() DType {
	if p.of != nil {
		return F16
	}
	if p.Ints != nil {
		return U32
	}
	return F32
}

// Len is the number of elements.
func (p *Param) Len() int { return Elements(p.Shape) }

// HostWords are the elements' bits on the host.
func HostWords(p *Param) []uint32 {
	if p.of != nil {
		p = p.of
	}
	if p.Ints != nil {
		return p.Ints
	}
	return AsWords(p.Data)
}

// CheckParam panics where a parameter has not as many elements as its shape.
func CheckParam(p *Param, op string) {
	if p.of != nil {
		p = p.of
	}
	n := len(p.Data)
	if p.Ints != nil {
		n = len(p.Ints)
		if p.Data != nil {
			panic(fmt.Sprintf("compute: %s: parameter %q has both Data and Ints", op, p.Name))
		}
	}
	if n != Elements(p.Shape) {
		panic(fmt.Sprintf("compute: %s: parameter %q has %d elements, want %d for shape %v", op, p.Name, n, Elements(p.Shape), p.Shape))
	}
}

// Elements is the number of elements of a shape: the product of its dimensions,
// 1 where it has none. It panics on a negative dimension.
func Elements(shape []int) int {
	n := 1
	for _, d := range shape {
		if d < 0 {
			panic(fmt.Sprintf("compute: shape %v has a negative dimension", shape))
		}
		n *= d
	}
	return n
}

// Tensor is an array that a tape's kernels read and write. It belongs to its
// tape; the values live on the tape's device once the tape is compiled.
type Tensor struct {
	tape  *Tape
	shape []int
	base  *Slot // shared by all reshaped views
}

// Slot is what a tensor's elements are kept in: one buffer of a program, or a
// parameter's buffer on the device.
type Slot struct {
	ID     int
	Name   string
	N      int
	DType  DType
	Param  *Param    // nil for what belongs to the program
	copied bool      // the f16 copy of a parameter that every run makes
	Input  bool      // written by the host
	Values []float32 // of a constant, written when the program is compiled
	Zeroed bool      // starts every run at zero
	Keep   bool      // may be read back
	First  *Tensor
	grad   *Slot
	// Members are the tensors that have places in this one, for batch.
	Members []Member
}

// Member is a tensor with a place in a larger one.
type Member struct {
	*Slot
	At int // elements before it
}

// Made reports whether kernels make the elements, and not the host.
func (s *Slot) Made() bool { return s.Param == nil && !s.Input }

// Words of 4 bytes that hold the elements.
func (s *Slot) Words() int { return int(Bytes(s.DType, s.N)+3) / 4 }

// Shape is the tensor's dimensions; the caller must not change it.
func (x *Tensor) Shape() []int { return x.shape }

// Tape is the tape that x belongs to.
func (x *Tensor) Tape() *Tape { return x.tape }

// Same reports whether x and y are views of the same elements.
func (x *Tensor) Same(y *Tensor) bool { return x.base == y.base }

// Dim is dimension i, counted from the end where i is negative.
func (x *Tensor) Dim(i int) int {
	if i < 0 {
		i += len(x.shape)
	}
	return x.shape[i]
}

// Len is the number of elements.
func (x *Tensor) Len() int { return x.base.N }

// DType is the type of the elements.
func (x *Tensor) DType() DType { return x.base.DType }

// Param is the parameter whose values x holds, or nil.
func (x *Tensor) Param() *Param {
	if p := x.base.Param; p == nil || p.of == nil {
		return p
	}
	return x.base.Param.of
}

func (x *Tensor) String() string {
	return fmt.Sprintf("%s %s%v", x.base.Name, x.base.DType, x.shape)
}

// AsWords views float32 numbers as their bits.
func AsWords(x []float32) []uint32 {
	return unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(x))), len(x))
}

// Base is what the elements of x are kept in.
func (x *Tensor) Base() *Slot { return x.base }

// View is a tensor of no tape.
func View(s *Slot, shape ...int) *Tensor { return &Tensor{shape: shape, base: s} }
