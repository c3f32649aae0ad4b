package safetensors

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"
)

// The sum of the golden file is that of its bytes without the metadata.
func TestSum(t *testing.T) {
	const bare = "\x70\x00\x00\x00\x00\x00\x00\x00" +
		`{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},` +
		`"b":{"dtype":"U8","shape":[1,3],"data_offsets":[8,11]}}` + "   " +
		"\x00\x00\x80\x3f\x00\x00\x00\xc0" +
		"\x01\x02\x03"
	want := fmt.Sprintf("%x", sha256.Sum256([]byte(bare)))
	if got := goldenFile().Sum(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestSeal(t *testing.T) {
	f := &File{Tensors: goldenFile().Tensors}
	if err := f.CheckSeal(); !errors.Is(err, ErrUnsealed) {
		t.Fatalf("without a seal: got %v, want ErrUnsealed", err)
	}
	f.Seal()
	f.Metadata["step"] = "7"
	got, err := Decode(encode(t, f))
	if err != nil {
		t.Fatal(err)
	}
	if err := got.CheckSeal(); err != nil {
		t.Fatalf("sealed: got %v, want nil", err)
	}
	for _, c := range []struct {
		name   string
		change func(f *File)
	}{
		{"bit", func(f *File) { f.Tensors["b"].Data[2] ^= 0x80 }},
		{"shape", func(f *File) { f.Tensors["b"] = Tensor{U8, []int{3, 1}, f.Tensors["b"].Data} }},
		{"dtype", func(f *File) { f.Tensors["b"] = Tensor{I8, []int{1, 3}, f.Tensors["b"].Data} }},
		{"name", func(f *File) { f.Tensors["c"] = f.Tensors["b"]; delete(f.Tensors, "b") }},
		{"missing", func(f *File) { delete(f.Tensors, "b") }},
		{"more", func(f *File) { f.Tensors["c"] = Tensor{U8, []int{0}, nil} }},
		{"seal", func(f *File) { f.Metadata["sha256"] = "" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, err := Decode(encode(t, f))
			if err != nil {
				t.Fatal(err)
			}
			c.change(g)
			if err := g.CheckSeal(); !errors.Is(err, ErrSeal) || errors.Is(err, ErrUnsealed) {
				t.Errorf("got %v, want ErrSeal", err)
			}
		})
	}
}

func TestCheckSealOfImpossibleFile(t *testing.T) {
	f := &File{map[string]string{"sha256": ""}, map[string]Tensor{"w": {}}}
	if err := f.CheckSeal(); err == nil || errors.Is(err, ErrSeal) {
		t.Errorf("got %v, want an error about the tensor", err)
	}
	defer func() {
		if recover() == nil {
			t.Error("Sum: got no panic, want one")
		}
	}()
	f.Sum()
}
