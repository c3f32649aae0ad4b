package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/infer"
	"github.com/pumice-ml/pumice/train/data"
)

func TestEmbed(t *testing.T) {
	reference := compute.Reference()
	defer reference.Close()
	_, digits := data.Digits(data.DigitsOptions{Train: 10, Test: 60})
	for name, dev := range map[string]*compute.Device{"adapter": devicetest.Open(t), "reference": reference} {
		t.Run(name, func(t *testing.T) {
			session, err := open(dev)
			if err != nil {
				t.Fatal(err)
			}
			var right atomic.Int32
			var wg sync.WaitGroup
			for i := range digits.Len() {
				wg.Go(func() {
					pixels := make([]float32, 28*28)
					for j, b := range digits.Image(i) {
						pixels[j] = float32(b) / 255
					}
					probs, err := session.Predict(context.Background(), pixels)
					if err != nil {
						t.Error(err)
						return
					}
					if slices.Index(probs, slices.Max(probs)) == int(digits.Labels[i]) {
						right.Add(1)
					}
				})
			}
			wg.Wait()
			if n := right.Load(); n < 56 {
				t.Errorf("%d of 60 digits are right, want 56 or more", n)
			}
			session.Close()
			if _, err := session.Predict(context.Background(), make([]float32, 28*28)); !errors.Is(err, infer.ErrClosed) {
				t.Errorf("after Close: got %v, want ErrClosed", err)
			}
		})
	}
}
