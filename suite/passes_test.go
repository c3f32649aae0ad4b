package suite

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train"
)

// networks are the small network for digits of many a tutorial, and others whose layers
// the passes meet in other ways.
var networks = map[string]func() layers.Layer{
	"cnn": func() layers.Layer {
		return layers.Sequential{
			layers.NewConv2D(1, 8, 5), layers.ReLU{}, layers.MaxPool2D{Size: 2},
			layers.NewConv2D(8, 16, 5), layers.ReLU{}, layers.MaxPool2D{Size: 2},
			layers.Flatten{}, layers.NewLinear(256, 10),
		}
	},
	"mlp": func() layers.Layer {
		return layers.Sequential{
			layers.Flatten{}, layers.NewLinear(784, 33), layers.ReLU{}, layers.Dropout{P: 0.2},
			layers.Residual{Body: layers.Sequential{layers.NewLinear(33, 33), layers.GELU{}, layers.Dropout{P: 0.1}}},
			layers.NewLinear(33, 10),
		}
	},
	"block": func() layers.Layer {
		return layers.Sequential{
			layers.Flatten{}, layers.NewLinear(784, 24),
			layers.Residual{Body: layers.Sequential{layers.NewLayerNorm(24), layers.NewLinear(24, 40), layers.GELU{Tanh: true}, layers.NewLinear(40, 24), layers.Dropout{P: 0.1}}},
			layers.NewLayerNorm(24), layers.Sigmoid{}, layers.NewLinear(24, 10),
		}
	},
	"batch norm": func() layers.Layer {
		return layers.Sequential{
			layers.NewConv2D(1, 4, 3), layers.NewBatchNorm2D(4), layers.ReLU{}, layers.MaxPool2D{Size: 2},
			layers.Residual{Body: layers.Sequential{layers.NewConv2D(4, 4, 1), layers.Tanh{}}}, layers.AvgPool2D{Size: 2},
			layers.Flatten{}, layers.NewLinear(144, 10), layers.LeakyReLU{},
		}
	},
}

// meet are the passes that meet every layer in another way, and are left out of every
// network; the others of one.
var meet = []string{"fuse", "chain", "join", "plan"}

// trained runs some steps of training without a pass, and returns the weights.
func trained(t *testing.T, dev *compute.Device, network func() layers.Layer, storage compute.DType, visit func(*compute.Program), without ...string) []float32 {
	t.Helper()
	ctx, model := context.Background(), network()
	layers.Initialize(model, 5)
	loop := train.Loop{Model: model, Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &train.AdamW{}, Batch: 16, Epochs: 1, Seed: 3, Storage: storage}
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
	for name, network := range networks {
		t.Run(name, func(t *testing.T) {
			var alone int64
			trained(t, dev, network, compute.F32, func(p *compute.Program) { alone, _ = p.Memory() }, "plan", "overwrite")
			launches := 0
			want := trained(t, dev, network, compute.F32, func(p *compute.Program) {
				held, _ := p.Memory()
				launches = count(t, p)
				t.Logf("the step holds %d bytes, with memory of its own for each tensor %d: %.0f%% less; %d launches", held, alone, 100-100*float64(held)/float64(alone), launches)
				if held > alone*7/10 && name == "cnn" {
					t.Errorf("%d bytes of %d, want 30%% less", held, alone)
				}
			})
			for _, pass := range devicetest.Passes() {
				if name != "cnn" && !slices.Contains(meet, pass) {
					continue
				}
				got := trained(t, dev, network, compute.F32, func(p *compute.Program) {
					if held, alone := p.Memory(); pass == "plan" && held != alone {
						t.Errorf("%d bytes without sharing, want %d", held, alone)
					}
					if n := count(t, p); slices.Contains([]string{"chain", "fuse"}, pass) && n <= launches && (name != "cnn" || pass == "fuse") {
						t.Errorf("%d launches without %s, %d with it", n, pass, launches)
					}
				}, pass)
				for i, w := range want {
					off := math.Abs(float64(got[i] - w))
					if pass == "choose" && off < 1e-4 || math.Float32bits(got[i]) == math.Float32bits(w) {
						continue
					}
					t.Errorf("without %s: weight %d is %v, want %v", pass, i, got[i], w)
					break
				}
			}
		})
	}
}

// count is how many launches a program makes.
func count(t *testing.T, p *compute.Program) int {
	t.Helper()
	steps, err := devicetest.Steps(p)
	if err != nil {
		t.Fatal(err)
	}
	return len(steps)
}
