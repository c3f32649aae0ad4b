package suite

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/conform"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train"
)

// band is how far the losses of a device and of the definitions may lie apart after
// 100 steps of training.
const band = 1e-4

// Drifts trains a small CNN, an MLP and an embedding model for 100 steps on the
// device and by the definitions, and compares their losses step by step.
func Drifts(ctx context.Context, dev *compute.Device) (all []conform.Drift, err error) {
	for _, m := range []struct {
		name  string
		model layers.Sequential
		words int // 0 for images
	}{
		{"cnn", layers.Sequential{
			layers.NewConv2D(1, 6, 3), layers.NewBatchNorm2D(6), layers.ReLU{}, layers.MaxPool2D{Size: 2},
			layers.NewConv2D(6, 7, 3), layers.ReLU{}, layers.Flatten{}, layers.NewLinear(28, 5),
		}, 0},
		{"mlp", layers.Sequential{layers.Flatten{}, layers.NewLinear(100, 33), layers.GELU{}, layers.NewLayerNorm(33), layers.NewLinear(33, 5)}, 0},
		{"embedding", layers.Sequential{layers.NewEmbedding(50, 7), layers.Flatten{}, layers.NewLinear(42, 16), layers.Tanh{}, layers.NewLinear(16, 5)}, 6},
	} {
		layers.Initialize(m.model, 7)
		got, err := losses100(ctx, dev, m.model, m.words)
		if err != nil {
			return all, fmt.Errorf("suite: drift of %s: %w", m.name, err)
		}
		reference := compute.Reference()
		want, err := losses100(ctx, reference, m.model, m.words)
		reference.Close()
		if err != nil {
			return all, fmt.Errorf("suite: drift of %s: %w", m.name, err)
		}
		d := conform.Drift{Name: m.name, Steps: len(want), First: conform.Number(want[0]), Last: conform.Number(want[len(want)-1]), Band: band}
		for i := range want {
			if off := conform.Number(math.Abs(got[i] - want[i])); off > d.Worst || math.IsNaN(float64(off)) {
				d.Worst, d.Step = off, i
			}
		}
		all = append(all, d)
	}
	return all, nil
}

// losses100 trains on one batch for 100 steps and returns the loss of each.
func losses100(ctx context.Context, dev *compute.Device, model layers.Layer, words int) (losses []float64, err error) {
	const rows = 40
	set := Shades(rows, 10)
	t := compute.NewTape(dev)
	t.Training = true
	x := t.Input("x", compute.F32, rows, 1, 10, 10)
	if words > 0 {
		x = t.Input("x", compute.U32, rows, words)
	}
	labels := t.Input("labels", compute.U32, rows)
	loss := layers.SoftmaxCrossEntropy{}.Loss(t, model.Forward(t, x), labels)
	t.Keep(loss)
	t.Backward(loss)
	s := &train.State{Rate: compute.NewParam("rate", 1)}
	s.Rate.Data[0] = 0.01
	for name, p := range layers.Params(model) {
		if !p.Frozen {
			s.Names, s.Params = append(s.Names, name), append(s.Params, p)
		}
	}
	(&train.SGD{Momentum: 0.9}).Update(t, s)
	p, err := t.Compile()
	if err != nil {
		return nil, err
	}
	defer func() {
		p.Close()
		for _, param := range layers.Params(model) {
			dev.Forget(param)
		}
		dev.Forget(append(s.Slots(), s.Rate)...)
	}()
	classes := make([]uint32, rows)
	for i, c := range set.Labels {
		classes[i] = uint32(c)
	}
	err = p.WriteU32(labels, classes)
	if words > 0 {
		indices := make([]uint32, rows*words)
		for i := range indices {
			indices[i] = compute.RandomBits(3, classes[i/words], 0, uint32(i))[0] % 50
		}
		err = errors.Join(err, p.WriteU32(x, indices))
	} else {
		pixels := make([]float32, len(set.Pixels))
		for i, b := range set.Pixels {
			pixels[i] = float32(b) / 255
		}
		err = errors.Join(err, p.Write(x, pixels))
	}
	for step := 0; step < 100 && err == nil; step++ {
		one := make([]float32, 1)
		err = errors.Join(p.Run(ctx), p.Read(ctx, loss, one))
		losses = append(losses, float64(one[0]))
	}
	return losses, err
}
