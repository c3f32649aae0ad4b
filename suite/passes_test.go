package suite

import (
	"context"
	"math"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train"
)

// network is the small network for digits of many a tutorial.
func network() layers.Layer {
	return layers.Sequential{
		layers.NewConv2D(1, 8, 5), layers.ReLU{}, layers.MaxPool2D{Size: 2},
		layers.NewConv2D(8, 16, 5), layers.ReLU{}, layers.MaxPool2D{Size: 2},
		layers.Flatten{}, layers.NewLinear(256, 10),
	}
}

// trained runs some steps of training without a pass, and returns the weights.
func trained(t *testing.T, dev *compute.Device, visit func(*compute.Program), without ...compute.Pass) []float32 {
	t.Helper()
	ctx, model := context.Background(), network()
	layers.Initialize(model, 5)
	loop := train.Loop{Model: model, Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &train.AdamW{}, Batch: 16, Epochs: 1, Seed: 3}
	tape := compute.NewTape(dev)
	if err := loop.Record(tape, Shades(50, 28)); err != nil {
		t.Fatal(err)
	}
	p, err := tape.Compile(without...)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for range 5 {
		if err := p.Run(ctx); err != nil {
			t.Fatal(err)
		}
	}
	visit(p)
	var all []float32
	for _, param := range layers.Params(model) {
		if err := dev.Download(ctx, param); err != nil {
			t.Fatal(err)
		}
		all = append(all, param.Data...)
		dev.Forget(param)
	}
	return all
}

// TestPasses wants the same weights, after some steps of training, whichever pass is
// left out: bit for bit but for Choose, whose kernels add in another order.
func TestPasses(t *testing.T) {
	dev := devicetest.Open(t)
	var alone int64
	trained(t, dev, func(p *compute.Program) { alone, _ = p.Memory() }, compute.Plan, compute.Overwrite)
	want := trained(t, dev, func(p *compute.Program) {
		held, _ := p.Memory()
		t.Logf("the step holds %d bytes, with memory of its own for each tensor %d: %.0f%% less", held, alone, 100-100*float64(held)/float64(alone))
		if held > alone*7/10 {
			t.Errorf("%d bytes of %d, want 30%% less", held, alone)
		}
	})
	for _, pass := range compute.Passes() {
		got := trained(t, dev, func(p *compute.Program) {
			if held, alone := p.Memory(); pass == compute.Plan && held != alone {
				t.Errorf("%d bytes without sharing, want %d", held, alone)
			}
		}, pass)
		for i, w := range want {
			off := math.Abs(float64(got[i] - w))
			if pass == compute.Choose && off < 1e-4 || math.Float32bits(got[i]) == math.Float32bits(w) {
				continue
			}
			t.Errorf("without %s: weight %d is %v, want %v", pass, i, got[i], w)
			break
		}
	}
}
