package train

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers"
)

// spoiler is a layer that hands on what it gets. Forward and backward it multiplies by a
// number each: 1, until a test plants another.
type spoiler struct{ forward, backward *compute.Param }

func newSpoiler() *spoiler {
	s := &spoiler{compute.NewParam("forward", 1), compute.NewParam("backward", 1)}
	s.forward.Data[0], s.backward.Data[0] = 1, 1
	s.forward.Frozen, s.backward.Frozen = true, true
	return s
}

func (s *spoiler) Forward(t *compute.Tape, x *compute.Tensor) *compute.Tensor {
	y := t.New(x.Shape()...)
	spoil.Run(spoilParams{uint32(x.Len())}, x, t.Param(s.forward), y)
	t.OnBackward(func() {
		dx := t.New(x.Shape()...)
		spoil.Run(spoilParams{uint32(x.Len())}, t.Grad(y), t.Param(s.backward), dx)
		t.SetGrad(x, dx)
	})
	return y
}

func (*spoiler) String() string { return "Spoiler" }

type spoilParams struct{ N uint32 }

var spoil = compute.NewKernelFS(fstest.MapFS{"spoil.wgsl": &fstest.MapFile{Data: []byte(`// spoil: y = x * by.
// x, y are (n), by is (1).

struct Params { n: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> by: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

const block: u32 = 64u;

// invocations: n
@compute @workgroup_size(block)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.n { return; }
    y[i] = x[i] * by[0];
}
`)}}, "spoil.forward", func(_ spoilParams, b [][]float64) {
	for i, v := range b[0] {
		b[2][i] = v * b[1][0]
	}
}, compute.Exact)

// spoiled is a model of layers within layers, with a spoiler among them.
func spoiled() (layers.Sequential, *spoiler) {
	s := newSpoiler()
	m := layers.Sequential{
		layers.NewConv2D(1, 4, 3), layers.NewBatchNorm2D(4), layers.ReLU{}, layers.MaxPool2D{Size: 2}, layers.Flatten{},
		layers.Residual{Body: layers.Sequential{layers.NewLinear(36, 36), s, layers.ReLU{}}}, layers.NewLinear(36, 4),
	}
	layers.Initialize(m, 5)
	return m, s
}

// TestWatch plants NaN and infinite numbers after 10 of 20 steps, and wants the run to
// stop within the next one and to name the layer.
func TestWatch(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	for name, c := range map[string]struct {
		plant func(m layers.Sequential, s *spoiler) (*compute.Param, int, float32)
		want  NotFinite
	}{
		"weight": {func(m layers.Sequential, _ *spoiler) (*compute.Param, int, float32) {
			return m[6].(*layers.Linear).Weight, 141, nan
		}, NotFinite{Layer: "6 Linear(36, 4)", What: "parameter 6.weight"}},
		"bias within": {func(m layers.Sequential, _ *spoiler) (*compute.Param, int, float32) {
			return m[5].(layers.Residual).Body.(layers.Sequential)[0].(*layers.Linear).Bias, 0, inf
		}, NotFinite{Layer: "5 Residual/body/0 Linear(36, 36)", What: "parameter 5.body.0.bias"}},
		"running statistic": {func(m layers.Sequential, _ *spoiler) (*compute.Param, int, float32) {
			return m[1].(*layers.BatchNorm).RunningVar, 3, nan
		}, NotFinite{Layer: "1 BatchNorm2D(4)", What: "parameter 1.running_var"}},
		"output": {func(_ layers.Sequential, s *spoiler) (*compute.Param, int, float32) {
			return s.forward, 0, nan
		}, NotFinite{Layer: "5 Residual/body/1 Spoiler", What: "output", From: "spoil.forward y"}},
		"gradient": {func(_ layers.Sequential, s *spoiler) (*compute.Param, int, float32) {
			return s.backward, 0, inf
		}, NotFinite{Layer: "5 Residual/body/1 Spoiler", What: "gradient", From: "spoil.forward y"}},
	} {
		t.Run(name, func(t *testing.T) {
			devices(t, func(t *testing.T, dev *compute.Device) {
				m, s := spoiled()
				ctx := context.Background()
				planted, i, v := c.plant(m, s)
				l := Loop{
					Model: m, Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &AdamW{LR: 1e-3}, Batch: 10, Epochs: 2, Watch: true,
					Finished: func(Epoch, int) {
						err := dev.Download(ctx, planted)
						planted.Data[i] = v
						if err = errors.Join(err, dev.Upload(planted)); err != nil {
							t.Error(err)
						}
					},
				}
				_, err := l.Run(ctx, dev, stripes(100, 1), stripes(20, 2))
				forget(dev, m)
				dev.Forget(s.forward, s.backward)
				want := c.want
				want.Step = 11
				var got *NotFinite
				if !errors.As(err, &got) || !errors.Is(err, ErrDiverged) || *got != want {
					t.Errorf("got %v, want %v", err, &want)
				}
			})
		})
	}
}

