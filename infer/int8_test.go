package infer

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train"
	"github.com/pumice-ml/pumice/train/data"
)

// TestInt8 trains on the built-in digits, and wants of the model with int8 weights nearly
// the accuracy of the float32 one, and logits within a derived bound of what its weights
// make exactly.
func TestInt8(t *testing.T) {
	dev, ctx := devicetest.Open(t), context.Background()
	devicetest.NoLeaks(t, dev)
	conv, dense := layers.NewConv2D(1, 8, 5), layers.NewLinear(8*12*12, 10)
	model := layers.Sequential{conv, layers.ReLU{}, layers.MaxPool2D{Size: 2}, layers.Flatten{}, dense}
	layers.Initialize(model, 3)
	digits, test := data.Digits(data.DigitsOptions{Train: 3000, Test: 2000})
	loop := train.Loop{Model: model, Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &train.AdamW{LR: 2e-3}, Batch: 32, Epochs: 2, Seed: 1}
	if _, err := loop.Run(ctx, dev, digits, test); err != nil {
		t.Fatal(err)
	}
	s, err := OpenInt8(ctx, dev, model, nil, 1, 28, 28) // from the device
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	small, err := layers.Quantize(model)
	if err != nil {
		t.Fatal(err)
	}
	accuracy := func(model layers.Layer) float64 {
		e, err := train.NewEvaluator(dev, model, layers.SoftmaxCrossEntropy{}, test)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		_, a, err := e.Run(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	full, quantized := accuracy(model), accuracy(small)
	t.Logf("accuracy %.2f%%, quantized %.2f%%", 100*full, 100*quantized)
	if full < 0.8 || math.Abs(full-quantized) > 0.005 {
		t.Errorf("accuracy %.2f%%, quantized %.2f%%, want 80%% or more, and half a point between them", 100*full, 100*quantized)
	}

	const images = 20
	var pixels []float32
	for i := range images {
		for _, b := range test.Image(i) {
			pixels = append(pixels, float32(b)/255)
		}
	}
	tape := compute.NewTape(dev)
	x := tape.Input("x", compute.F32, images, 1, 28, 28)
	y := small.Forward(tape, x)
	tape.Keep(y)
	p, err := tape.Compile()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	got := make([]float32, y.Len())
	if err := errors.Join(p.Write(x, pixels), p.Run(ctx), p.Read(ctx, y, got)); err != nil {
		t.Fatal(err)
	}
	first, last := small.(layers.Sequential)[0].(*layers.QuantizedConv2D), small.(layers.Sequential)[4].(*layers.QuantizedLinear)
	for i := range images {
		want, bounds := exactly(pixels[i*784:][:784], first, last)
		for j, v := range got[i*10:][:10] {
			if off := math.Abs(float64(v) - want[j]); !(off <= bounds[j]) {
				t.Errorf("image %d, logit %d: got %v, want %v, off by %.3g, at most %.3g", i, j, v, want[j], off, bounds[j])
			}
		}
	}
	for _, m := range []layers.Layer{model, small} {
		for _, p := range layers.Params(m) {
			dev.Forget(p)
		}
	}
}

// weight is number i of row r of quantized weights, whose bytes are word by word in q.
func weight(scale *compute.Param, r int, word uint32, i int) float64 {
	return float64(scale.Data[r]) * float64(int8(word>>(8*i)))
}

// exactly computes the logits of one image by the dequantized weights in float64, and how
// far float32 may be off: where x is off by at most e, a sum of n products, its scale and
// bias are off by at most |w|e + gamma(n+2) (|w|(|x|+e) + |b|); ReLU and the maximum are
// off by no more than what they are of.
func exactly(x []float32, conv *layers.QuantizedConv2D, dense *layers.QuantizedLinear) (y, bounds []float64) {
	const flushed = 1e-30 // far more than all subnormal terms, which may be taken for zeros
	var pooled, off []float64
	for k := range 8 {
		var sums, errors [24][24]float64
		for i := range 24 {
			for j := range 24 {
				sum, magnitude := float64(conv.Bias.Data[k]), math.Abs(float64(conv.Bias.Data[k]))
				for tap := range 25 {
					term := weight(conv.Scale, k, conv.Weight.Ints[k*7+tap/4], tap%4) * float64(x[(i+tap/5)*28+j+tap%5])
					sum, magnitude = sum+term, magnitude+math.Abs(term)
				}
				sums[i][j], errors[i][j] = max(sum, 0), compute.Gamma(27)*magnitude+flushed
			}
		}
		for i := range 12 {
			for j := range 12 {
				pooled = append(pooled, max(sums[2*i][2*j], sums[2*i][2*j+1], sums[2*i+1][2*j], sums[2*i+1][2*j+1]))
				off = append(off, max(errors[2*i][2*j], errors[2*i][2*j+1], errors[2*i+1][2*j], errors[2*i+1][2*j+1]))
			}
		}
	}
	for o := range 10 {
		sum, magnitude, before := float64(dense.Bias.Data[o]), math.Abs(float64(dense.Bias.Data[o])), 0.0
		for j, v := range pooled {
			w := weight(dense.Scale, o, dense.Weight.Ints[j/4*10+o], j%4)
			sum, magnitude, before = sum+w*v, magnitude+math.Abs(w)*(v+off[j]), before+math.Abs(w)*off[j]
		}
		y, bounds = append(y, sum), append(bounds, before+compute.Gamma(float64(len(pooled)+2))*magnitude+flushed)
	}
	return y, bounds
}

// TestOpenInt8 opens weights of the float32 model and wants the predictions of the
// quantized one, fewer bytes, and typed errors.
func TestOpenInt8(t *testing.T) {
	dev, ctx := devicetest.Open(t), context.Background()
	devicetest.NoLeaks(t, dev)
	held := func(open func() (*Session, error)) ([]float32, int64) {
		s, err := open()
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		probs, err := s.Predict(ctx, image(1))
		if err != nil {
			t.Fatal(err)
		}
		var bytes int64
		for _, use := range dev.Ledger() {
			if use.Owner == "parameters" {
				bytes += use.Bytes
			}
		}
		return probs, bytes
	}
	w := weights(t)
	full, before := held(func() (*Session, error) { return Open(dev, model(), w, 1, 6, 6) })
	small, after := held(func() (*Session, error) { return OpenInt8(ctx, dev, model(), w, 1, 6, 6) })
	want, _ := held(func() (*Session, error) {
		m := model()
		if err := layers.Load(w, "weights", m); err != nil {
			return nil, err
		}
		q, err := layers.Quantize(m)
		if err != nil {
			return nil, err
		}
		return Open(dev, q, nil, 1, 6, 6)
	})
	if !slices.Equal(small, want) || slices.Equal(small, full) || 2*after > before {
		t.Errorf("%v, %d bytes, want %v; with float32 weights %v, %d bytes", small, after, want, full, before)
	}
	if _, err := OpenInt8(ctx, dev, model(), []byte("no tensors"), 1, 6, 6); !errors.Is(err, ErrWeights) {
		t.Errorf("damaged weights: got %v, want ErrWeights", err)
	}
	m := layers.Sequential{layers.Flatten{}, layers.NewLinear(36, 5)}
	m[1].(*layers.Linear).Weight.Data[7] = float32(math.NaN())
	if _, err := OpenInt8(ctx, dev, m, nil, 1, 6, 6); !errors.Is(err, ErrWeights) {
		t.Errorf("a weight that is NaN: got %v, want ErrWeights", err)
	}
	var file bytes.Buffer
	if err := layers.Save(&file, m); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenInt8(ctx, dev, m, file.Bytes(), 1, 6, 6); !errors.Is(err, ErrWeights) {
		t.Errorf("a file with NaN: got %v, want ErrWeights", err)
	}
	if _, err := OpenInt8(ctx, nil, model(), nil, 1, 6, 6); err == nil {
		t.Error("a session without a device opens")
	}
}
