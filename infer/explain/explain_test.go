package explain

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/diff/fd"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/infer"
	"github.com/pumice-ml/pumice/layers"
)

// models are classifiers of three classes, with the index of the layer that Grad-CAM
// weighs.
func models() map[string]struct {
	model  layers.Layer
	shape  []int
	target int
} {
	norm := layers.NewBatchNorm2D(5)
	for i := range 5 {
		norm.RunningMean.Data[i], norm.RunningVar.Data[i] = 0.1*float32(i), 0.5+0.25*float32(i)
	}
	type m = struct {
		model  layers.Layer
		shape  []int
		target int
	}
	return map[string]m{
		"cnn": {layers.Sequential{
			layers.NewConv2D(2, 4, 3), layers.Tanh{}, layers.AvgPool2D{Size: 2},
			layers.NewConv2D(4, 5, 3), norm, layers.GELU{}, layers.Dropout{P: 0.5}, layers.MaxPool2D{Size: 2},
			layers.Flatten{}, layers.NewLinear(10, 3),
		}, []int{2, 10, 15}, 6},
		"nested": {layers.Sequential{
			layers.Sequential{layers.NewConv2D(1, 3, 3), layers.ReLU{}},
			layers.Residual{Body: layers.Sequential{layers.NewConv2D(3, 3, 1), layers.SiLU{}}},
			layers.GlobalAvgPool{}, layers.Flatten{}, layers.NewLinear(3, 3),
		}, []int{1, 6, 7}, 2},
		"mlp": {layers.Sequential{layers.Flatten{}, layers.NewLinear(35, 8), layers.Sigmoid{}, layers.NewLinear(8, 3)}, []int{1, 5, 7}, -1},
	}
}

// noise is an image of distinct brightnesses.
func noise(shape []int) []float32 {
	x := make([]float32, compute.Elements(shape))
	for i := range x {
		x[i] = compute.Uniform(compute.RandomBits(3, 1, 0, uint32(i))[0])
	}
	return x
}

// TestGradient compares the gradient of each class with central differences of its
// logit, in float64 on the reference device.
func TestGradient(t *testing.T) {
	const step = 1e-6
	ctx := context.Background()
	for name, c := range models() {
		t.Run(name, func(t *testing.T) {
			layers.Initialize(c.model, 2)
			dev := compute.Reference()
			defer dev.Close()
			e, err := Open(dev, c.model, c.shape...)
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			if e.target != c.target {
				t.Fatalf("target is layer %d of %d, want %d", e.target, len(e.outputs), c.target)
			}
			if err := e.program.Write(e.x, noise(c.shape)); err != nil {
				t.Fatal(err)
			}
			at := devicetest.Get64(e.program, e.x)
			for class := range 3 {
				logit := func() float64 {
					if err := e.run(ctx, class); err != nil {
						t.Fatal(err)
					}
					return devicetest.Get64(e.program, e.logits)[class]
				}
				size := math.Abs(logit()) + 1
				got := devicetest.Get64(e.program, e.dx)
				largest := slices.Max(got) - slices.Min(got)
				if largest < 1e-6 {
					t.Fatalf("class %d: the gradient is %v", class, got[:3])
				}
				// What a logit is rounded by over the step, and the third derivative.
				bound := size*0x1p-46/step + 1e-6*largest
				for i := range at {
					want := fd.Derivative(func(v float64) float64 {
						moved := slices.Clone(at)
						moved[i] = v
						devicetest.Set64(e.program, e.x, moved)
						return logit()
					}, at[i], &fd.Settings{Formula: fd.Central, Step: step})
					devicetest.Set64(e.program, e.x, at)
					if off := math.Abs(got[i] - want); !(off <= bound) {
						t.Errorf("class %d, pixel %d: gradient %v, want %v within %.3g", class, i, got[i], want, bound)
					}
				}
			}
		})
	}
}

