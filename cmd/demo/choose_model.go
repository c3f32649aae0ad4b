package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train/data"
)

// described is a model as a checkpoint describes it.
type described struct {
	layers.Layer
	name                    string
	spec                    data.Spec // of the examples that it takes
	channels, height, width int       // of images; 0 where it takes others
	classes                 []string
	text                    *textual // nil where it takes no text
}

// isImages reports whether examples are images.
func isImages(s data.Spec) bool { return s.DType == data.Uint8 && len(s.Shape) == 3 }

// buildFor makes the model of a name, or the usual one where it is "", for examples that
// a spec describes; of text, with its vocabulary.
func buildFor(name string, s data.Spec, text *textual) (string, layers.Layer, error) {
	if s.Targets > 0 {
		return "", nil, fmt.Errorf("%s has numbers to predict, demo tells classes: see the package train", s.Name)
	}
	classes := len(s.Classes)
	switch {
	case isImages(s):
		if name == "" {
			name = "cnn"
		}
		model, err := build(name, s.Shape[0], s.Shape[1], s.Shape[2], classes)
		return name, model, err
	case s.DType == data.Uint32:
		if text == nil {
			return "", nil, fmt.Errorf("%s holds indices without a vocabulary, demo takes those of text", s.Name)
		}
		if name != "" && name != "bag" {
			return "", nil, fmt.Errorf("--model %q, want bag for indices of tokens", name)
		}
		const size = 32
		bag := layers.NewEmbeddingBag(text.terms.Vocabulary.Len(), size, 0)
		bag.Weight.Init = layers.Normal(0.1) // which is learnt sooner than PyTorch's 1
		return "bag", layers.Sequential{bag, layers.NewLinear(size, classes)}, nil
	}
	switch name {
	case "", "mlp":
		return "mlp", layers.Sequential{layers.Flatten{}, layers.NewLinear(s.Size(), 128), layers.ReLU{}, layers.NewLinear(128, classes)}, nil
	case "linear":
		return name, layers.Sequential{layers.Flatten{}, layers.NewLinear(s.Size(), classes)}, nil
	}
	return "", nil, fmt.Errorf("--model %q, want mlp or linear for rows of numbers", name)
}

// standardized puts a first layer with the means and deviations before a model.
func standardized(model layers.Layer, mean, deviation []float32) layers.Layer {
	first := layers.Sequential{layers.NewStandardize(mean, deviation)}
	if rest, ok := model.(layers.Sequential); ok {
		return append(first, rest...)
	}
	return append(first, model)
}

// notes describe a model in its checkpoint, and how its data were read. The means of
// --normalize are arrays of the model.
func (c *choices) notes(s data.Spec) map[string]string {
	n := c.inputs.notes()
	n["model"], n["classes"] = c.model, strings.Join(s.Classes, "\n")
	if isImages(s) {
		for i, name := range []string{"channels", "height", "width"} {
			n[name] = strconv.Itoa(s.Shape[i])
		}
	} else {
		n["width"], n["columns"] = strconv.Itoa(s.Size()), strings.Join(c.columns, "\n")
	}
	if c.normalize {
		n["normalize"] = "channels"
	}
	maps.Copy(n, c.text.notes())
	return n
}

// fromNotes builds the model that a checkpoint's notes describe.
func fromNotes(path string, n map[string]string) (*described, error) {
	d := &described{name: n["model"], classes: strings.Split(n["classes"], "\n")}
	sizes := map[string]*int{"channels": &d.channels, "height": &d.height, "width": &d.width}
	if _, ok := n["channels"]; !ok {
		sizes = map[string]*int{"width": new(int)}
	}
	for name, to := range sizes {
		most := 4096
		if len(sizes) == 1 {
			most = 1 << 24
		}
		v, err := strconv.Atoi(n[name])
		if err != nil || v < 1 || v > most {
			return nil, fmt.Errorf("checkpoint %s: its note %s is %q, want a number of 1 to %d: was it written by demo train?", path, name, n[name], most)
		}
		*to = v
	}
	d.spec = data.Spec{Name: "the model", Shape: []int{d.channels, d.height, d.width}, DType: data.Uint8, Classes: d.classes}
	var err error
	if d.text, err = textFromNotes(path, n); err != nil {
		return nil, err
	}
	held := int64(d.channels) * int64(d.height) * int64(d.width)
	if len(sizes) == 1 {
		d.spec.Shape, d.spec.DType = []int{*sizes["width"]}, data.Float32
		held = int64(*sizes["width"])
		if d.text != nil && d.text.length > 0 {
			d.spec.DType, held = data.Uint32, 32*int64(d.text.terms.Vocabulary.Len())
		}
	}
	// A model is larger than an image: a small file that speaks of large ones is
	// refused before memory is asked for.
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if len(d.classes) > 1<<16 || 4*held > info.Size() {
		return nil, fmt.Errorf("checkpoint %s: %d bytes cannot hold a model for inputs of %v and %d classes", path, info.Size(), d.spec.Shape, len(d.classes))
	}
	if _, d.Layer, err = buildFor(d.name, d.spec, d.text); err != nil {
		return nil, err
	}
	if n["normalize"] != "" { // by numbers that come with the weights
		one := slices.Repeat([]float32{1}, d.spec.Shape[0])
		d.Layer = standardized(d.Layer, one, one)
	}
	return d, nil
}