// TestWatchInput plants NaN in an input and in a target on the device, which no set that
// is read can hold.
func TestWatchInput(t *testing.T) {
	devices(t, func(t *testing.T, dev *compute.Device) {
		for want, plant := range map[string]func(r *resident) *compute.Param{
			"input":  func(r *resident) *compute.Param { return r.inputs },
			"target": func(r *resident) *compute.Param { return r.targets },
		} {
			m := layers.Sequential{layers.NewLinear(3, 2)}
			l := Loop{Model: m, Loss: layers.MSE{}, Optimizer: &SGD{LR: 0.1}, Batch: 20, Watch: true}
			set := plane(20, 1)
			r, err := l.prepare(dev, set)
			if err != nil {
				t.Fatal(err)
			}
			held, err := newResident(set, set.Len())
			if err != nil {
				t.Fatal(err)
			}
			tape := compute.NewTape(dev)
			if err := r.record(tape, &source{resident: held, batch: r.Batch}, true); err != nil {
				t.Fatal(err)
			}
			p, err := tape.Compile()
			if err != nil {
				t.Fatal(err)
			}
			step := func(number int) error {
				if err := p.Run(context.Background()); err != nil {
					t.Fatal(err)
				}
				return r.watch.read(context.Background(), dev, number, nil, true)
			}
			if err := step(1); err != nil {
				t.Errorf("before: %v", err)
			}
			planted := plant(held)
			planted.Data[7] = float32(math.NaN())
			if err := dev.Upload(planted); err != nil {
				t.Fatal(err)
			}
			err = step(2)
			if got := (*NotFinite)(nil); !errors.As(err, &got) || *got != (NotFinite{Step: 2, What: want, From: "batch.load_floats x"}) {
				t.Errorf("got %v, want the %s in step 2", err, want)
			}
			p.Close()
			forget(dev, m)
			dev.Forget(append(held.arrays(), r.clock, r.sums.counts, r.sums.total, r.state.Rate, r.watch.found)...)
			dev.Forget(r.state.Slots()...)
		}
	})
}

