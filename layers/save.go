package layers

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/safetensors"
)

// Save writes the model's parameters as a safetensors file, under the names of a
// PyTorch state dict. It takes the host's values: after training on a device
// call Device.Download first. It panics where two parameters have one name.
func Save(w io.Writer, model Layer) error {
	if err := file(model).Encode(w); err != nil {
		return fmt.Errorf("layers: Save: %w", err)
	}
	return nil
}

// SaveFile is Save to the file at path, which holds its old content or all of
// the new at any moment (see safetensors.WriteDurable).
func SaveFile(path string, model Layer) error {
	if err := safetensors.WriteFile(path, file(model)); err != nil {
		return fmt.Errorf("layers: SaveFile: %w", err)
	}
	return nil
}

// Load reads the model's parameters from the bytes of a safetensors file, one
// that Save wrote or a PyTorch state dict; name stands for the file in errors.
// It returns an error, and leaves the model as it was, unless the file holds
// exactly the model's parameters, each in its shape. Element types other than
// F32 are converted. PyTorch's num_batches_tracked, which no layer here needs,
// may be there, and so may the state of training in a checkpoint of package train.
// Where a device holds the parameters call Device.Upload after.
func Load(data []byte, name string, model Layer) error {
	f, err := safetensors.Decode(data)
	if err == nil {
		err = load(f, model)
	}
	if err != nil {
		return fmt.Errorf("layers: Load: %s: %w", name, err)
	}
	return nil
}

// LoadFile is Load from the file at path.
func LoadFile(path string, model Layer) error {
	f, err := safetensors.ReadFile(path)
	if err != nil {
		return fmt.Errorf("layers: LoadFile: %w", err)
	}
	if err := load(f, model); err != nil {
		return fmt.Errorf("layers: LoadFile: %s: %w", path, err)
	}
	return nil
}

// named collects the model's parameters by name.
func named(op string, model Layer) map[string]*compute.Param {
	all := map[string]*compute.Param{}
	for name, p := range Params(model) {
		if other, ok := all[name]; ok && other != p {
			panic(fmt.Sprintf("layers: %s: two parameters are named %q", op, name))
		}
		all[name] = p
	}
	return all
}

func file(model Layer) *safetensors.File {
	f := &safetensors.File{Tensors: map[string]safetensors.Tensor{}}
	for name, p := range named("Save", model) {
		if p.DType() == compute.U32 {
			f.Tensors[name] = safetensors.FromUint32(p.Shape, p.Ints)
		} else {
			f.Tensors[name] = safetensors.FromFloat32(p.Shape, p.Data)
		}
	}
	return f
}

// load checks all of f before it changes anything.
func load(f *safetensors.File, model Layer) error {
	params := named("Load", model)
	for _, name := range slices.Sorted(maps.Keys(f.Tensors)) {
		if _, ok := params[name]; !ok && !idle(f, name) {
			return fmt.Errorf("tensor %q is not in the model, which has %s", name, list(params))
		}
	}
	floats, ints := map[*compute.Param][]float32{}, map[*compute.Param][]uint32{}
	for _, name := range slices.Sorted(maps.Keys(params)) {
		p := params[name]
		x, ok := f.Tensors[name]
		if !ok {
			return fmt.Errorf("no tensor %q; the file has %s", name, list(f.Tensors))
		}
		if !slices.Equal(x.Shape, p.Shape) {
			return fmt.Errorf("tensor %q has shape %v, want %v", name, x.Shape, p.Shape)
		}
		var err error
		if p.DType() == compute.U32 {
			ints[p], err = x.Uint32()
		} else {
			floats[p], err = x.Float32()
		}
		if err != nil {
			return fmt.Errorf("tensor %q: %w", name, err)
		}
	}
	for p, v := range floats {
		copy(p.Data, v)
	}
	for p, v := range ints {
		copy(p.Ints, v)
	}
	return nil
}

// idle reports whether a tensor without a parameter may be there.
func idle(f *safetensors.File, name string) bool {
	state := strings.HasPrefix(name, "optimizer.") || strings.HasPrefix(name, "train.")
	return strings.HasSuffix(name, "num_batches_tracked") || state && strings.HasPrefix(f.Metadata["format"], "pumice.checkpoint.")
}

// list names what is there, the first few.
func list[V any](all map[string]V) string {
	names := slices.Sorted(maps.Keys(all))
	const most = 6
	if len(names) == 0 {
		return "none"
	}
	if more := len(names) - most; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), more)
	}
	return strings.Join(names, ", ")
}
