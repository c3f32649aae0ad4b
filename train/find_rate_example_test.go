package train_test

import (
	"context"
	"fmt"
	"log"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train"
	"github.com/pumice-ml/pumice/train/data"
)

// ExampleFindRate asks for a learning rate before it trains.
func ExampleFindRate() {
	ctx := context.Background()
	dev, err := compute.Open(ctx) // or compute.Reference()
	if err != nil {
		log.Fatal(err)
	}
	defer dev.Close()
	trainSet, _ := data.Digits(data.DigitsOptions{Train: 2000, Test: 1})
	model := layers.Sequential{layers.Flatten{}, layers.NewLinear(784, 10)}
	layers.Initialize(model, 1)
	fit := &train.Loop{Model: model, Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &train.SGD{}, Batch: 50}
	curve, err := train.FindRate(ctx, dev, fit, trainSet, 1e-5, 10, 60)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("a rate between 0.001 and 1:", curve.Suggestion > 1e-3 && curve.Suggestion < 1)
	// Output: a rate between 0.001 and 1: true
}
