package safetensors

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// files draws Files with any names, types, shapes and bytes.
func files() *rapid.Generator[*File] {
	names := rapid.Map(rapid.SliceOfN(rapid.Rune(), 0, 12), func(r []rune) string { return string(r) }).
		Filter(func(s string) bool { return s != "__metadata__" })
	tensors := rapid.Custom(func(t *rapid.T) Tensor {
		dtype := rapid.SampledFrom(order).Draw(t, "dtype")
		shape := rapid.SliceOfN(rapid.IntRange(0, 5), 0, 4).Draw(t, "shape")
		n, _ := product(shape)
		return Tensor{dtype, shape, rapid.SliceOfN(rapid.Byte(), n*dtype.Size(), n*dtype.Size()).Draw(t, "data")}
	})
	return rapid.Custom(func(t *rapid.T) *File {
		return &File{
			Metadata: rapid.MapOfN(names, names, 0, 5).Draw(t, "metadata"),
			Tensors:  rapid.MapOfN(names, tensors, 0, 8).Draw(t, "tensors"),
		}
	})
}

func encode(t interface {
	Helper()
	Fatal(...any)
}, f *File) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := f.Encode(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f.safetensors")
	rapid.Check(t, func(t *rapid.T) {
		want := files().Draw(t, "file")
		data := encode(t, want)
		if n := len(data); data[7] != 0 || (n-bodySize(want))%8 != 0 {
			t.Fatalf("data begin at %d, want a multiple of 8", n-bodySize(want))
		}
		got, err := Decode(data)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		if again := encode(t, got); !bytes.Equal(again, data) {
			t.Fatalf("encoded again:\ngot  %q\nwant %q", again, data)
		}
		if got.Sum() != want.Sum() {
			t.Fatalf("Sum: got %s, want %s", got.Sum(), want.Sum())
		}
		if err := WriteFile(path, want); err != nil {
			t.Fatal(err)
		}
		if got, err = ReadFile(path); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("ReadFile (-want +got):\n%s", diff)
		}
	})
}

func bodySize(f *File) int {
	n := 0
	for _, t := range f.Tensors {
		n += len(t.Data)
	}
	return n
}

// Every byte of the data belongs to one tensor: appending to one must not
// write into the next.
func TestDecodeDataDoNotGrow(t *testing.T) {
	f, err := Decode([]byte(golden))
	if err != nil {
		t.Fatal(err)
	}
	_ = append(f.Tensors["w"].Data, 0xff)
	if got := f.Tensors["b"].Data[0]; got != 1 {
		t.Errorf("got %d, want 1", got)
	}
}

// Encoding does not depend on the order of a map.
func TestEncodeIsDeterministic(t *testing.T) {
	f := &File{Metadata: map[string]string{}, Tensors: map[string]Tensor{}}
	for i := range 50 {
		f.Metadata[fmt.Sprint("k", i)] = fmt.Sprint(i)
		f.Tensors[fmt.Sprint("t", i)] = Tensor{order[i%len(order)], []int{0}, nil}
	}
	want := encode(t, f)
	for range 20 {
		if got := encode(t, f); !bytes.Equal(got, want) {
			t.Fatalf("got  %q\nwant %q", got, want)
		}
	}
}
