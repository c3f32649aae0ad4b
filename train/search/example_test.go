package search_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train"
	"github.com/pumice-ml/pumice/train/data"
	"github.com/pumice-ml/pumice/train/search"
)

// Six learning rates are tried for one epoch, three of them for a second one.
func Example() {
	ctx := context.Background()
	dev := compute.Reference() // or compute.Open(ctx)
	defer dev.Close()
	folder, err := os.MkdirTemp("", "search")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	trainSet, validation := data.Digits(data.DigitsOptions{Train: 500, Test: 200})
	loops := &search.Loops{Device: dev, Train: trainSet, Validation: validation, Folder: folder, Build: func(t search.Trial) (*train.Loop, error) {
		model := layers.Sequential{layers.Flatten{}, layers.NewLinear(784, 10)}
		layers.Initialize(model, 1)
		return &train.Loop{Model: model, Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &train.Adam{LR: t.Float("lr")}, Batch: 25, Epochs: 2}, nil
	}}
	space, err := search.ParseSpace("lr=1e-5..1")
	if err != nil {
		log.Fatal(err)
	}
	results, err := search.Run(ctx, space, search.Options{Trials: 6, Epochs: 2, Seed: 1}, loops.Objective)
	if err != nil {
		log.Fatal(err)
	}
	for place, r := range results {
		fmt.Println(place+1, "trained for", r.Epochs)
	}
	best := results[0].Float("lr")
	fmt.Println("the best rate is neither tiny nor huge:", best > 1e-4 && best < 0.3)
	// Output:
	// 1 trained for 2
	// 2 trained for 2
	// 3 trained for 2
	// 4 trained for 1
	// 5 trained for 1
	// 6 trained for 1
	// the best rate is neither tiny nor huge: true
}
