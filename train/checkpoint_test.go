package train

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/safetensors"
)

// countdown is a context that ends when the loop has asked it a number of times,
// once before each step.
type countdown struct {
	context.Context
	left int
}

func (c *countdown) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// TestResume interrupts a run at random steps and goes on from the checkpoint:
// the weights must be those of the unbroken run, to the bit.
func TestResume(t *testing.T) {
	devices(t, func(t *testing.T, dev *compute.Device) {
		make := func() *Loop {
			return &Loop{Model: small(), Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &Adam{LR: 3e-3}, Schedule: Linear{}, Batch: 16, Epochs: 2, Seed: 9}
		}
		set, test := stripes(150, 3), stripes(40, 4)
		whole := make()
		defer forget(dev, whole.Model)
		want, err := whole.Run(context.Background(), dev, set, test)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "checkpoint.safetensors")
		for _, cut := range []int{1, 2, 6, 9, 10, 14, 18} {
			broken := make()
			broken.Checkpoint = path
			ctx := &countdown{Context: context.Background(), left: cut}
			if _, err := broken.Run(ctx, dev, set, test); !errors.Is(err, ErrInterrupted) {
				t.Fatalf("cut at %d: got %v, want ErrInterrupted", cut, err)
			}
			again := make()
			again.Checkpoint, again.Resume = path, true
			got, err := again.Run(context.Background(), dev, set, test)
			if err != nil {
				t.Fatal(err)
			}
			forget(dev, broken.Model, again.Model)
			if digest(again.Model) != digest(whole.Model) {
				t.Errorf("cut at %d: weights differ from the unbroken run's", cut)
			}
			for i := range want {
				if got[i].Loss != want[i].Loss || got[i].TestAccuracy != want[i].TestAccuracy {
					t.Errorf("cut at %d, epoch %d: got %+v, want %+v", cut, i+1, got[i], want[i])
				}
			}
		}
	})
}

// TestUnsaved cancels a run whose folder is gone: nobody is told that it was
// saved.
func TestUnsaved(t *testing.T) {
	dev := compute.Reference()
	defer dev.Close()
	dir := filepath.Join(t.TempDir(), "gone")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := Loop{
		Model: small(), Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &SGD{LR: 0.1}, Batch: 10, Epochs: 2,
		Checkpoint: filepath.Join(dir, "c.safetensors"),
		Finished: func(Epoch, int) {
			if err := os.RemoveAll(dir); err != nil {
				t.Error(err)
			}
			cancel()
		},
	}
	_, err := l.Run(ctx, dev, stripes(100, 1), stripes(20, 2))
	if err == nil || errors.Is(err, ErrInterrupted) || !strings.Contains(err.Error(), "could not be saved") {
		t.Errorf("got %v, want an error that says it could not be saved", err)
	}
}

// TestInterruptedModel wants the weights of the last step in the model of a run without a
// checkpoint too.
func TestInterruptedModel(t *testing.T) {
	devices(t, func(t *testing.T, dev *compute.Device) {
		path, sums := filepath.Join(t.TempDir(), "c.safetensors"), map[string]string{"": digest(small())}
		for _, name := range []string{path, "none"} {
			l := plain()
			if l.EMA = (&EMA{Decay: 0.5, Use: true}); name == path {
				l.Checkpoint = path
			}
			left := 6 // of which a run asks one before the first step
			if _, err := l.Run(&countdown{Context: context.Background(), left: left}, dev, stripes(40, 1), nil); !errors.Is(err, ErrInterrupted) {
				t.Fatal(err)
			}
			forget(dev, l.Model)
			sums[name] = digest(l.Model)
		}
		if sums["none"] != sums[path] || sums["none"] == sums[""] {
			t.Errorf("weights %v, want the same with and without a checkpoint, other than the first", sums)
		}
	})
}

// TestResumeBest wants a run that restores the best weights to go on only where it would
// keep the same.
func TestResumeBest(t *testing.T) {
	dev := compute.Reference()
	defer dev.Close()
	path, set := filepath.Join(t.TempDir(), "c.safetensors"), stripes(40, 1)
	begun := func(s EarlyStopping, resume bool) error {
		l := plain()
		s.Restore = true
		l.EarlyStopping, l.Checkpoint, l.Resume = &s, path, resume
		_, err := l.Run(context.Background(), dev, set, nil)
		return err
	}
	first := EarlyStopping{Monitor: "accuracy"}
	if err := begun(first, false); err != nil {
		t.Fatal(err)
	}
	for _, s := range []EarlyStopping{{Monitor: "loss"}, {Monitor: "accuracy", Mode: "min"}, {Monitor: "accuracy", MinDelta: 0.1}} {
		if err := begun(s, true); err == nil || !strings.Contains(err.Error(), "best weights is accuracy, least false, delta 0, this run's is") {
			t.Errorf("%+v: got %v", s, err)
		}
	}
	if err := begun(EarlyStopping{Monitor: "accuracy", Mode: "max", Patience: 7}, true); err != nil {
		t.Errorf("with another patience: %v", err)
	}
	f, err := readCheckpoint(path)
	if err != nil {
		t.Fatal(err)
	}
	f.Metadata["best_weights"] = "kept" // as files of before say
	f.Seal()
	if err := errors.Join(safetensors.WriteFile(path, f), begun(first, true)); err != nil {
		t.Errorf("with an older file: %v", err)
	}
}

