package train

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train/data"
)

func TestMain(m *testing.M) { devicetest.Main(m, "pumice/train") }

// stripes is a set of 8x8 images of four classes: where a bright bar stands.
func stripes(n int, seed uint32) *data.Set {
	s := &data.Set{Name: "stripes", Channels: 1, Height: 8, Width: 8, Classes: []string{"top", "bottom", "left", "right"}}
	for i := range n {
		class := compute.RandomBits(seed, 0, 0, uint32(i))[0] % 4
		s.Labels = append(s.Labels, byte(class))
		for j := range 64 {
			v := compute.RandomBits(seed, 1, uint32(j), uint32(i))[0] % 90
			if y, x := j/8, j%8; []bool{y < 3, y > 4, x < 3, x > 4}[class] {
				v += 60
			}
			s.Pixels = append(s.Pixels, byte(v))
		}
	}
	return s
}

func small() layers.Layer {
	m := layers.Sequential{
		layers.NewConv2D(1, 4, 3), layers.NewBatchNorm2D(4), layers.ReLU{}, layers.MaxPool2D{Size: 2}, layers.Flatten{}, layers.Dropout{P: 0.2}, layers.NewLinear(36, 4),
	}
	layers.Initialize(m, 5)
	return m
}

func digest(m layers.Layer) string {
	h := sha256.New()
	for name, p := range layers.Params(m) {
		fmt.Fprintln(h, name, p.Shape)
		if err := binary.Write(h, binary.LittleEndian, p.Data); err != nil {
			panic(err)
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

func devices(t *testing.T, f func(t *testing.T, dev *compute.Device)) {
	t.Run("reference", func(t *testing.T) {
		dev := compute.Reference()
		defer dev.Close()
		f(t, dev)
	})
	t.Run("gpu", func(t *testing.T) {
		dev := devicetest.Open(t)
		devicetest.NoLeaks(t, dev)
		f(t, dev)
	})
}

// forget frees what a device holds of models.
func forget(dev *compute.Device, models ...layers.Layer) {
	for _, m := range models {
		for _, p := range layers.Params(m) {
			dev.Forget(p)
		}
	}
}

func TestLoopLearns(t *testing.T) {
	devices(t, func(t *testing.T, dev *compute.Device) {
		fit := Loop{Model: small(), Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &AdamW{LR: 5e-3}, Batch: 20, Epochs: 3, Seed: 1}
		defer forget(dev, fit.Model)
		history, err := fit.Run(context.Background(), dev, stripes(600, 1), stripes(110, 2))
		if err != nil {
			t.Fatal(err)
		}
		if last := history[len(history)-1]; len(history) != 3 || last.TestAccuracy < 0.95 || last.Loss > history[0].Loss {
			t.Errorf("history %+v, want 3 epochs that end at 0.95 or more", history)
		}
	})
}

// TestSteadyState shows that a step moves no tensor between host and device and
// allocates nothing in Go.
func TestSteadyState(t *testing.T) {
	dev := devicetest.Open(t)
	l := &Loop{Model: small(), Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &AdamW{}, Batch: 16, Seed: 1}
	set := stripes(160, 1)
	r, err := l.prepare(dev, set)
	if err != nil {
		t.Fatal(err)
	}
	release, err := r.compile()
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	ctx := context.Background()
	step := func() {
		if err := r.program.Run(ctx); err != nil {
			t.Fatal(err)
		}
	}
	for range 5 {
		step()
	}
	before := devicetest.Machine(dev).Traffic()
	for range 10 {
		step()
	}
	if after := devicetest.Machine(dev).Traffic(); after != before {
		t.Errorf("10 steps moved %d bytes up and %d down, want 0 and 0", after.Up-before.Up, after.Down-before.Down)
	}
	if n := testing.AllocsPerRun(50, step); n != 0 {
		t.Errorf("a step allocates %v times, want 0", n)
	}
}

// TestDevicesAgree trains the same model on both devices for 30 steps.
func TestDevicesAgree(t *testing.T) {
	var losses [][]float64
	devices(t, func(t *testing.T, dev *compute.Device) {
		l := &Loop{Model: small(), Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &SGD{Momentum: 0.9}, Batch: 16, Epochs: 3, Seed: 4}
		defer forget(dev, l.Model)
		h, err := l.Run(context.Background(), dev, stripes(160, 1), stripes(40, 2))
		if err != nil {
			t.Fatal(err)
		}
		var curve []float64
		for _, e := range h {
			curve = append(curve, e.Loss, e.TestLoss)
		}
		losses = append(losses, curve)
	})
	for i := range losses[0] {
		if off := math.Abs(losses[0][i] - losses[1][i]); off > 1e-4 {
			t.Errorf("loss %d: reference %v, gpu %v", i, losses[0][i], losses[1][i])
		}
	}
}

func TestPermute(t *testing.T) {
	for _, n := range []uint32{1, 2, 3, 100, 4099} {
		bits := uint32(1)
		for 1<<(2*bits) < n {
			bits++
		}
		seen := map[uint32]bool{}
		for i := range n {
			seen[permute(i, n, bits, 7, 3)] = true
		}
		if len(seen) != int(n) {
			t.Errorf("permute over %d reaches %d values", n, len(seen))
		}
	}
}

func TestLoopRefuses(t *testing.T) {
	dev := compute.Reference()
	defer dev.Close()
	for name, l := range map[string]Loop{
		"train: batch of 500 examples, want 1 to 20, the size of the set stripes": {Batch: 500, Optimizer: &Adam{}},
		"train: -1 epochs, want 1 or more":                                        {Batch: 5, Epochs: -1, Optimizer: &Adam{}},
		"train: learning rate NaN, want a positive number":                        {Batch: 5, Optimizer: &Adam{LR: math.NaN()}},
	} {
		l.Model, l.Loss = small(), layers.SoftmaxCrossEntropy{}
		if _, err := l.Run(context.Background(), dev, stripes(20, 1), stripes(20, 1)); err == nil || err.Error() != name {
			t.Errorf("got %v, want %s", err, name)
		}
	}
	for want, change := range map[string]func(l *Loop){
		"train: Loop: Model is nil":                       func(l *Loop) { l.Model = nil },
		"train: Loop: Loss is nil":                        func(l *Loop) { l.Loss = nil },
		"train: Loop: Optimizer is nil":                   func(l *Loop) { l.Optimizer = nil },
		"train: Loop: Resume without a Checkpoint":        func(l *Loop) { l.Resume = true },
		"train: 4294967296 epochs of 4 batches, want few": func(l *Loop) { l.Epochs = 1 << 32 },
	} {
		l := Loop{Model: small(), Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &Adam{}, Batch: 5}
		change(&l)
		if _, err := l.Run(context.Background(), dev, stripes(20, 1), nil); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	l := Loop{Model: layers.Sequential{layers.Flatten{}, layers.NewLinear(64, 3)}, Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &Adam{}, Batch: 5}
	want := "train: the model makes [5 3] of 5 examples, want (5, classes) with 4 classes or more, those of stripes"
	if _, err := l.Run(context.Background(), dev, stripes(20, 1), stripes(20, 1)); err == nil || err.Error() != want {
		t.Errorf("a model of 3 classes: got %v, want %s", err, want)
	}
	l.Model = small()
	if _, err := l.Run(context.Background(), dev, stripes(20, 1), stripes(0, 1)); err == nil || err.Error() != "train: stripes has no examples to evaluate" {
		t.Errorf("an empty test set: got %v", err)
	}
	if left := dev.Ledger(); len(left) > 1 || len(left) == 1 && left[0].Owner != "parameters" {
		t.Errorf("failed starts hold %+v", left)
	}
}

// TestDiverged trains at a rate that breaks the weights: the error says so, and
// the checkpoint holds the last good ones.
func TestDiverged(t *testing.T) {
	devices(t, func(t *testing.T, dev *compute.Device) {
		path := filepath.Join(t.TempDir(), "c.safetensors")
		l := Loop{
			Model: small(), Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &SGD{LR: 1e30}, Batch: 10, Epochs: 2,
			Checkpoint: path, Interval: time.Nanosecond,
		}
		defer forget(dev, l.Model)
		_, err := l.Run(context.Background(), dev, stripes(100, 1), stripes(20, 2))
		if !errors.Is(err, ErrDiverged) {
			t.Fatalf("got %v, want ErrDiverged", err)
		}
		m := small()
		if err := LoadModel(path, m); err != nil {
			t.Fatal(err)
		}
		for name, p := range layers.Params(m) {
			for _, v := range p.Data {
				if !finite(float64(v)) {
					t.Fatalf("%s in the checkpoint holds %v", name, v)
				}
			}
		}
	})
}

// TestLinear follows the learning rate of a run from step to step.
func TestLinear(t *testing.T) {
	devices(t, func(t *testing.T, dev *compute.Device) {
		clock, rate := compute.NewParamU32("clock", 2), compute.NewParam("rate", 1)
		defer dev.Forget(clock, rate)
		tape := compute.NewTape(dev)
		Linear{Final: 0.25}.Rate(tape, tape.Param(clock), tape.Param(rate), 0.5, 4)
		clockTick.Run(clockParams{1}, tape.Param(clock))
		p, err := tape.Compile()
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		for step, want := range []float32{0.5, 0.40625, 0.3125, 0.21875, 0.125, 0.125} {
			if err := errors.Join(p.Run(context.Background()), dev.Download(context.Background(), rate)); err != nil {
				t.Fatal(err)
			}
			if math.Abs(float64(rate.Data[0]-want)) > 1e-7 {
				t.Errorf("rate of step %d is %v, want %v", step, rate.Data[0], want)
			}
		}
	})
}
