package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/testdata"
)

// TestClip compares clipped gradients with PyTorch's, of which some need two gatherings.
func TestClip(t *testing.T) {
	ctx := context.Background()
	for _, c := range testdata.PyTorch("clip") {
		t.Run(c.Name, func(t *testing.T) {
			devices(t, func(t *testing.T, dev *compute.Device) {
				s, tape := &State{}, compute.NewTape(dev)
				var grads []*compute.Param
				from := 0
				for i, size := range c.U32("sizes") {
					n := int(size)
					w, g := compute.NewParam(fmt.Sprint(i), n), compute.NewParam("gradient", n)
					copy(g.Data, c.F32("grad")[from:from+n])
					from += n
					tape.SetGrad(tape.Param(w), tape.Param(g))
					s.Names, s.Params, grads = append(s.Names, w.Name), append(s.Params, w), append(grads, g)
				}
				Clip{Value: c.Float("value"), Norm: c.Float("norm")}.record(tape, s)
				p, err := tape.Compile()
				if err != nil {
					t.Fatal(err)
				}
				defer p.Close()
				if err := errors.Join(p.Run(ctx), dev.Download(ctx, grads...)); err != nil {
					t.Fatal(err)
				}
				var got []float32
				for _, g := range grads {
					got = append(got, g.Data...)
				}
				for i, want := range c.F64("after") {
					if math.Abs(float64(got[i])-want) > 1e-6*math.Abs(want) {
						t.Errorf("element %d is %v, want %v", i, got[i], want)
					}
				}
				dev.Forget(append(grads, s.Params...)...)
			})
		})
	}
}

// TestGroups compares two parameters, one in a group, with PyTorch's after some steps.
func TestGroups(t *testing.T) {
	ctx := context.Background()
	for _, c := range testdata.PyTorch("groups") {
		t.Run(c.Name, func(t *testing.T) {
			devices(t, func(t *testing.T, dev *compute.Device) {
				o := map[string]Optimizer{
					"sgd": &SGD{LR: c.Float("lr"), Momentum: 0.9, Decay: c.Float("weight_decay")}, "adamw": &AdamW{LR: c.Float("lr"), Decay: c.Float("weight_decay")},
					"adam": &Adam{LR: c.Float("lr"), Decay: c.Float("weight_decay")}, "rmsprop": &RMSprop{LR: c.Float("lr"), Decay: c.Float("weight_decay")},
				}[c.Name]
				s, tape := &State{Rate: compute.NewParam("rate", 1)}, compute.NewTape(dev)
				s.Rate.Data[0] = float32(o.LearningRate())
				var inputs []*compute.Tensor
				for i := range 2 {
					w := compute.NewParam(fmt.Sprint(i), c.Shape(fmt.Sprintf("param%d", i))...)
					copy(w.Data, c.F32(fmt.Sprintf("param%d", i)))
					dw := tape.Input("dw", compute.F32, w.Shape...)
					tape.SetGrad(tape.Param(w), dw)
					s.Names, s.Params, inputs = append(s.Names, w.Name), append(s.Params, w), append(inputs, dw)
				}
				s.groups = newGroupRates([]Group{{Match: "1", Rate: c.Float("factor"), Decay: -1}}, s)
				o.Update(tape, s)
				p, err := tape.Compile()
				if err != nil {
					t.Fatal(err)
				}
				defer p.Close()
				for step := range c.Int("steps") {
					for i, dw := range inputs {
						n := dw.Len()
						if err := p.Write(dw, c.F32(fmt.Sprintf("grad%d", i))[step*n:(step+1)*n]); err != nil {
							t.Fatal(err)
						}
					}
					if err := p.Run(ctx); err != nil {
						t.Fatal(err)
					}
				}
				if err := dev.Download(ctx, s.Params...); err != nil {
					t.Fatal(err)
				}
				for i, w := range s.Params {
					for k, want := range c.F64(fmt.Sprintf("after%d", i)) {
						if off := math.Abs(float64(w.Data[k]) - want); off > 5*4*roundoff*(math.Abs(want)+20*o.LearningRate()) {
							t.Errorf("parameter %d: element %d is %v, want %v", i, k, w.Data[k], want)
						}
					}
				}
				dev.Forget(append(append(s.Slots(), s.groups.arrays()...), s.Params[0], s.Params[1], s.Rate)...)
			})
		})
	}
}

