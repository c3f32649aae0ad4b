package train

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/conform"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/layers"
)

// mixed is a loop that stores f16, whose scale is doubled every fourth step.
func mixed(o Optimizer) *Loop {
	return &Loop{
		Model: small(), Loss: layers.SoftmaxCrossEntropy{}, Optimizer: o, Schedule: Linear{}, Batch: 16, Epochs: 2, Seed: 9,
		Storage: compute.F16, LossScale: LossScale{First: 1024, Interval: 4},
	}
}

// TestSkippedStep plants an infinite gradient, by a scale that f16 cannot hold, and
// wants that step, and no other, to change nothing but the scale, which is halved.
func TestSkippedStep(t *testing.T) {
	dev := withF16(t)
	if dev == nil {
		return
	}
	devicetest.NoLeaks(t, dev)
	ctx := context.Background()
	for name, o := range map[string]Optimizer{"sgd": &SGD{Momentum: 0.9}, "adamw": &AdamW{}, "rmsprop": &RMSprop{Momentum: 0.5}} {
		t.Run(name, func(t *testing.T) {
			l := mixed(o)
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
			state := append(slices.Clone(r.state.Params), r.state.Slots()...)
			step := func() (all []uint32) {
				t.Helper()
				if err := errors.Join(r.program.Run(ctx), dev.Download(ctx, append(state, r.scaler.arrays()...)...)); err != nil {
					t.Fatal(err)
				}
				for _, p := range state {
					for _, v := range p.Data {
						all = append(all, math.Float32bits(v))
					}
				}
				return all
			}
			want := func(scale, inverse float32, counts ...uint32) {
				t.Helper()
				s := r.scaler
				if s.scale.Data[0] != scale || s.inverse.Data[0] != inverse || !slices.Equal(s.counts.Ints, counts) {
					t.Errorf("scale %v, its inverse %v, counts %v, want %v, %v, %v", s.scale.Data[0], s.inverse.Data[0], s.counts.Ints, scale, inverse, counts)
				}
			}
			step()
			before := step()
			want(1024, 0x1p-10, 2, 0, 0)
			r.scaler.scale.Data[0], r.scaler.inverse.Data[0] = 0x1p100, 0x1p-100
			if err := dev.Upload(r.scaler.scale, r.scaler.inverse); err != nil {
				t.Fatal(err)
			}
			if after := step(); !slices.Equal(after, before) {
				t.Error("the step with an infinite gradient changed parameters or state")
			}
			want(0x1p99, 0x1p-99, 0, 1, 0)
			r.scaler.scale.Data[0], r.scaler.inverse.Data[0] = 1024, 0x1p-10
			if err := dev.Upload(r.scaler.scale, r.scaler.inverse); err != nil {
				t.Fatal(err)
			}
			for i := range 4 {
				after := step()
				if slices.Equal(after, before) {
					t.Errorf("step %d after it changed nothing", i)
				}
				for _, bits := range after {
					if bits&0x7f800000 == 0x7f800000 {
						t.Fatalf("step %d after it made a number infinite", i)
					}
				}
			}
			want(2048, 0x1p-11, 0, 1, 0)
		})
	}
}