// TestCheckpointConfusion wants a checkpoint to hold the last epoch's confusion alone.
func TestCheckpointConfusion(t *testing.T) {
	dev := compute.Reference()
	defer dev.Close()
	l := plain()
	l.Checkpoint = filepath.Join(t.TempDir(), "c.safetensors")
	h, err := l.Run(context.Background(), dev, stripes(40, 1), stripes(20, 2))
	if err != nil {
		t.Fatal(err)
	}
	again := plain()
	again.Checkpoint, again.Resume = l.Checkpoint, true
	got, err := again.Run(context.Background(), dev, stripes(40, 1), stripes(20, 2))
	if err != nil || len(got) != 3 {
		t.Fatal(got, err)
	}
	for i := range h {
		if kept := i == 2; h[i].Confusion == nil || (got[i].Confusion != nil) != kept {
			t.Errorf("epoch %d: confusion %v, resumed %v, want it kept: %v", i+1, h[i].Confusion, got[i].Confusion, kept)
		}
	}
}

// TestPrevious wants an older checkpoint untouched until a run starts, and kept
// then.
func TestPrevious(t *testing.T) {
	dev := compute.Reference()
	defer dev.Close()
	dir := t.TempDir()
	path, previous := filepath.Join(dir, "c.safetensors"), filepath.Join(dir, "p.safetensors")
	if err := os.WriteFile(path, []byte("older"), 0o644); err != nil {
		t.Fatal(err)
	}
	l := Loop{
		Model: small(), Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &SGD{LR: 0.1}, Batch: 200, Epochs: 1,
		Checkpoint: path, Previous: previous,
	}
	if _, err := l.Run(context.Background(), dev, stripes(100, 1), stripes(20, 2)); err == nil {
		t.Fatal("a batch larger than the set trains")
	}
	if b, err := os.ReadFile(path); string(b) != "older" {
		t.Errorf("after a failed start the checkpoint is %q, %v", b, err)
	}
	l.Batch = 10
	if _, err := l.Run(context.Background(), dev, stripes(100, 1), stripes(20, 2)); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(previous); string(b) != "older" {
		t.Errorf("the older checkpoint is %q, %v", b, err)
	}
	if _, _, err := Notes(path); err != nil {
		t.Error(err)
	}
}

// TestStopBeforeStart wants a start that is cancelled at once, and one that is cut
// before its first step, to leave what was trained.
func TestStopBeforeStart(t *testing.T) {
	dev := compute.Reference()
	defer dev.Close()
	dir := t.TempDir()
	path, previous := filepath.Join(dir, "c.safetensors"), filepath.Join(dir, "p.safetensors")
	start := func(ctx context.Context) error {
		l := Loop{
			Model: small(), Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &SGD{LR: 0.1}, Batch: 10, Epochs: 1,
			Checkpoint: path, Previous: previous,
		}
		_, err := l.Run(ctx, dev, stripes(100, 1), stripes(20, 2))
		return err
	}
	if err := start(context.Background()); err != nil {
		t.Fatal(err)
	}
	trained, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := start(&countdown{Context: context.Background(), left: 0}); err == nil || errors.Is(err, ErrInterrupted) || !strings.Contains(err.Error(), "nothing was written") {
		t.Errorf("cancelled before the start: got %v", err)
	}
	if b, err := os.ReadFile(path); string(b) != string(trained) {
		t.Errorf("a start that was cancelled changed the checkpoint, %v", err)
	}
	for range 2 {
		if err := start(&countdown{Context: context.Background(), left: 1}); !errors.Is(err, ErrInterrupted) {
			t.Errorf("cancelled before the first step: got %v", err)
		}
		if b, err := os.ReadFile(previous); string(b) != string(trained) {
			t.Errorf("the trained checkpoint is lost, %v", err)
		}
	}
}

// TestResumeRefuses wants a resumed run to be the one that was begun.
func TestResumeRefuses(t *testing.T) {
	dev := compute.Reference()
	defer dev.Close()
	path := filepath.Join(t.TempDir(), "c.safetensors")
	begun := func() Loop {
		return Loop{
			Model: small(), Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &SGD{LR: 0.1}, Batch: 10, Epochs: 2, Seed: 3, Checkpoint: path,
			Notes: map[string]string{"model": "small"},
		}
	}
	set, test := stripes(100, 1), stripes(20, 2)
	l := begun()
	if _, err := l.Run(context.Background(), dev, set, test); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(l *Loop){
		"data sha256 is": func(*Loop) { set = stripes(100, 9) },
		"seed is 3":      func(l *Loop) { l.Seed = 4 },
		"batch is 10":    func(l *Loop) { l.Batch = 20 },
		`"Momentum":0,`:  func(l *Loop) { l.Optimizer = &SGD{LR: 0.1, Momentum: 0.5} },
		"optimizer is":   func(l *Loop) { l.Optimizer = &Adam{LR: 0.1} },
		"learning rate":  func(l *Loop) { l.Optimizer = &SGD{LR: 0.2} },
		"schedule is":    func(l *Loop) { l.Schedule = Linear{} },
		`model is "small", this run has no such note`:     func(l *Loop) { l.Notes = nil },
		`other is "", this run's is "x"`:                  func(l *Loop) { l.Notes = map[string]string{"model": "small", "other": "x"} },
		"loss is":                                         func(l *Loop) { l.Loss = layers.SoftmaxCrossEntropy{LabelSmoothing: 0.1} },
		"20 steps are done, this run has 10, in 1 epochs": func(l *Loop) { l.Epochs = 1 },
		"does not fit":                                    func(l *Loop) { l.Model = layers.Sequential{layers.Flatten{}, layers.NewLinear(64, 4)} },
	} {
		l, before := begun(), set
		l.Resume = true
		change(&l)
		if _, err := l.Run(context.Background(), dev, set, test); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
		set = before
	}
}
