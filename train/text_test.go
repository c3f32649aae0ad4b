package train

import (
	"context"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train/data"
)

// TestTopics trains on the corpus that comes with package data, from rows of its
// term-document matrix and from indices of tokens, and wants nine in ten of the held-out
// documents told right.
func TestTopics(t *testing.T) {
	train, test := data.Topics()
	v, err := data.NewVocabulary(train.Documents, 2, 0)
	if err != nil {
		t.Fatal(err)
	}
	terms := data.TFIDF(v, train.Documents)
	ids := func(x *data.Texts) data.Dataset {
		a, err := x.IDs(v, 32)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	bag := layers.NewEmbeddingBag(v.Len(), 32, 0)
	bag.Weight.Init = layers.Normal(0.1)
	for name, c := range map[string]struct {
		train, test data.Dataset
		model       layers.Layer
	}{
		"tf-idf":  {train.Terms(terms), test.Terms(terms), layers.Sequential{layers.NewLinear(terms.Width(), 5)}},
		"counts":  {train.Terms(data.CountTerms(v)), test.Terms(data.CountTerms(v)), layers.Sequential{layers.NewLinear(terms.Width(), 5)}},
		"indices": {ids(train), ids(test), layers.Sequential{bag, layers.NewLinear(32, 5)}},
	} {
		t.Run(name, func(t *testing.T) {
			devices(t, func(t *testing.T, dev *compute.Device) {
				layers.Initialize(c.model, 1)
				l := Loop{Model: c.model, Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &AdamW{LR: 0.01}, Schedule: Linear{}, Batch: 20, Epochs: 6, Seed: 1}
				defer forget(dev, c.model)
				h, err := l.Run(context.Background(), dev, c.train, c.test)
				if err != nil {
					t.Fatal(err)
				}
				last := h[len(h)-1]
				t.Logf("%d tokens, accuracy %.3f, of training %.3f", v.Len(), last.TestAccuracy, last.TrainAccuracy)
				if last.TestAccuracy < 0.9 {
					t.Errorf("held-out accuracy %v, want 0.9 or more", last.TestAccuracy)
				}
			})
		})
	}
}
