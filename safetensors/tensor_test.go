package safetensors

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func bitsOf(v []float32) []uint32 {
	b := make([]uint32, len(v))
	for i, x := range v {
		b[i] = math.Float32bits(x)
	}
	return b
}

func little(size int, values ...uint64) []byte {
	var b []byte
	for _, v := range values {
		b = append(b, binary.LittleEndian.AppendUint64(nil, v)[:size]...)
	}
	return b
}

// Expected bits are from IEEE 754: sign, exponent and fraction moved by hand.
func TestFloat32(t *testing.T) {
	for _, c := range []struct {
		name  string
		dtype DType
		in    []uint64
		want  []uint32
	}{
		{"F32 bit by bit", F32,
			[]uint64{0, 0x80000000, 1, 0x7f800000, 0xff800000, 0x7fc00001, 0x7f800001, 0xffffffff},
			[]uint32{0, 0x80000000, 1, 0x7f800000, 0xff800000, 0x7fc00001, 0x7f800001, 0xffffffff}},
		{"BF16", BF16,
			[]uint64{0x0000, 0x8000, 0x0001, 0x3f80, 0xff80, 0x7f81, 0x7fc1},
			[]uint32{0, 0x80000000, 0x00010000, 0x3f800000, 0xff800000, 0x7f810000, 0x7fc10000}},
		// 1, -2, largest 65504, smallest normal 2^-14, largest and smallest
		// subnormal, signed zeros, infinities, quiet and signalling NaN.
		{"F16", F16,
			[]uint64{0x3c00, 0xc000, 0x7bff, 0x0400, 0x03ff, 0x0001, 0x8001, 0x0000, 0x8000, 0x7c00, 0xfc00, 0x7e01, 0xfd55},
			[]uint32{0x3f800000, 0xc0000000, 0x477fe000, 0x38800000, 0x387fc000, 0x33800000, 0xb3800000, 0, 0x80000000, 0x7f800000, 0xff800000, 0x7fc02000, 0xffaaa000}},
		// 1; 1+2^-24 ties to even; 1+2^-24+2^-52 rounds up; beyond the range.
		{"F64", F64,
			[]uint64{0x3ff0000000000000, 0x3ff0000010000000, 0x3ff0000010000001, 0x7fefffffffffffff, 0xfff0000000000000, 0x8000000000000000, 0x0000000000000001},
			[]uint32{0x3f800000, 0x3f800000, 0x3f800001, 0x7f800000, 0xff800000, 0x80000000, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Tensor{c.dtype, []int{len(c.in)}, little(c.dtype.Size(), c.in...)}.Float32()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, bitsOf(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// All 65,536 halves against the definition: fraction times a power of two.
func TestFloat16IsExact(t *testing.T) {
	for h := range 1 << 16 {
		e, f := h>>10&0x1f, float64(h&0x3ff)
		want := math.Ldexp(1024+f, e-25)
		switch e {
		case 0:
			want = math.Ldexp(f, -24)
		case 31:
			want = math.Inf(1)
		}
		if h>>15 == 1 {
			want = -want
		}
		got := float64(float16(uint16(h)))
		if e == 31 && f != 0 {
			if !math.IsNaN(got) {
				t.Fatalf("%#04x: got %v, want NaN", h, got)
			}
		} else if got != want || math.Signbit(got) != (h>>15 == 1) {
			t.Fatalf("%#04x: got %v, want %v", h, got, want)
		}
	}
}

func TestFromFloat32KeepsBits(t *testing.T) {
	want := []uint32{0x7f800001, 0x7fc12345, 0xffc00000, 0x80000000, 1, 0x3f800000}
	v := make([]float32, len(want))
	for i, b := range want {
		v[i] = math.Float32frombits(b)
	}
	f, err := Decode(encode(t, &File{Tensors: map[string]Tensor{"x": FromFloat32([]int{2, 3}, v)}}))
	if err != nil {
		t.Fatal(err)
	}
	got, err := f.Tensors["x"].Float32()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, bitsOf(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFromCopies(t *testing.T) {
	shape, v := []int{2}, []uint32{1, 2}
	x := FromUint32(shape, v)
	shape[0], v[0] = 9, 9
	if diff := cmp.Diff(Tensor{U32, []int{2}, []byte{1, 0, 0, 0, 2, 0, 0, 0}}, x); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestUint32(t *testing.T) {
	for _, c := range []struct {
		name  string
		dtype DType
		in    []uint64
		want  []uint32
		err   string
	}{
		{"U32", U32, []uint64{0, 1, math.MaxUint32}, []uint32{0, 1, math.MaxUint32}, ""},
		{"I32", I32, []uint64{0, math.MaxInt32}, []uint32{0, math.MaxInt32}, ""},
		{"I64", I64, []uint64{0, math.MaxUint32}, []uint32{0, math.MaxUint32}, ""},
		{"U64", U64, []uint64{7, math.MaxUint32}, []uint32{7, math.MaxUint32}, ""},
		{"I32 negative", I32, []uint64{3, 1<<32 - 1}, nil, "element 1 is -1, want 0 to 2^32-1"},
		{"I64 negative", I64, []uint64{1<<64 - 5}, nil, "element 0 is -5, want"},
		{"I64 large", I64, []uint64{0, 0, 1 << 32}, nil, "element 2 is 4294967296, want"},
		{"U64 large", U64, []uint64{1<<64 - 1}, nil, "element 0 is 18446744073709551615, want"},
		{"F32", F32, []uint64{0}, nil, "dtype F32, want U32, I32, U64 or I64"},
		{"U8", U8, []uint64{0}, nil, "dtype U8, want"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Tensor{c.dtype, []int{len(c.in)}, little(c.dtype.Size(), c.in...)}.Uint32()
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("got %v and error %v, want one with %s", got, err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestFloat32Errors(t *testing.T) {
	for _, c := range []struct {
		tensor Tensor
		want   string
	}{
		{Tensor{I32, []int{1}, make([]byte, 4)}, "dtype I32, want F32, F16, BF16 or F64"},
		{Tensor{BOOL, []int{1}, make([]byte, 1)}, "dtype BOOL, want"},
		{Tensor{F32, []int{2}, make([]byte, 4)}, "4 bytes of data, want 2 elements of F32"},
		{Tensor{}, `dtype ""`},
	} {
		if _, err := c.tensor.Float32(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Float32: got %v, want %s", err, c.want)
		}
	}
	if _, err := (Tensor{U32, []int{2}, make([]byte, 4)}).Uint32(); err == nil || !strings.Contains(err.Error(), "want 2 elements of U32") {
		t.Errorf("Uint32: got %v, want an error about 2 elements", err)
	}
}

func TestFromPanics(t *testing.T) {
	for _, c := range []struct {
		name string
		call func()
		want string
	}{
		{"count", func() { FromFloat32([]int{2, 2}, make([]float32, 3)) }, "safetensors: FromFloat32: 3 values, want the product of shape [2 2]"},
		{"negative", func() { FromUint32([]int{-1, -3}, make([]uint32, 3)) }, "safetensors: FromUint32: 3 values, want the product of shape [-1 -3]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer func() {
				if got := recover(); got != c.want {
					t.Errorf("got panic %v, want %s", got, c.want)
				}
			}()
			c.call()
		})
	}
}

func TestSize(t *testing.T) {
	want := map[DType]int{F64: 8, F32: 4, F16: 2, BF16: 2, I64: 8, I32: 4, I16: 2, I8: 1, U64: 8, U32: 4, U16: 2, U8: 1, BOOL: 1, "": 0, "F8": 0, "f32": 0}
	for d, size := range want {
		if d.Size() != size {
			t.Errorf("%q: got %d, want %d", d, d.Size(), size)
		}
	}
	if len(order) != 13 {
		t.Errorf("got %d types, want 13", len(order))
	}
}
