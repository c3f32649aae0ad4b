package safetensors

import "slices"

// DType is the type of a tensor's elements, spelled as in the file's header.
type DType string

// The element types of the format, little-endian in the file. F16 is IEEE 754
// binary16, BF16 the upper half of an F32, BOOL one byte that is 0 or 1.
const (
	F64  DType = "F64"
	F32  DType = "F32"
	F16  DType = "F16"
	BF16 DType = "BF16"
	I64  DType = "I64"
	I32  DType = "I32"
	I16  DType = "I16"
	I8   DType = "I8"
	U64  DType = "U64"
	U32  DType = "U32"
	U16  DType = "U16"
	U8   DType = "U8"
	BOOL DType = "BOOL"
)

// order lists the types as the reference implementation lays tensors out:
// widest first, so that every tensor begins at a multiple of its element size.
var order = []DType{U64, I64, F64, F32, U32, I32, BF16, F16, U16, I16, I8, U8, BOOL}

// Size returns the bytes of one element, or 0 if d is not one of the constants
// of this package.
func (d DType) Size() int {
	switch d {
	case F64, I64, U64:
		return 8
	case F32, I32, U32:
		return 4
	case F16, BF16, I16, U16:
		return 2
	case I8, U8, BOOL:
		return 1
	}
	return 0
}

// rank is the position of d in the layout order.
func (d DType) rank() int { return slices.Index(order, d) }
