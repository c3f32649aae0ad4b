package train

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/safetensors"
)

// readCheckpoint reads a checkpoint and checks its format and checksum.
func readCheckpoint(path string) (*safetensors.File, error) {
	f, err := safetensors.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("train: checkpoint: %w", err)
	}
	if got := f.Metadata["format"]; got != checkpointFormat {
		return nil, fmt.Errorf("train: checkpoint %s: format is %q, want %q", path, got, checkpointFormat)
	}
	if err := f.CheckSeal(); err != nil {
		return nil, fmt.Errorf("train: checkpoint %s: %w", path, err)
	}
	return f, nil
}

// setArrays copies tensors of the file to the arrays of the same names. Unless
// every name, shape and type fits, nothing is changed.
func setArrays(path string, f *safetensors.File, arrays map[string]*compute.Param, all bool) error {
	var wrong []string
	for name, p := range arrays {
		t, ok := f.Tensors[name]
		dtype := safetensors.DType("F32")
		if p.Ints != nil {
			dtype = "U32"
		}
		switch {
		case !ok:
			wrong = append(wrong, fmt.Sprintf("%s is missing, want %s%v", name, dtype, p.Shape))
		case t.DType != dtype || !slices.Equal(t.Shape, p.Shape):
			wrong = append(wrong, fmt.Sprintf("%s is %s%v, want %s%v", name, t.DType, t.Shape, dtype, p.Shape))
		}
	}
	first := map[*compute.Param]string{}
	for _, name := range slices.Sorted(maps.Keys(arrays)) {
		p := arrays[name]
		if other, ok := first[p]; !ok {
			first[p] = name
		} else if !bytes.Equal(f.Tensors[name].Data, f.Tensors[other].Data) {
			wrong = append(wrong, fmt.Sprintf("%s and %s differ, and are one parameter of this model", other, name))
		}
	}
	for name := range f.Tensors {
		state := slices.ContainsFunc([]string{"optimizer.", "train.", "ema.", "best."}, func(p string) bool { return strings.HasPrefix(name, p) })
		if _, ok := arrays[name]; !ok && (all || !state) {
			wrong = append(wrong, fmt.Sprintf("%s is not part of this model", name))
		}
	}
	if len(wrong) > 0 {
		slices.Sort(wrong)
		return fmt.Errorf("train: checkpoint %s does not fit: %s", path, strings.Join(wrong, "; "))
	}
	for name, p := range arrays {
		t := f.Tensors[name]
		var err error
		if p.Ints != nil {
			var v []uint32
			v, err = t.Uint32()
			copy(p.Ints, v)
		} else {
			var v []float32
			v, err = t.Float32()
			copy(p.Data, v)
		}
		if err != nil {
			return errors.Join(fmt.Errorf("train: checkpoint %s: %s", path, name), err)
		}
	}
	return nil
}

// Notes returns what the loop that wrote a checkpoint had in Loop.Notes and
// Loop.Source.
func Notes(path string) (notes map[string]string, source string, err error) {
	f, err := readCheckpoint(path)
	if err != nil {
		return nil, "", err
	}
	return notesOf(f), f.Metadata["source"], nil
}

func notesOf(f *safetensors.File) map[string]string {
	notes := map[string]string{}
	for k, v := range f.Metadata {
		if name, ok := strings.CutPrefix(k, "note."); ok {
			notes[name] = v
		}
	}
	return notes
}

// Saved returns the step of the whole run at which a checkpoint was written. The error
// of a file that is not there wraps fs.ErrNotExist.
func Saved(path string) (step int, err error) {
	f, err := readCheckpoint(path)
	if err != nil {
		return 0, err
	}
	if step, err = strconv.Atoi(f.Metadata["step"]); err != nil {
		return 0, fmt.Errorf("train: checkpoint %s: step %q, want a number", path, f.Metadata["step"])
	}
	return step, nil
}

// LoadModel sets the parameters of a model from a checkpoint: to the weights, or what
// stands for them at that point of the run, the averages of EMA.Use, or at its end the
// best of EarlyStopping.Restore. Every parameter
// must be there with its shape, and nothing but the trainer's own state may be
// there besides; otherwise the error names what does not fit and the model is
// unchanged.
func LoadModel(path string, model layers.Layer) error {
	f, err := readCheckpoint(path)
	if err != nil {
		return err
	}
	arrays, instead := map[string]*compute.Param{}, map[*compute.Param]safetensors.Tensor{}
	for name, p := range layers.Params(model) {
		arrays[name] = p
		if prefix := f.Metadata["weights"]; prefix != "" {
			if t, ok := f.Tensors[prefix+name]; ok {
				instead[p] = t // which of its names has it, where it has several
			}
		}
	}
	for name, p := range arrays {
		if t, ok := instead[p]; ok {
			f.Tensors[name] = t
		}
	}
	return setArrays(path, f, arrays, false)
}
