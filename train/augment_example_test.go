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

// A loop shifts and turns each training image anew in every step, on the device.
func ExampleAugment() {
	dev := compute.Reference()
	defer dev.Close()
	trainSet, testSet := data.Digits(data.DigitsOptions{Train: 200, Test: 50})
	fit := train.Loop{
		Model: layers.Sequential{layers.Flatten{}, layers.NewLinear(28*28, 10)},
		Loss:  layers.SoftmaxCrossEntropy{}, Optimizer: &train.AdamW{LR: 3e-3}, Batch: 50, Epochs: 2,
		Augment: &train.Augment{Shift: 2, Rotate: 10, Scale: 0.1, Shear: 0.1, Mixup: 0.2},
	}
	history, err := fit.Run(context.Background(), dev, trainSet, testSet)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("the loss falls:", history[1].Loss < history[0].Loss)
	// Output: the loss falls: true
}

// Apply works on any tape that has a clock: here it mirrors an image of two rows.
func ExampleAugment_Apply() {
	ctx, dev := context.Background(), compute.Reference()
	defer dev.Close()
	tape := compute.NewTape(dev)
	tape.Clock = compute.NewParamU32("clock", 2) // the step and the seed
	x := tape.Input("x", compute.F32, 1, 1, 2, 3)
	y, _ := (&train.Augment{FlipX: 1}).Apply(tape, x, nil)
	tape.Keep(y)
	p, err := tape.Compile()
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	mirrored := make([]float32, 6)
	for _, err := range []error{p.Write(x, []float32{1, 2, 3, 4, 5, 6}), p.Run(ctx), p.Read(ctx, y, mirrored)} {
		if err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(mirrored)
	// Output: [3 2 1 6 5 4]
}
