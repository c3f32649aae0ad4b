package layers

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/safetensors"
)

// held is a layer of given parameters, for the files alone.
type held []*compute.Param

func (held) Forward(_ *compute.Tape, x *compute.Tensor) *compute.Tensor { return x }

func (h held) Walk(visit func(name string, p *compute.Param)) {
	for _, p := range h {
		visit(p.Name, p)
	}
}

func newHeld() held {
	w := &compute.Param{Name: "weight", Shape: []int{2, 3}, Data: []float32{1, -2, 3e-40, float32(math.Inf(1)), 5, 6}}
	n := &compute.Param{Name: "counts", Shape: []int{2}, Ints: []uint32{7, math.MaxUint32}, Frozen: true}
	return held{w, n}
}

func TestSaveLoad(t *testing.T) {
	from, path := newHeld(), filepath.Join(t.TempDir(), "model.safetensors")
	if err := SaveFile(path, Sequential{ReLU{}, from}); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := Save(&b, Sequential{ReLU{}, from}); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(data, b.Bytes()) {
		t.Error("Save and SaveFile differ")
	}
	loads := map[string]func(model Layer) error{
		"Load":     func(model Layer) error { return Load(data, "embedded", model) },
		"LoadFile": func(model Layer) error { return LoadFile(path, model) },
	}
	for name, load := range loads {
		to := newHeld()
		clear(to[0].Data)
		clear(to[1].Ints)
		if err := load(Sequential{ReLU{}, to}); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(to[0].Data, from[0].Data) || !slices.Equal(to[1].Ints, from[1].Ints) {
			t.Errorf("%s: got %v %v, want %v %v", name, to[0].Data, to[1].Ints, from[0].Data, from[1].Ints)
		}
	}
}

func TestLoadIsStrict(t *testing.T) {
	floats := func(shape ...int) safetensors.Tensor {
		return safetensors.FromFloat32(shape, make([]float32, compute.Elements(shape)))
	}
	counts := safetensors.FromUint32([]int{2}, []uint32{1, 2})
	for _, c := range []struct {
		name    string
		tensors map[string]safetensors.Tensor
		want    string
	}{
		{"missing", map[string]safetensors.Tensor{"weight": floats(2, 3)}, `no tensor "counts"; the file has weight`},
		{"nothing", nil, `no tensor "counts"; the file has none`},
		{"unexpected", map[string]safetensors.Tensor{"weight": floats(2, 3), "counts": counts, "bias": floats(3)}, `tensor "bias" is not in the model, which has counts, weight`},
		{"shape", map[string]safetensors.Tensor{"weight": floats(3, 2), "counts": counts}, `tensor "weight" has shape [3 2], want [2 3]`},
		{"type", map[string]safetensors.Tensor{"weight": floats(2, 3), "counts": floats(2)}, `tensor "counts": safetensors: Uint32: dtype F32, want U32, I32, U64 or I64`},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "model.safetensors")
			if err := safetensors.WriteFile(path, &safetensors.File{Tensors: c.tensors}); err != nil {
				t.Fatal(err)
			}
			model, before := newHeld(), newHeld()
			err := LoadFile(path, model)
			if want := "layers: LoadFile: " + path + ": " + c.want; err == nil || err.Error() != want {
				t.Errorf("got error %v, want %s", err, want)
			}
			if !slices.Equal(model[0].Data, before[0].Data) || !slices.Equal(model[1].Ints, before[1].Ints) {
				t.Errorf("the model changed: %v %v", model[0].Data, model[1].Ints)
			}
		})
	}
	err := Load([]byte("short"), "embedded", newHeld())
	if err == nil || !strings.HasPrefix(err.Error(), "layers: Load: embedded: safetensors: ") {
		t.Errorf("got error %v, want one of safetensors that names embedded", err)
	}
	missing := filepath.Join(t.TempDir(), "missing")
	if err := LoadFile(missing, newHeld()); err == nil || strings.Count(err.Error(), missing) == 0 {
		t.Errorf("got error %v, want one that names %s", err, missing)
	}
	twice := held{newHeld()[0], newHeld()[0]}
	panics(t, `layers: Save: two parameters are named "weight"`, func() { SaveFile("unused", twice) })
}

func TestLoadPyTorchBatchCounts(t *testing.T) {
	f := &safetensors.File{Tensors: map[string]safetensors.Tensor{
		"weight":                 safetensors.FromFloat32([]int{2, 3}, []float32{1, 2, 3, 4, 5, 6}),
		"counts":                 safetensors.FromUint32([]int{2}, []uint32{1, 2}),
		"bn.num_batches_tracked": {DType: safetensors.I64, Shape: []int{}, Data: make([]byte, 8)},
	}}
	var b bytes.Buffer
	if err := f.Encode(&b); err != nil {
		t.Fatal(err)
	}
	model := newHeld()
	if err := Load(b.Bytes(), "state", model); err != nil || model[0].Data[5] != 6 {
		t.Errorf("got %v and %v, want no error and the file's values", err, model[0].Data)
	}
}
