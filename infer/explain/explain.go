// Package explain shows what a classifier of images looks at: the output of each of
// its layers for one image, the gradient of a class with respect to the pixels, and
// Grad-CAM. All of it is computed on the device that runs the model.
//
//	e, err := explain.Open(dev, model, 1, 28, 28) // channels, height, width
//	defer e.Close()
//	x, err := e.Explain(ctx, pixels, explain.Likeliest)
//	fmt.Println(x.Class, x.Probabilities[x.Class], x.Saliency.At(14, 14))
//
// A model is taken as it is for inference: dropout is left out and BatchNorm uses its
// running statistics, so that what is explained is what infer.Session predicts.
package explain

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/infer"
	"github.com/pumice-ml/pumice/layers"
)

// Likeliest, as a class, stands for the one with the highest probability.
const Likeliest = -1

// Explainer is a classifier compiled for a device together with its gradients. It is
// safe for several goroutines, which take turns. Close frees everything it holds but
// the device.
type Explainer struct {
	dev     *compute.Device
	params  []*compute.Param // those that the device did not hold before
	program *compute.Program
	recording

	mu sync.Mutex
}

// Explanation is what a model makes of one image.
type Explanation struct {
	Class         int       // whose logit Saliency and GradCAM are of
	Logits        []float32 // of all classes
	Probabilities []float32 // the softmax of Logits
	// Layers are the outputs of the model's layers, in order; those of a Sequential
	// inside another stand in its place.
	Layers []Activation
	// Gradient is d logit / d pixel, of the image's shape.
	Gradient []float32
	// Saliency is the largest |Gradient| of the channels at each pixel (Simonyan et
	// al. 2013): logits per unit of brightness.
	Saliency Map
	// GradCAM is the class-discriminative localisation map of Selvaraju et al. (2017)
	// in the image's size, in logits for each element of an average map:
	//
	//	max(sum_k a_k A_k, 0), with a_k = the mean of d logit / d A_k over the map
	//
	// for the maps A_k of layer Target, upsampled bilinearly. It has no values where
	// the model has no convolution.
	GradCAM Map
	// Target is the index in Layers of the maps that GradCAM weighs: the last layer
	// that is or holds a convolution, or one of those after it that keep its shape
	// (normalisation, activation), the last one; -1 where there is none.
	Target int
}

// Activation is the output of a layer.
type Activation struct {
	Layer  string    // its place and name, such as "3 Conv2D(8, 32, 5x5)"
	Shape  []int     // without the batch: (channels, height, width) of maps
	Values []float32 // row-major
	Conv   bool      // whether the layer is or holds a convolution
}

// Maps is the number of the activation's maps, 0 where it has none.
func (a Activation) Maps() int {
	if len(a.Shape) != 3 {
		return 0
	}
	return a.Shape[0]
}

// Map is one of the activation's maps. It panics where channel is not in [0, Maps).
func (a Activation) Map(channel int) Map {
	if channel < 0 || channel >= a.Maps() {
		panic(fmt.Sprintf("explain: map %d of %s, want [0, %d)", channel, a.Layer, a.Maps()))
	}
	h, w := a.Shape[1], a.Shape[2]
	return Map{h, w, a.Values[channel*h*w:][:h*w]}
}

// Map is one number for each pixel, row-major.
type Map struct {
	Height, Width int
	Values        []float32
}

// At is the number at a row and a column. It panics outside of the map.
func (m Map) At(row, column int) float32 {
	if row < 0 || row >= m.Height || column < 0 || column >= m.Width {
		panic(fmt.Sprintf("explain: row %d, column %d of a map of %dx%d", row, column, m.Height, m.Width))
	}
	return m.Values[row*m.Width+column]
}

// Open compiles a model, with its parameters as they are on the device, or on the
// host where the device has none of them, for images of (channels, height, width). A
// Sequential is taken apart into its layers; another layer counts as one. Errors are
// those of package compute. It panics where the shape is not one of three positive
// sizes, and where a layer has no gradient (int8 weights) or does not take its input.
func Open(dev *compute.Device, model layers.Layer, shape ...int) (*Explainer, error) {
	if len(shape) != 3 || slices.Min(shape) < 1 {
		panic(fmt.Sprintf("explain: Open: images of shape %v, want (channels, height, width)", shape))
	}
	if dev == nil {
		return nil, fmt.Errorf("explain: Open: no device")
	}
	e := &Explainer{dev: dev}
	for _, p := range layers.Params(model) {
		if !dev.Holds(p) {
			e.params = append(e.params, p)
		}
	}
	e.recording = record(compute.NewTape(dev), model, shape)
	var err error
	if e.program, err = e.tape.Compile(); err != nil {
		e.dev.Forget(e.params...)
		return nil, fmt.Errorf("explain: Open: %w", err)
	}
	return e, nil
}