// TestMixedSteadyState wants a step that stores f16 to move nothing between host and
// device, to cast all weights, scale all gradients and update all in a dispatch each.
func TestMixedSteadyState(t *testing.T) {
	dev := withF16(t)
	if dev == nil {
		return
	}
	ctx, l := context.Background(), mixed(&AdamW{})
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
	for _, k := range []string{"cast.forward", "loss_scale.apply", "loss_scale.settle", "adam.step_gated"} {
		if n := strings.Count(strings.Join(kernels, " "), k); n != 1 {
			t.Errorf("%d times %s in %v, want once", n, k, kernels)
		}
	}
	for range 3 {
		if err := r.program.Run(ctx); err != nil {
			t.Fatal(err)
		}
	}
	before := devicetest.Machine(dev).Traffic()
	if n := testing.AllocsPerRun(20, func() {
		if err := r.program.Run(ctx); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("a step allocates %v times, want 0", n)
	}
	if after := devicetest.Machine(dev).Traffic(); after != before {
		t.Errorf("steps moved %d bytes up and %d down, want 0 and 0", after.Up-before.Up, after.Down-before.Down)
	}
}

// TestMixedResume interrupts a run that stores f16 and goes on: weights and scale must
// be those of the unbroken run, to the bit. It starts with a scale that is too large.
func TestMixedResume(t *testing.T) {
	dev := withF16(t)
	if dev == nil {
		return
	}
	devicetest.NoLeaks(t, dev)
	set, test := stripes(150, 3), stripes(40, 4)
	path, other := filepath.Join(t.TempDir(), "broken.safetensors"), filepath.Join(t.TempDir(), "whole.safetensors")
	start := func(path string) *Loop {
		l := mixed(&Adam{LR: 3e-3})
		l.LossScale, l.Checkpoint = LossScale{First: largestScale, Interval: 4}, path
		return l
	}
	whole := start(other)
	defer forget(dev, whole.Model)
	if _, err := whole.Run(context.Background(), dev, set, test); err != nil {
		t.Fatal(err)
	}
	want, err := readCheckpoint(other)
	if err != nil {
		t.Fatal(err)
	}
	if counts, err := want.Tensors["train.scale_counts"].Uint32(); err != nil || counts[1] == 0 || counts[1] > 12 {
		t.Errorf("counts %v, %v, want a step that was skipped, and 6 or more of 18 that were not", counts, err)
	}
	for _, cut := range []int{1, 6, 9, 14} {
		broken, again := start(path), start(path)
		if _, err := broken.Run(&countdown{Context: context.Background(), left: cut}, dev, set, test); !errors.Is(err, ErrInterrupted) {
			t.Fatalf("cut at %d: got %v, want ErrInterrupted", cut, err)
		}
		again.Resume = true
		if _, err := again.Run(context.Background(), dev, set, test); err != nil {
			t.Fatal(err)
		}
		forget(dev, broken.Model, again.Model)
		got, err := readCheckpoint(path)
		if err != nil {
			t.Fatal(err)
		}
		for name, x := range want.Tensors {
			if !slices.Equal(got.Tensors[name].Data, x.Data) {
				t.Errorf("cut at %d: %s differs from the unbroken run's", cut, name)
			}
		}
	}
	changed := start(path)
	changed.Resume, changed.LossScale.Interval = true, 5
	if _, err := changed.Run(context.Background(), dev, set, test); err == nil || !strings.Contains(err.Error(), "loss scale is") {
		t.Errorf("with another interval: got %v", err)
	}
	forget(dev, changed.Model)
}

// TestMixedWatch wants steps that are skipped to be no error of a run that is watched or
// that saves between the batches of an update, and to leave the weights of one that is not.
func TestMixedWatch(t *testing.T) {
	dev := withF16(t)
	if dev == nil {
		return
	}
	devicetest.NoLeaks(t, dev)
	set := stripes(150, 3)
	for _, parts := range []int{1, 3} {
		sums := map[string]bool{}
		for _, looked := range []bool{false, true} {
			l := mixed(&Adam{LR: 3e-3})
			l.Accumulate, l.Epochs, l.LossScale = parts, 4, LossScale{First: largestScale, Interval: 4}
			if looked {
				l.Watch, l.Checkpoint, l.Interval = true, filepath.Join(t.TempDir(), "c.safetensors"), 1
			}
			h, err := l.Run(context.Background(), dev, set, nil)
			forget(dev, l.Model)
			if err != nil || h[3].Skipped == 0 {
				t.Fatalf("updates of %d batches, watched and saved %v: %v, %v, want skipped steps and no error", parts, looked, h, err)
			}
			sums[digest(l.Model)] = true
		}
		if len(sums) != 1 {
			t.Errorf("updates of %d batches: weights %v, want the same of all", parts, sums)
		}
	}
}

// TestMixedNeverFinite plants a NaN gradient in runs that store f16, and wants an error once
// the scale is 1: in that step and with the layer where it is watched or saved, at the end
// of the epoch else.
func TestMixedNeverFinite(t *testing.T) {
	dev := withF16(t)
	if dev == nil {
		return
	}
	devicetest.NoLeaks(t, dev)
	for _, c := range []struct {
		parts int
		watch bool
		path  string
	}{{1, true, ""}, {2, false, filepath.Join(t.TempDir(), "c.safetensors")}, {1, false, ""}} {
		want := NotFinite{Step: 2 * c.parts, Layer: "2 Spoiler", What: "gradient", From: "spoil.forward y"} // of scales 2 and 1
		if !c.watch && c.path == "" {
			want = NotFinite{Step: 10, What: "gradient of the loss at scale 1"}
		}
		s := newSpoiler()
		s.backward.Data[0] = float32(math.NaN())
		m := layers.Sequential{layers.Flatten{}, layers.NewLinear(64, 4), s}
		l := Loop{
			Model: m, Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &SGD{LR: 0.1}, Batch: 10, Epochs: 2, Accumulate: c.parts,
			Storage: compute.F16, LossScale: LossScale{First: 2}, Watch: c.watch, Checkpoint: c.path,
		}
		_, err := l.Run(context.Background(), dev, stripes(100, 1), nil)
		forget(dev, m)
		dev.Forget(s.forward, s.backward)
		var got *NotFinite
		if !errors.As(err, &got) || *got != want {
			t.Errorf("updates of %d, watch %v, checkpoint %q: got %v, want %v", c.parts, c.watch, c.path, err, &want)
		}
	}
}

// deaf is an optimizer that does not look at State.Gate.
type deaf struct{ SGD }

func (d *deaf) Update(t *compute.Tape, s *State) {
	(&SGD{}).Update(t, &State{Names: s.Names, Params: s.Params, Rate: s.Rate})
}

// TestMixedRefuses wants settings that cannot work to be errors.
func TestMixedRefuses(t *testing.T) {
	dev := compute.Reference()
	defer dev.Close()
	for want, change := range map[string]func(l *Loop){
		"power of 2":           func(l *Loop) { l.LossScale.First = 1000 },
		"from 1 to 2^24":       func(l *Loop) { l.LossScale.First = 1 << 25 },
		"interval of -1 steps": func(l *Loop) { l.LossScale.Interval = -1 },
		"State.Gate":           func(l *Loop) { l.Optimizer = &deaf{} },
		"shader-f16":           func(*Loop) {},
	} {
		l := mixed(&SGD{})
		change(l)
		if _, err := l.Run(context.Background(), dev, stripes(100, 1), stripes(20, 2)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}

// TestGatedKernels judges the kernels of mixed precision by themselves, on devices
// without f16 too.
func TestGatedKernels(t *testing.T) {
	var kernels []*compute.Kernel
	for _, k := range ir.Kernels() {
		if strings.HasSuffix(k.Package(), "/train") && (strings.HasSuffix(k.Name(), "_gated") || strings.HasPrefix(k.Name(), "loss_scale.")) {
			kernels = append(kernels, (*compute.Kernel)(k))
		}
	}
	if len(kernels) < 6 {
		t.Errorf("%d kernels, want 6 or more", len(kernels))
	}
	conform.Test(t, devicetest.Open(t), kernels...)
}
