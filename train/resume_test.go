package train

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/pumice-ml/pumice/compute"
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
		random, cuts := rand.New(rand.NewPCG(1, 2)), 50
		if dev.IsReference() || testing.Short() {
			cuts = 6
		}
		path := filepath.Join(dir, "broken.safetensors")
		for begun := false; cuts > 0; {
			l := everything()
			l.Checkpoint, l.Resume = path, begun
			_, err := l.Run(&countdown{Context: ctx, left: 1 + random.IntN(20)}, dev, set, test)
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
			if len(got.Tensors) != len(want.Tensors) || got.Metadata["weights"] != "best." || got.Metadata["step"] != want.Metadata["step"] {
				t.Errorf("%d cuts to go: metadata %v, want %v", cuts, got.Metadata, want.Metadata)
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
