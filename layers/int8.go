package layers

import (
	"fmt"
	"math"
	"slices"

	"github.com/pumice-ml/pumice/compute"
)

// Quantizer is a layer that can be had with int8 weights, or that holds such layers.
type Quantizer interface {
	// Quantize returns the layer for inference with int8 weights, made from the host's
	// values. An error says which weight is not finite.
	Quantize() (Layer, error)
}

// Quantize returns the model for inference with int8 weights: of Linear and Conv2D
// layers, and those in Sequential and Residual, each output channel has weights
//
//	w = scale * q, with q a whole number from -127 to 127 and scale = max|w| / 127
//
// rounded to the nearest q, ties to even, so that a weight is off by at most half of its
// channel's scale. Four take the place of one float32; sums are of float32, and inputs
// and biases stay as they are. Other layers, and their parameters, are those of
// model. It takes the host's values: after training on a device call Device.Download
// first. It returns an error where a weight is not finite.
func Quantize(model Layer) (Layer, error) {
	if q, ok := model.(Quantizer); ok {
		return q.Quantize()
	}
	return model, nil
}

// Quantize is Quantize of all layers.
func (s Sequential) Quantize() (Layer, error) {
	var out Sequential
	for i, l := range s {
		q, err := Quantize(l)
		if err != nil {
			return nil, fmt.Errorf("layer %d: %w", i, err)
		}
		out = append(out, q)
	}
	return out, nil
}

// Quantize is Quantize of body and shortcut.
func (l Residual) Quantize() (Layer, error) {
	body, err := Quantize(l.Body)
	if err != nil {
		return nil, fmt.Errorf("body: %w", err)
	}
	out := Residual{Body: body}
	if l.Shortcut != nil {
		if out.Shortcut, err = Quantize(l.Shortcut); err != nil {
			return nil, fmt.Errorf("shortcut: %w", err)
		}
	}
	return out, nil
}

// int8Weights are the rows of weights, each quantized with a scale of its own. Rows that
// no normal float32 is a scale of are zeros.
type int8Weights struct {
	q     [][]int8
	scale []float32
}

func quantizeRows(layer string, weight []float32, rows int) (w int8Weights, err error) {
	size := len(weight) / max(rows, 1)
	for i := range rows {
		row := weight[i*size:][:size]
		most := 0.0
		for j, v := range row {
			if x := math.Abs(float64(v)); x <= math.MaxFloat32 {
				most = max(most, x)
			} else {
				return w, fmt.Errorf("layers: Quantize: %s: weight %d of output channel %d is %v, want a finite number", layer, j, i, v)
			}
		}
		scale, q := float32(most/127), make([]int8, size)
		if scale < smallest {
			scale = 0
		} else {
			for j, v := range row {
				q[j] = int8(min(max(math.RoundToEven(float64(v)/float64(scale)), -127), 127))
			}
		}
		w.q, w.scale = append(w.q, q), append(w.scale, scale)
	}
	return w, nil
}

// pack is four bytes, or fewer, as one number, the first in the lowest bits.
func pack(q []int8) (word uint32) {
	for i, v := range q {
		word |= uint32(uint8(v)) << (8 * i)
	}
	return word
}

// unpack is byte i of a number that pack made.
func unpack(word uint32, i int) float64 { return float64(int8(word >> (8 * i))) }

// frozen returns a parameter of the values that no training changes.
func frozen(name string, values []float32) *compute.Param {
	return &compute.Param{Name: name, Shape: []int{len(values)}, Data: slices.Clone(values), Frozen: true}
}

// inferenceOnly panics where a tape trains, or takes gradients.
func inferenceOnly(t *compute.Tape, layer string) {
	refuse := func() { panic(fmt.Sprintf("layers: %s: int8 weights are for inference and have no gradient", layer)) }
	if t.Training {
		refuse()
	}
	t.OnBackward(refuse)
}

// int8Model bounds b + scale * the sum of so many products: a product, the additions, the
// scale and the bias round a term terms+2 times, and what is flushed of the sum is
// scaled. The magnitudes are in y, tensor number 4, and the scales in number 2.
func int8Model[P any](terms func(p P) int, channel func(p P, i int) int, magnitudes func(p P, b [][]float64)) compute.Model {
	return compute.Func(func(r *compute.Reference32) [][]float64 {
		p := r.Params.(P)
		b := slices.Clone(r.In)
		b[4] = make([]float64, len(r.In[4]))
		magnitudes(p, b)
		n := float64(terms(p))
		for i, m := range b[4] {
			b[4][i] = compute.Gamma(n+2)*m + (2*n*math.Abs(r.In[2][channel(p, i)])+2)*smallest
		}
		return [][]float64{nil, nil, nil, nil, b[4]}
	})
}
