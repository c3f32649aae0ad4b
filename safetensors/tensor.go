package safetensors

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"slices"
)

// Tensor is an array of elements: DType says what they are, Shape how many
// along each dimension (empty for a scalar; a dimension may be 0), and Data
// holds them little-endian and row-major, len(Data) = product of Shape times
// DType.Size(). A Tensor that Decode returned shares Data with Decode's input.
type Tensor struct {
	DType DType
	Shape []int
	Data  []byte
}

// FromFloat32 returns an F32 tensor with a copy of v; bits are kept, those of
// NaN included. It panics unless the product of shape is len(v).
func FromFloat32(shape []int, v []float32) Tensor {
	mustHold("FromFloat32", shape, len(v))
	data := make([]byte, 4*len(v))
	for i, x := range v {
		binary.LittleEndian.PutUint32(data[4*i:], math.Float32bits(x))
	}
	return Tensor{F32, slices.Clone(shape), data}
}

// FromUint32 returns a U32 tensor with a copy of v. It panics unless the
// product of shape is len(v).
func FromUint32(shape []int, v []uint32) Tensor {
	mustHold("FromUint32", shape, len(v))
	data := make([]byte, 4*len(v))
	for i, x := range v {
		binary.LittleEndian.PutUint32(data[4*i:], x)
	}
	return Tensor{U32, slices.Clone(shape), data}
}

func mustHold(op string, shape []int, values int) {
	if n, ok := product(shape); !ok || n != values {
		panic(fmt.Sprintf("safetensors: %s: %d values, want the product of shape %v", op, values, shape))
	}
}

// Float32 returns a copy of the elements as float32: F32 bit by bit, F16 and
// BF16 widened exactly, F64 rounded to nearest (beyond the range of float32,
// to infinity). It returns an error for another type, or when Data and Shape
// disagree.
func (t Tensor) Float32() ([]float32, error) {
	n, err := t.elements()
	if err != nil {
		return nil, fmt.Errorf("safetensors: Float32: %w", err)
	}
	var at func(i int) float32
	switch t.DType {
	case F32:
		at = func(i int) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(t.Data[4*i:])) }
	case F64:
		at = func(i int) float32 {
			return float32(math.Float64frombits(binary.LittleEndian.Uint64(t.Data[8*i:])))
		}
	case F16:
		at = func(i int) float32 { return float16(binary.LittleEndian.Uint16(t.Data[2*i:])) }
	case BF16:
		at = func(i int) float32 {
			return math.Float32frombits(uint32(binary.LittleEndian.Uint16(t.Data[2*i:])) << 16)
		}
	default:
		return nil, fmt.Errorf("safetensors: Float32: dtype %s, want F32, F16, BF16 or F64", t.DType)
	}
	v := make([]float32, n)
	for i := range v {
		v[i] = at(i)
	}
	return v, nil
}

// Uint32 returns a copy of the elements of a U32, I32, U64 or I64 tensor as
// uint32. It returns an error for another type, for an element outside
// [0, 2^32), or when Data and Shape disagree.
func (t Tensor) Uint32() ([]uint32, error) {
	n, err := t.elements()
	if err != nil {
		return nil, fmt.Errorf("safetensors: Uint32: %w", err)
	}
	var at func(i int) uint64
	switch t.DType {
	case U32:
		at = func(i int) uint64 { return uint64(binary.LittleEndian.Uint32(t.Data[4*i:])) }
	case I32:
		// A negative number becomes a huge one, which the range check refuses.
		at = func(i int) uint64 { return uint64(int32(binary.LittleEndian.Uint32(t.Data[4*i:]))) }
	case U64, I64:
		at = func(i int) uint64 { return binary.LittleEndian.Uint64(t.Data[8*i:]) }
	default:
		return nil, fmt.Errorf("safetensors: Uint32: dtype %s, want U32, I32, U64 or I64", t.DType)
	}
	v := make([]uint32, n)
	for i := range v {
		x := at(i)
		if x > math.MaxUint32 {
			got := fmt.Sprint(x)
			if t.DType == I32 || t.DType == I64 {
				got = fmt.Sprint(int64(x))
			}
			return nil, fmt.Errorf("safetensors: Uint32: element %d is %s, want 0 to 2^32-1", i, got)
		}
		v[i] = uint32(x)
	}
	return v, nil
}

// elements returns how many elements t has, after checking that its three
// fields agree.
func (t Tensor) elements() (int, error) {
	size := t.DType.Size()
	if size == 0 {
		return 0, fmt.Errorf("dtype %q, want one of %v", t.DType, order)
	}
	n, ok := product(t.Shape)
	if !ok {
		return 0, fmt.Errorf("shape %v, want dimensions of at least 0 and a product that fits an int", t.Shape)
	}
	if len(t.Data)%size != 0 || len(t.Data)/size != n {
		return 0, fmt.Errorf("%d bytes of data, want %d elements of %s for shape %v", len(t.Data), n, t.DType, t.Shape)
	}
	return n, nil
}

// product multiplies the dimensions from left to right, as the reference
// implementation does: a 0 excuses only the dimensions after it.
func product(shape []int) (n int, ok bool) {
	n = 1
	for _, d := range shape {
		if d < 0 {
			return 0, false
		}
		high, low := bits.Mul64(uint64(n), uint64(d))
		if high != 0 || low > math.MaxInt {
			return 0, false
		}
		n = int(low)
	}
	return n, true
}

// float16 widens IEEE 754 binary16; every value is exact in float32.
func float16(h uint16) float32 {
	sign := uint32(h>>15) << 31
	exponent := uint32(h>>10) & 0x1f
	fraction := uint32(h) & 0x3ff
	switch exponent {
	case 0:
		magnitude := float32(fraction) * 0x1p-24
		return math.Float32frombits(sign | math.Float32bits(magnitude))
	case 0x1f:
		return math.Float32frombits(sign | 0xff<<23 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
}