// Close frees the program and the copies of the model's parameters that Open brought
// to the device. It may be called twice.
func (e *Explainer) Close() error {
	err := e.program.Close()
	e.dev.Forget(e.params...)
	return err
}

// Explain explains one image, row-major, for a class or the Likeliest. Errors wrap
// infer.ErrInput, infer.ErrClosed, the context's error or those of package compute.
func (e *Explainer) Explain(ctx context.Context, pixels []float32, class int) (*Explanation, error) {
	if len(pixels) != e.x.Len() {
		return nil, fmt.Errorf("explain: %d numbers, want %d for an image of %v: %w", len(pixels), e.x.Len(), e.x.Shape()[1:], infer.ErrInput)
	}
	classes := e.logits.Len()
	if class < Likeliest || class >= classes {
		return nil, fmt.Errorf("explain: class %d, the model has 0 to %d: %w", class, classes-1, infer.ErrInput)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	x, err := e.explain(ctx, pixels, class)
	if err != nil {
		return nil, fmt.Errorf("explain: %w", err)
	}
	return x, nil
}

func (e *Explainer) explain(ctx context.Context, pixels []float32, class int) (*Explanation, error) {
	x := &Explanation{Class: class, Target: e.target}
	if err := e.program.Write(e.x, pixels); err != nil {
		return nil, err
	}
	if class == Likeliest {
		if err := e.run(ctx, 0); err != nil {
			return nil, err
		}
		logits, err := e.read(ctx, e.logits)
		if err != nil {
			return nil, err
		}
		for i, v := range logits {
			if v > logits[max(x.Class, 0)] || i == 0 {
				x.Class = i
			}
		}
	}
	if err := e.run(ctx, x.Class); err != nil {
		return nil, err
	}
	var err error
	if x.Logits, err = e.read(ctx, e.logits); err != nil {
		return nil, err
	}
	x.Probabilities = softmax(x.Logits)
	for _, o := range e.outputs {
		a := Activation{Layer: o.name, Shape: slices.Clone(o.y.Shape()[1:]), Conv: o.conv}
		if a.Values, err = e.read(ctx, o.y); err != nil {
			return nil, err
		}
		x.Layers = append(x.Layers, a)
	}
	if x.Gradient, err = e.read(ctx, e.dx); err != nil {
		return nil, err
	}
	x.Saliency = saliency(x.Gradient, e.x.Shape()[1:])
	if e.cam != nil {
		x.GradCAM = Map{Height: e.x.Dim(2), Width: e.x.Dim(3)}
		x.GradCAM.Values, err = e.read(ctx, e.cam)
	}
	return x, err
}

// run runs the model and the gradient of a class.
func (e *Explainer) run(ctx context.Context, class int) error {
	pick := make([]float32, e.pick.Len())
	pick[class] = 1
	if err := e.program.Write(e.pick, pick); err != nil {
		return err
	}
	return e.program.Run(ctx)
}

func (e *Explainer) read(ctx context.Context, x *compute.Tensor) ([]float32, error) {
	v := make([]float32, x.Len())
	return v, e.program.Read(ctx, x, v)
}

func softmax(logits []float32) []float32 {
	most, sum := math.Inf(-1), 0.0
	for _, v := range logits {
		most = max(most, float64(v))
	}
	for _, v := range logits {
		sum += math.Exp(float64(v) - most)
	}
	p := make([]float32, len(logits))
	for i, v := range logits {
		p[i] = float32(math.Exp(float64(v)-most) / sum)
	}
	return p
}

// saliency is the largest magnitude of the channels of a gradient (c, h, w).
func saliency(gradient []float32, shape []int) Map {
	m := Map{shape[1], shape[2], make([]float32, shape[1]*shape[2])}
	for i, d := range gradient {
		at := i % len(m.Values)
		m.Values[at] = max(m.Values[at], float32(math.Abs(float64(d))))
	}
	return m
}
