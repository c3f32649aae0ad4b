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

// ExampleLoop_Warm compiles a run while its sets are drawn.
func ExampleLoop_Warm() {
	ctx := context.Background()
	dev, err := compute.Open(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer dev.Close()
	model := layers.Sequential{layers.Flatten{}, layers.NewLinear(28*28, 10)}
	fit := train.Loop{Model: model, Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &train.AdamW{LR: 3e-3}, Batch: 50, Epochs: 1}
	options := data.DigitsOptions{Train: 1000, Test: 500}

	warm := make(chan error, 1)
	go func() {
		blankTrain, blankTest := data.BlankDigits(options)
		warm <- fit.Warm(ctx, dev, blankTrain, blankTest)
	}()
	trainSet, testSet := data.Digits(options)
	if err := <-warm; err != nil {
		log.Fatal(err)
	}
	history, err := fit.Run(ctx, dev, trainSet, testSet) // which finds its pipelines in the device
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("epochs:", len(history))
	// Output: epochs: 1
}