// TestDefinition computes Grad-CAM again by its formula, with the gradient of the maps
// from the rest of the model by central differences.
func TestDefinition(t *testing.T) {
	const step = 1e-6
	ctx := context.Background()
	dev := compute.Reference()
	defer dev.Close()
	c := models()["cnn"]
	layers.Initialize(c.model, 2)
	e, err := Open(dev, c.model, c.shape...)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := errors.Join(e.program.Write(e.x, noise(c.shape)), e.run(ctx, 0)); err != nil {
		t.Fatal(err)
	}
	maps, target := devicetest.Get64(e.program, e.outputs[c.target].y), e.outputs[c.target].y.Shape()
	rest := compute.NewTape(dev)
	in := rest.Input("maps", compute.F32, target...)
	logits := c.model.(layers.Sequential)[c.target+1:].Forward(rest, in)
	rest.Keep(logits)
	p, err := rest.Compile()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	size, cut := target[2]*target[3], 0
	for class := range 3 {
		sum := make([]float64, size)
		for k := range target[1] {
			mean := 0.0
			for i := range size {
				mean += fd.Derivative(func(v float64) float64 {
					moved := slices.Clone(maps)
					moved[k*size+i] = v
					devicetest.Set64(p, in, moved)
					if err := p.Run(ctx); err != nil {
						t.Fatal(err)
					}
					return devicetest.Get64(p, logits)[class]
				}, maps[k*size+i], &fd.Settings{Formula: fd.Central, Step: step}) / float64(size)
			}
			for i := range size {
				sum[i] += mean * maps[k*size+i]
			}
		}
		if err := e.run(ctx, class); err != nil {
			t.Fatal(err)
		}
		small := devicetest.Get64(e.program, e.small)
		for i, v := range sum {
			if v < 0 {
				cut++
			}
			// Central differences are off by their rounding over the step.
			if want := max(v, 0); math.Abs(small[i]-want) > 0x1p-46/step {
				t.Errorf("class %d, cell %d: %v, want %v", class, i, small[i], want)
			}
		}
		// Bilinear interpolation between the centres of cells.
		whole := devicetest.Get64(e.program, e.cam)
		height, width, h, w := c.shape[1], c.shape[2], target[2], target[3]
		for y := range height {
			for x := range width {
				fy := min(max((float64(y)+0.5)*float64(h)/float64(height)-0.5, 0), float64(h-1))
				fx := min(max((float64(x)+0.5)*float64(w)/float64(width)-0.5, 0), float64(w-1))
				want := 0.0
				for i, v := range small {
					want += v * max(0, 1-math.Abs(float64(i/w)-fy)) * max(0, 1-math.Abs(float64(i%w)-fx))
				}
				// The four weights are products of two float32 numbers each.
				if got := whole[y*width+x]; math.Abs(got-want) > 4*0x1p-23*slices.Max(small) {
					t.Errorf("class %d, row %d, column %d: %v, want %v", class, y, x, got, want)
				}
			}
		}
	}
	if cut == 0 || cut == 3*size {
		t.Errorf("%d of %d sums are negative, want some", cut, 3*size)
	}
}

// TestDevice judges every dispatch on the GPU by its definition.
func TestDevice(t *testing.T) {
	dev := devicetest.Open(t)
	devicetest.NoLeaks(t, dev)
	for name, c := range models() {
		t.Run(name, func(t *testing.T) {
			layers.Initialize(c.model, 2)
			r := record(compute.NewTape(dev), c.model, c.shape)
			found, err := devicetest.Verify(r.tape, func(p *compute.Program) error {
				return errors.Join(p.Write(r.x, noise(c.shape)), p.Write(r.pick, []float32{0, 1, 0}))
			})
			devicetest.Check(t, found, err)
			for _, p := range layers.Params(c.model) {
				dev.Forget(p)
			}
		})
	}
}

// corners is a classifier by hand: one map holds what is bright, the other what is
// dark, and a class is the sum of a map.
func corners() layers.Layer {
	conv := layers.NewConv2D(1, 2, 1)
	copy(conv.Weight.Data, []float32{1, -1})
	clear(conv.Bias.Data)
	out := layers.NewLinear(2*36, 2)
	for i := range 72 {
		out.Weight.Data[i], out.Weight.Data[72+i] = 0, 0
		out.Weight.Data[i/36*72+i] = 1
	}
	copy(out.Bias.Data, []float32{0, 0.5})
	return layers.Sequential{conv, layers.ReLU{}, layers.Flatten{}, out}
}

