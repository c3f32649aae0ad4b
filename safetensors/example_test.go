package safetensors_test

import (
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	"github.com/pumice-ml/pumice/safetensors"
)

func Example() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "model.safetensors")

	out := &safetensors.File{Tensors: map[string]safetensors.Tensor{
		"fc.weight": safetensors.FromFloat32([]int{2, 3}, []float32{1, 2, 3, 4, 5, 6}),
		"fc.bias":   safetensors.FromFloat32([]int{2}, []float32{0.5, -0.5}),
	}}
	out.Seal()
	if err := safetensors.WriteFile(path, out); err != nil {
		log.Fatal(err)
	}

	in, err := safetensors.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	if err := in.CheckSeal(); err != nil {
		log.Fatal(err)
	}
	weight, err := in.Tensors["fc.weight"].Float32()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(in.Tensors["fc.weight"].DType, in.Tensors["fc.weight"].Shape, weight)
	// Output: F32 [2 3] [1 2 3 4 5 6]
}

func ExampleDecode_malformed() {
	_, err := safetensors.Decode([]byte("\x38\x00\x00\x00\x00\x00\x00\x00" +
		`{"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,8]}}` + "12345678"))
	fmt.Println(err)
	// Output: safetensors: Decode: malformed safetensors file: offset 57: tensor "w": got data_offsets [0,8], want 24 bytes for 6 elements of F32
}

func ExampleWriteDurable() {
	path := filepath.Join(os.TempDir(), "pumice-example-history.csv")
	defer os.Remove(path)
	err := safetensors.WriteDurable(path, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, "epoch,loss")
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(string(text))
	// Output: epoch,loss
}
