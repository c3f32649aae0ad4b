package train

import (
	"context"
	"errors"
	"maps"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
)

// TestResumeEverything interrupts a run with everything between gradients and weights, at
// random steps and often more than once, and wants what the unbroken run has, to the bit:
// model, optimizer, averages, sums, best weights and history.
func TestResumeEverything(t *testing.T) {
	devices(t, func(t *testing.T, dev *compute.Device) {
		set, test, dir, ctx := stripes(150, 3), stripes(40, 4), t.TempDir(), context.Background()
		whole := everything()
		whole.Checkpoint = filepath.Join(dir, "whole.safetensors")
		defer forget(dev, whole.Model)
		history, err := whole.Run(ctx, dev, set, test)
		if err != nil || len(history) != 3 {
			t.Fatalf("%d epochs, %v", len(history), err)
		}
		want, err := readCheckpoint(whole.Checkpoint)
		if err != nil {
			t.Fatal(err)
		}
		random, cuts := rand.New(rand.NewPCG(1, 2)), 12
		switch {
		case dev.IsReference() || testing.Short():
			cuts = 6
		case devicetest.Full():
			cuts = 50
		}
		path := filepath.Join(dir, "broken.safetensors")
		for begun := false; cuts > 0; {
			l := everything()
			l.Checkpoint, l.Resume = path, begun
			again, err := l.Run(&countdown{Context: ctx, left: 1 + random.IntN(20)}, dev, set, test)
			forget(dev, l.Model)
			if begun = errors.Is(err, ErrInterrupted); begun {
				cuts--
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			if digest(l.Model) != digest(whole.Model) {
				t.Errorf("%d cuts to go: the model differs from the unbroken run's", cuts)
			}
			got, err := readCheckpoint(path)
			if err != nil {
				t.Fatal(err)
			}
			for name, x := range want.Tensors {
				if !slices.Equal(got.Tensors[name].Data, x.Data) {
					t.Errorf("%d cuts to go: %s differs from the unbroken run's", cuts, name)
				}
			}
			sameHistory(t, again, history)
			if len(got.Tensors) != len(want.Tensors) || got.Metadata["weights"] != "best." || got.Metadata["step"] != want.Metadata["step"] {
				t.Errorf("%d cuts to go: metadata %v, want %v", cuts, got.Metadata, want.Metadata)
			}
		}
	})
}

// sameHistory wants two histories to be alike, to the bit, but for times and the confusion
// of epochs that were done before.
func sameHistory(t *testing.T, got, want History) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d epochs, want %d", len(got), len(want))
	}
	for i, e := range want {
		g := got[i]
		if g.Epoch != e.Epoch || g.Loss != e.Loss || g.TrainAccuracy != e.TrainAccuracy || g.TestLoss != e.TestLoss || g.TestAccuracy != e.TestAccuracy || g.Skipped != e.Skipped ||
			g.LearningRate != e.LearningRate || !maps.Equal(g.Metrics, e.Metrics) || !maps.Equal(g.TestMetrics, e.TestMetrics) {
			t.Errorf("epoch %d: got %+v, want %+v", i+1, g, e)
		}
	}
}

// stopping is a loop that the history decides about: its rate falls, it stops before its
// last epoch, and it saves the best epoch and every other one.
func stopping(dir string, storage compute.DType) *Loop {
	l := plain()
	l.Epochs, l.Storage, l.LossScale, l.Accumulate, l.Watch = 9, storage, LossScale{First: largestScale, Interval: 4}, 2, true
	l.Optimizer, l.Schedule = &SGD{LR: 0.5, Momentum: 0.9}, ReduceOnPlateau{Monitor: "test_loss", Factor: 0.5, Patience: -1, MinDelta: 0.3}
	l.EarlyStopping = &EarlyStopping{Monitor: "accuracy", Mode: "min", Patience: 6, Restore: true} // an accuracy that falls is rare
	l.Checkpoint = filepath.Join(dir, "c.safetensors")
	l.SaveBest, l.SaveEvery = &SaveBest{Path: filepath.Join(dir, "best.safetensors")}, &SaveEvery{Folder: filepath.Join(dir, "all"), Epochs: 2, Keep: 2}
	return l
}

