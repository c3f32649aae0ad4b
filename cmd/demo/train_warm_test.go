package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train"
	"github.com/pumice-ml/pumice/train/data"
)

// failing is a loop whose batch is larger than the set.
func failing() train.Loop {
	return train.Loop{Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &train.SGD{}, Batch: 100}
}

// TestWarmFails wants a failure told once: by wait where the sets are those it was for,
// else by end, but not where only their sizes are others.
func TestWarmFails(t *testing.T) {
	dev, err := compute.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	o := &trainOptions{}
	o.data, o.model, o.images = "builtin", "mlp", 50
	trainSet, testSet := data.Digits(data.DigitsOptions{Train: 50, Test: 10})
	const want = "batch of 100 examples, want 1 to 50"

	w := o.warm(t.Context(), dev, failing())
	if err := w.wait(trainSet, testSet); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("wait: %v, want %q", err, want)
	}
	if err := w.end(); err != nil {
		t.Errorf("told again: %v", err)
	}
	w = o.warm(t.Context(), dev, failing())
	if err := w.end(); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("end: %v, want %q", err, want)
	}
	w = o.warm(t.Context(), dev, failing())
	if err := errors.Join(w.wait(testSet, testSet), w.end()); err != nil {
		t.Errorf("of other sets: %v", err)
	}
	o.data = t.TempDir()
	w = o.warm(t.Context(), dev, failing())
	if err := errors.Join(w.wait(trainSet, testSet), w.end()); err != nil {
		t.Errorf("of a folder, whose sizes are not known: %v", err)
	}
}
