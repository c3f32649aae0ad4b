package safetensors

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// golden is a file written by hand from the format's description: the header
// has 140 bytes and 4 spaces, 144 = 0x90; F32 goes before U8; 1 and -2 are
// 0x3f800000 and 0xc0000000.
const golden = "\x90\x00\x00\x00\x00\x00\x00\x00" +
	`{"__metadata__":{"format":"pt"},` +
	`"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},` +
	`"b":{"dtype":"U8","shape":[1,3],"data_offsets":[8,11]}}` + "    " +
	"\x00\x00\x80\x3f\x00\x00\x00\xc0" +
	"\x01\x02\x03"

func goldenFile() *File {
	return &File{
		Metadata: map[string]string{"format": "pt"},
		Tensors: map[string]Tensor{
			"w": FromFloat32([]int{2}, []float32{1, -2}),
			"b": {U8, []int{1, 3}, []byte{1, 2, 3}},
		},
	}
}

func TestGolden(t *testing.T) {
	var b bytes.Buffer
	if err := goldenFile().Encode(&b); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(golden, b.String()); diff != "" {
		t.Errorf("Encode (-want +got):\n%s", diff)
	}
	got, err := Decode([]byte(golden))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(goldenFile(), got); diff != "" {
		t.Errorf("Decode (-want +got):\n%s", diff)
	}
}

func TestGoldenEmpty(t *testing.T) {
	const want = "\x08\x00\x00\x00\x00\x00\x00\x00{}      "
	var b bytes.Buffer
	if err := new(File).Encode(&b); err != nil {
		t.Fatal(err)
	}
	if b.String() != want {
		t.Errorf("Encode: got %q, want %q", &b, want)
	}
	f, err := Decode([]byte(want))
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Tensors) != 0 || f.Metadata != nil {
		t.Errorf("Decode: got %v, want nothing", f)
	}
}

// The reference implementation sorts by its Dtype enumeration, falling, then
// by name.
func TestEncodeOrder(t *testing.T) {
	f := &File{Tensors: map[string]Tensor{
		"z": {U64, []int{0}, nil}, "b": {U64, []int{0}, nil}, "B": {U64, []int{0}, nil},
		"m": {BOOL, []int{0}, nil}, "a": {U8, []int{0}, nil}, "i8": {I8, []int{0}, nil},
		"i16": {I16, []int{0}, nil}, "u16": {U16, []int{0}, nil}, "f16": {F16, []int{0}, nil}, "bf16": {BF16, []int{0}, nil},
		"i32": {I32, []int{0}, nil}, "u32": {U32, []int{0}, nil}, "f32": {F32, []int{0}, nil},
		"f64": {F64, []int{0}, nil}, "i64": {I64, []int{0}, nil},
	}}
	want := strings.Fields("B b z i64 f64 f32 u32 i32 bf16 f16 u16 i16 i8 a m")
	var b bytes.Buffer
	if err := f.Encode(&b); err != nil {
		t.Fatal(err)
	}
	at := make([]int, len(want))
	for i, name := range want {
		at[i] = strings.Index(b.String(), `"`+name+`":`)
	}
	if at[0] < 0 || !slices.IsSorted(at) {
		t.Errorf("got positions %v for %v, want them rising", at, want)
	}
}

// What Encode must escape and what it must leave alone, as serde_json does.
func TestEncodeEscapes(t *testing.T) {
	f := &File{Tensors: map[string]Tensor{"a\"\\/\b\f\n\r\t\x00\x1f\x7f<é\u2028😀": {U8, []int{0}, nil}}}
	want := `"a\"\\/\b\f\n\r\t\u0000\u001f` + "\x7f<é\u2028😀" + `":`
	var b bytes.Buffer
	if err := f.Encode(&b); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), want) {
		t.Errorf("got %q, want it to contain %q", &b, want)
	}
	got, err := Decode(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	for name := range f.Tensors {
		if _, ok := got.Tensors[name]; !ok {
			t.Errorf("Decode: got %v, want the name %q", got.Tensors, name)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		file File
		want string
	}{
		{"size", File{Tensors: map[string]Tensor{"w": {F32, []int{2, 2}, make([]byte, 12)}}},
			`tensor "w": 12 bytes of data, want 4 elements of F32`},
		{"odd size", File{Tensors: map[string]Tensor{"w": {F32, []int{3}, make([]byte, 13)}}}, `tensor "w": 13 bytes`},
		{"dtype", File{Tensors: map[string]Tensor{"w": {"F8", nil, nil}}}, `tensor "w": dtype "F8", want one of`},
		{"no dtype", File{Tensors: map[string]Tensor{"w": {}}}, `tensor "w": dtype ""`},
		{"negative", File{Tensors: map[string]Tensor{"w": {F32, []int{-1, -1}, make([]byte, 4)}}}, `tensor "w": shape [-1 -1]`},
		{"overflow", File{Tensors: map[string]Tensor{"w": {U8, []int{1 << 30, 1 << 30, 1 << 30}, nil}}}, `tensor "w": shape [`},
		{"overflow before 0", File{Tensors: map[string]Tensor{"w": {U8, []int{math.MaxInt, 2, 0}, nil}}}, `tensor "w": shape [`},
		{"reserved", File{Tensors: map[string]Tensor{"__metadata__": {U8, []int{0}, nil}}}, `"__metadata__"`},
		{"name", File{Tensors: map[string]Tensor{"\xff": {U8, []int{0}, nil}}}, `tensor "\xff": want a name in UTF-8`},
		{"key", File{Metadata: map[string]string{"\xff": ""}}, `metadata "\xff"`},
		{"value", File{Metadata: map[string]string{"k": "\xff"}}, `metadata "k"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b bytes.Buffer
			err := c.file.Encode(&b)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want one with %s", err, c.want)
			}
			if b.Len() != 0 {
				t.Errorf("got %d bytes written, want none", b.Len())
			}
		})
	}
}