// TestCorners explains an image whose answers are known: what is bright lies in one
// corner, what is dark in the other.
func TestCorners(t *testing.T) {
	ctx := context.Background()
	for _, dev := range []*compute.Device{compute.Reference(), devicetest.Open(t)} {
		t.Run(dev.Info().Backend, func(t *testing.T) {
			devicetest.NoLeaks(t, dev)
			e, err := Open(dev, corners(), 1, 6, 6)
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			image := make([]float32, 36)
			image[0], image[1], image[6] = 1, 0.5, 0.25
			image[35] = -2
			for class, want := range []struct {
				logit         float32
				cam, saliency []float32 // of rows*6+column
			}{
				{1.75, []float32{0: 1, 1: 0.5, 6: 0.25, 35: 0}, []float32{0: 1, 1: 1, 6: 1, 35: 0}},
				{2.5, []float32{35: 2}, []float32{35: 1}},
			} {
				x, err := e.Explain(ctx, image, class)
				if err != nil {
					t.Fatal(err)
				}
				if x.Class != class || x.Logits[class] != want.logit {
					t.Errorf("class %d: class %d with logits %v, want %v", class, x.Class, x.Logits, want.logit)
				}
				if x.Target != 1 || !slices.Equal(x.GradCAM.Values, want.cam) {
					t.Errorf("class %d: Grad-CAM of layer %d: %v, want %v of layer 1", class, x.Target, x.GradCAM.Values, want.cam)
				}
				if !slices.Equal(x.Saliency.Values, want.saliency) {
					t.Errorf("class %d: saliency %v, want %v", class, x.Saliency.Values, want.saliency)
				}
			}
			x, err := e.Explain(ctx, image, Likeliest)
			if err != nil {
				t.Fatal(err)
			}
			if p := 1 / (1 + math.Exp(-0.75)); x.Class != 1 || math.Abs(float64(x.Probabilities[1])-p) > 1e-7 {
				t.Errorf("the likeliest is class %d of %v, want 1 with %v", x.Class, x.Probabilities, p)
			}
			if x.Gradient[35] != -1 || x.GradCAM.At(5, 5) != 2 {
				t.Errorf("gradient %v and Grad-CAM %v of the dark corner, want -1 and 2", x.Gradient[35], x.GradCAM.At(5, 5))
			}
			if a := x.Layers[0]; a.Maps() != 2 || !a.Conv || a.Map(1).At(5, 5) != 2 || a.Map(0).At(0, 1) != 0.5 {
				t.Errorf("layer %+v", a)
			}
			if a := x.Layers[3]; a.Maps() != 0 || a.Conv || !slices.Equal(a.Values, x.Logits) {
				t.Errorf("layer %+v, want the logits", a)
			}
		})
	}
}

// TestSaliencyChannels takes the largest channel.
func TestSaliencyChannels(t *testing.T) {
	m := saliency([]float32{1, -2, 3, 4, -5, 2, 2, 0.5}, []int{2, 2, 2})
	if want := []float32{5, 2, 3, 4}; m.Height != 2 || m.Width != 2 || !slices.Equal(m.Values, want) {
		t.Errorf("saliency %+v, want %v", m, want)
	}
}

func TestRefuses(t *testing.T) {
	ctx := context.Background()
	dev := compute.Reference()
	defer dev.Close()
	e, err := Open(dev, corners(), 1, 6, 6)
	if err != nil {
		t.Fatal(err)
	}
	for want, ask := range map[string]func() error{
		"explain: 35 numbers, want 36 for an image of [1 6 6]: wrong input": func() error { _, err := e.Explain(ctx, make([]float32, 35), 0); return err },
		"explain: class 2, the model has 0 to 1: wrong input":               func() error { _, err := e.Explain(ctx, make([]float32, 36), 2); return err },
	} {
		if err := ask(); err == nil || err.Error() != want || !errors.Is(err, infer.ErrInput) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	stopped, stop := context.WithCancel(ctx)
	stop()
	if _, err := e.Explain(stopped, make([]float32, 36), 0); !errors.Is(err, context.Canceled) {
		t.Errorf("with a cancelled context: %v", err)
	}
	if err := errors.Join(e.Close(), e.Close()); err != nil {
		t.Error(err)
	}
	if _, err := e.Explain(ctx, make([]float32, 36), 0); !errors.Is(err, infer.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	quantized, err := layers.Quantize(corners())
	if err != nil {
		t.Fatal(err)
	}
	for name, open := range map[string]func(){
		"int8 weights": func() { Open(dev, quantized, 1, 6, 6) },
		"two sizes":    func() { Open(dev, corners(), 6, 6) },
		"no classes":   func() { Open(dev, layers.ReLU{}, 1, 6, 6) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Open with %s does not panic", name)
				}
			}()
			open()
		}()
	}
}

// TestShared leaves the parameters that others use on the device.
func TestShared(t *testing.T) {
	ctx := context.Background()
	dev := devicetest.Open(t)
	devicetest.NoLeaks(t, dev)
	m := corners()
	s, err := infer.Open(dev, m, nil, 1, 6, 6)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	image := noise([]int{36})
	want, err := s.Predict(ctx, image)
	if err != nil {
		t.Fatal(err)
	}
	e, err := Open(dev, m, 1, 6, 6)
	if err != nil {
		t.Fatal(err)
	}
	x, err := e.Explain(ctx, image, Likeliest)
	e.Close()
	if err != nil || math.Abs(float64(x.Probabilities[0]-want[0])) > 1e-6 {
		t.Errorf("probabilities %v, %v, a session's are %v", x, err, want)
	}
	if again, err := s.Predict(ctx, image); err != nil || !slices.Equal(again, want) {
		t.Errorf("the session after Close: %v, %v, before it %v", again, err, want)
	}
}