// TestWatchLate wants a run that is not watched to find out where it diverged, from its
// checkpoint, which stays as it was.
func TestWatchLate(t *testing.T) {
	devices(t, func(t *testing.T, dev *compute.Device) {
		path := filepath.Join(t.TempDir(), "c.safetensors")
		steps := map[bool]NotFinite{}
		for _, watched := range []bool{true, false} {
			l := Loop{
				Model: small(), Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &SGD{LR: 1e5}, Batch: 10, Epochs: 9, Watch: watched,
				Checkpoint: path, Interval: time.Hour,
			}
			_, err := l.Run(context.Background(), dev, stripes(100, 1), stripes(20, 2))
			forget(dev, l.Model)
			var got *NotFinite
			if !errors.As(err, &got) || got.From == "" || !strings.Contains(err.Error(), "lower learning rate") {
				t.Fatalf("watched %v: got %v, want a NotFinite of a kernel, with advice", watched, err)
			}
			t.Log(err)
			steps[watched] = *got
			m := small()
			if err := LoadModel(path, m); err != nil {
				t.Fatal(err)
			}
			for name, p := range layers.Params(m) {
				if slices.ContainsFunc(p.Data, func(v float32) bool { return !finite(float64(v)) }) {
					t.Errorf("%s in the checkpoint holds %v", name, p.Data)
				}
			}
		}
		if steps[true] != steps[false] || steps[true].Step < 2 {
			t.Errorf("watched: %v; looked for afterwards: %v", steps[true], steps[false])
		}
	})
}

// TestWatchChangesNothing wants a watched run to compute the same, to the bit.
func TestWatchChangesNothing(t *testing.T) {
	devices(t, func(t *testing.T, dev *compute.Device) {
		sums := map[bool]string{}
		for _, watched := range []bool{true, false} {
			m, s := spoiled()
			l := Loop{Model: m, Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &AdamW{LR: 3e-3}, Schedule: Linear{}, Batch: 10, Epochs: 2, Watch: watched}
			_, err := l.Run(context.Background(), dev, stripes(100, 1), stripes(20, 2))
			forget(dev, m)
			dev.Forget(s.forward, s.backward)
			if err != nil {
				t.Fatal(err)
			}
			sums[watched] = digest(m)
		}
		if sums[true] != sums[false] {
			t.Errorf("weights %s watched, %s else", sums[true], sums[false])
		}
	})
}

// TestWatchEverything watches runs with all there is between gradients and weights: one that
// is sound, and one whose averages cannot hold what the weights become.
func TestWatchEverything(t *testing.T) {
	devices(t, func(t *testing.T, dev *compute.Device) {
		l := everything()
		l.Watch, l.Epochs = true, 1
		l.EarlyStopping = nil
		defer forget(dev, l.Model)
		if _, err := l.Run(context.Background(), dev, stripes(150, 3), nil); err != nil {
			t.Fatal(err)
		}
		bad := everything()
		bad.Watch, bad.EarlyStopping, bad.Schedule, bad.Clip, bad.Optimizer = true, nil, nil, Clip{}, &SGD{LR: 1e38}
		defer forget(dev, bad.Model)
		_, err := bad.Run(context.Background(), dev, stripes(150, 3), nil)
		var found *NotFinite
		if !errors.As(err, &found) || found.Step < 3 || found.Step > 9 {
			t.Errorf("got %v, want a NotFinite soon after the first update, at step 3", err)
		}
	})
}

// TestWatchAccumulated wants a gradient that becomes infinite to be named by its parameter,
// also where it is part of a sum that outlives the step.
func TestWatchAccumulated(t *testing.T) {
	devices(t, func(t *testing.T, dev *compute.Device) {
		for _, parts := range []int{1, 2} {
			x, dy := newSpoiler(), newSpoiler()
			x.forward.Data[0], dy.backward.Data[0] = 1e20, 1e25
			m := layers.Sequential{layers.Flatten{}, x, layers.NewLinear(64, 4), dy}
			layers.Initialize(m, 5)
			l := Loop{Model: m, Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &SGD{LR: 0.1}, Batch: 10, Epochs: 1, Accumulate: parts, Watch: true}
			_, err := l.Run(context.Background(), dev, stripes(40, 1), nil)
			forget(dev, m)
			dev.Forget(x.forward, x.backward, dy.forward, dy.backward)
			var got *NotFinite
			if !errors.As(err, &got) || got.Step != 1 || got.Layer != "2 Linear(64, 4)" || got.What != "gradient of 2.weight" {
				t.Errorf("updates of %d batches: got %v, want the gradient of 2.weight in step 1", parts, err)
			}
		}
	})
}