// TestResumeStops interrupts runs that stop by their history, at random steps, and wants the
// unbroken ones' history, weights and files.
func TestResumeStops(t *testing.T) {
	devices(t, func(t *testing.T, dev *compute.Device) {
		set, test, ctx := stripes(40, 3), stripes(20, 4), context.Background()
		storage := compute.F32
		if dev.Stores(compute.F16) == nil { // the reference device runs the other
			storage = compute.F16
		}
		wholeDir, dir := t.TempDir(), t.TempDir()
		whole := stopping(wholeDir, storage)
		want, err := whole.Run(ctx, dev, set, test)
		forget(dev, whole.Model)
		if err != nil || len(want) < 6 || len(want) == 9 || want[len(want)-1].LearningRate == 0.5 {
			t.Fatalf("%d epochs, %v, want 6 to 8, and a rate that falls", len(want), err)
		}
		random, begun := rand.New(rand.NewPCG(3, 4)), false
		for cuts := 0; ; {
			l := stopping(dir, storage)
			l.Resume = begun
			got, err := l.Run(&countdown{Context: ctx, left: 1 + random.IntN(24)}, dev, set, test)
			forget(dev, l.Model)
			if errors.Is(err, ErrInterrupted) {
				begun, cuts = true, cuts+1
				continue
			}
			if err != nil || cuts < 2 {
				t.Fatalf("%v after %d cuts", err, cuts)
			}
			sameHistory(t, got, want)
			if digest(l.Model) != digest(whole.Model) {
				t.Errorf("%d cuts: the model differs from the unbroken run's", cuts)
			}
			break
		}
		files := func(dir string) (names []string) {
			for _, pattern := range []string{"*.safetensors", "all/*"} {
				found, err := filepath.Glob(filepath.Join(dir, pattern))
				if err != nil {
					t.Fatal(err)
				}
				for _, path := range found {
					names = append(names, strings.TrimPrefix(path, dir))
				}
			}
			return names
		}
		names := files(wholeDir)
		if got := files(dir); !slices.Equal(got, names) || len(names) != 4 {
			t.Fatalf("files %v, want %v", got, names)
		}
		for _, name := range names {
			a, err := readCheckpoint(wholeDir + name)
			b, err2 := readCheckpoint(dir + name)
			if err := errors.Join(err, err2); err != nil {
				t.Fatal(err)
			}
			for tensor, x := range a.Tensors {
				if !slices.Equal(b.Tensors[tensor].Data, x.Data) {
					t.Errorf("%s: %s differs from the unbroken run's", name, tensor)
				}
			}
		}
	})
}

// TestMove goes on with a checkpoint on another device, and back, and wants the losses
// within the band of the run that stays on the reference device, over 100 steps.
func TestMove(t *testing.T) {
	reference := compute.Reference()
	defer reference.Close()
	set, test := stripes(250, 3), stripes(40, 4)
	start := func(path string) *Loop {
		l := everything()
		l.Optimizer, l.Batch, l.Accumulate, l.Epochs, l.Checkpoint = &SGD{LR: 0.05, Momentum: 0.9}, 5, 2, 2, path
		l.EarlyStopping = nil
		return l
	}
	stay := start("")
	want, err := stay.Run(context.Background(), reference, set, test)
	if err != nil {
		t.Fatal(err)
	}
	devices(t, func(t *testing.T, dev *compute.Device) {
		path := filepath.Join(t.TempDir(), "c.safetensors")
		var h History
		for i, on := range []*compute.Device{reference, dev, reference} {
			l := start(path)
			l.Resume = i > 0
			ctx := &countdown{Context: context.Background(), left: 35}
			if i == 2 {
				ctx.left = math.MaxInt
			}
			h, err = l.Run(ctx, on, set, test)
			forget(on, l.Model)
			if i < 2 && !errors.Is(err, ErrInterrupted) || i == 2 && err != nil {
				t.Fatal(err)
			}
		}
		for i := range want {
			if off := math.Abs(h[i].Loss - want[i].Loss); !(off <= 1e-4) {
				t.Errorf("epoch %d: loss %v, want %v", i+1, h[i].Loss, want[i].Loss)
			}
			if off := math.Abs(h[i].TestLoss - want[i].TestLoss); !(off <= 1e-4) {
				t.Errorf("epoch %d: test loss %v, want %v", i+1, h[i].TestLoss, want[i].TestLoss)
			}
		}
	})
}