// everything is a loop that uses all there is between gradients and weights.
func everything() *Loop {
	return &Loop{
		Model: small(), Loss: layers.SoftmaxCrossEntropy{LabelSmoothing: 0.1, Weights: []float32{1, 2, 1, 0.5}}, Optimizer: &AdamW{LR: 5e-3}, Batch: 8, Epochs: 3, Seed: 9,
		Schedule: OneCycle{}, Accumulate: 3, Clip: Clip{Value: 0.5, Norm: 1}, EMA: &EMA{Decay: 0.9, WarmUp: true, Use: true},
		Groups:        []Group{{Match: "0.", Frozen: true}, {Select: func(name string) bool { return strings.HasSuffix(name, "bias") }, Rate: 2, Decay: -1}},
		EarlyStopping: &EarlyStopping{Monitor: "test_f1", Patience: 3, Restore: true},
	}
}

// TestEverythingSteady wants steps with all there is to move nothing between host and
// device, to allocate nothing, and to update all parameters in one dispatch.
func TestEverythingSteady(t *testing.T) {
	dev, ctx := devicetest.Open(t), context.Background()
	devicetest.NoLeaks(t, dev)
	l := everything()
	defer forget(dev, l.Model)
	r, err := l.prepare(dev, stripes(150, 3))
	if err != nil {
		t.Fatal(err)
	}
	release, err := r.compile()
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	steps, err := devicetest.Steps(r.program)
	if err != nil {
		t.Fatal(err)
	}
	var kernels []string
	for _, s := range steps {
		kernels = append(kernels, s.Kernel)
	}
	all := strings.Join(kernels, " ")
	for _, k := range []string{"adam.step_grouped", "clip.value", "clip_norm.gather", "clip_norm.scale", "ema.update", "accumulate.clear"} {
		if n := strings.Count(all, k); n != 1 {
			t.Errorf("%d times %s in %v, want once", n, k, kernels)
		}
	}
	if strings.Contains(all, "conv2d_tiled_weights") || r.fit != nil {
		t.Errorf("gradients of frozen weights in %v", kernels)
	}
	r.fit = &Fit{run: r}
	step := func() {
		if err := r.one(ctx); err != nil {
			t.Fatal(err)
		}
	}
	for range 6 {
		step()
	}
	before := devicetest.Machine(dev).Traffic()
	if n := testing.AllocsPerRun(30, step); n != 0 {
		t.Errorf("a step allocates %v times, want 0", n)
	}
	if after := devicetest.Machine(dev).Traffic(); after != before {
		t.Errorf("steps moved %d bytes up and %d down, want 0 and 0", after.Up-before.Up, after.Down-before.Down)
	}
}

// TestAccumulate wants four batches to make the update of one that has all their rows, in
// a network without statistics of batches.
func TestAccumulate(t *testing.T) {
	devices(t, func(t *testing.T, dev *compute.Device) {
		for _, o := range []Optimizer{&SGD{LR: 0.05, Momentum: 0.9}, &AdamW{LR: 5e-3}} {
			var models []layers.Layer
			for _, parts := range []int{1, 4} {
				m := layers.Sequential{layers.NewConv2D(1, 4, 3), layers.ReLU{}, layers.Flatten{}, layers.NewLinear(144, 4)}
				layers.Initialize(m, 3)
				models = append(models, m)
				defer forget(dev, m)
				l := &Loop{
					Model: m, Loss: layers.SoftmaxCrossEntropy{}, Optimizer: o, Schedule: Linear{}, Batch: 32 / parts, Accumulate: parts, Epochs: 2, Seed: 4,
					Clip: Clip{Norm: 1}, EMA: &EMA{Decay: 0.8, WarmUp: true, Use: true},
				}
				h, err := l.Run(context.Background(), dev, stripes(150, 1), stripes(40, 2))
				if err != nil {
					t.Fatal(err)
				}
				if rows := int(h[0].ImagesPerSecond*h[0].Seconds + 0.5); rows != 128 {
					t.Errorf("%d parts: an epoch of %d images, want 4 updates of 32", parts, rows)
				}
			}
			near(t, models[0], models[1], 2e-5)
		}
	})
}

