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

// Example trains a small network on digits and measures it.
func Example() {
	ctx := context.Background()
	dev, err := compute.Open(ctx) // or compute.Reference()
	if err != nil {
		log.Fatal(err)
	}
	defer dev.Close()
	trainSet, testSet := data.Digits(data.DigitsOptions{Train: 3000, Test: 500})
	model := layers.Sequential{
		layers.NewConv2D(1, 8, 5), layers.ReLU{}, layers.MaxPool2D{Size: 2},
		layers.Flatten{}, layers.NewLinear(8*12*12, 10),
	}
	fit := train.Loop{Model: model, Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &train.AdamW{LR: 3e-3}, Batch: 50, Epochs: 2}
	history, err := fit.Run(ctx, dev, trainSet, testSet)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("epochs:", len(history), "- better than 70%:", history[1].TestAccuracy > 0.7)
	// Output: epochs: 2 - better than 70%: true
}