// near wants the parameters of two models no further apart than a distance.
func near(t *testing.T, a, b layers.Layer, most float64) {
	t.Helper()
	other := map[string]*compute.Param{}
	for name, p := range layers.Params(b) {
		other[name] = p
	}
	for name, p := range layers.Params(a) {
		for i, v := range p.Data {
			if off := math.Abs(float64(v - other[name].Data[i])); !(off <= most) {
				t.Fatalf("%s[%d] is %v and %v, want no more than %v apart", name, i, v, other[name].Data[i], most)
			}
		}
	}
}

// TestEMA follows the averages of a run by the weights after each step, in float64, and
// wants them in the model and in the checkpoint where they are to be used.
func TestEMA(t *testing.T) {
	devices(t, func(t *testing.T, dev *compute.Device) {
		ctx, path := context.Background(), filepath.Join(t.TempDir(), "c.safetensors")
		set, test := stripes(150, 1), stripes(40, 2)
		want := map[string][]float64{}
		model := small()
		for name, p := range layers.Params(model) {
			for _, v := range p.Data {
				want[name] = append(want[name], float64(v))
			}
		}
		l := &Loop{
			Model: model, Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &AdamW{LR: 5e-3}, Batch: 25, Epochs: 2, EMA: &EMA{Decay: 0.5, WarmUp: true, Use: true}, Checkpoint: path,
			Callbacks: []Callback{{AfterStep: func(f *Fit) error {
				d := min(0.5, float64(f.Step)/float64(9+f.Step)) // update t is step t+1
				for name, p := range layers.Params(model) {
					if err := f.Device.Download(ctx, p); err != nil {
						return err
					}
					for i, v := range p.Data {
						if p.Frozen {
							want[name][i] = float64(v)
						} else {
							want[name][i] += (1 - d) * (float64(v) - want[name][i])
						}
					}
				}
				return nil
			}}},
		}
		defer forget(dev, model)
		h, err := l.Run(ctx, dev, set, test)
		if err != nil {
			t.Fatal(err)
		}
		loaded := small()
		if err := LoadModel(path, loaded); err != nil {
			t.Fatal(err)
		}
		for _, m := range []layers.Layer{model, loaded} {
			for name, p := range layers.Params(m) {
				for i, v := range p.Data {
					if math.Abs(float64(v)-want[name][i]) > 1e-6*(1+math.Abs(want[name][i])) {
						t.Fatalf("%s[%d] is %v, want %v", name, i, v, want[name][i])
					}
				}
			}
		}
		e, err := NewEvaluator(dev, model, l.Loss, test)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		if loss, _, err := e.Run(ctx); err != nil || math.Abs(loss-h[1].TestLoss) > 1e-6 {
			t.Errorf("the model that is left has a loss of %v, %v, the last evaluation %v", loss, err, h[1].TestLoss)
		}
	})
}

// TestFrozen wants frozen weights as they were, and the others trained.
func TestFrozen(t *testing.T) {
	devices(t, func(t *testing.T, dev *compute.Device) {
		l := &Loop{Model: small(), Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &AdamW{}, Batch: 16, Epochs: 1, Groups: []Group{{Match: "0.", Frozen: true}}}
		defer forget(dev, l.Model)
		before := map[string]float32{}
		for name, p := range layers.Params(l.Model) {
			before[name] = p.Data[0]
		}
		if _, err := l.Run(context.Background(), dev, stripes(150, 1), nil); err != nil {
			t.Fatal(err)
		}
		for name, p := range layers.Params(l.Model) {
			if same := p.Data[0] == before[name]; same != strings.HasPrefix(name, "0.") {
				t.Errorf("%s was %v and is %v", name, before[name], p.Data[0])
			}
		}
	})
}
