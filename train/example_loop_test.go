package train_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train"
	"github.com/pumice-ml/pumice/train/data"
)

// digits is what the examples train on, and a loop for it.
func digits() (trainSet, testSet *data.Set, loop train.Loop) {
	trainSet, testSet = data.Digits(data.DigitsOptions{Train: 1000, Test: 200})
	model := layers.Sequential{layers.Flatten{}, layers.NewLinear(28*28, 32), layers.ReLU{}, layers.NewLinear(32, 10)}
	layers.Initialize(model, 1)
	return trainSet, testSet, train.Loop{Model: model, Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &train.AdamW{LR: 3e-3}, Batch: 50, Epochs: 2, Seed: 1}
}

// A callback sees a run from inside, and may stop it.
func ExampleCallback() {
	trainSet, testSet, loop := digits()
	loop.Callbacks = []train.Callback{{
		AfterEpoch: func(f *train.Fit) error {
			fmt.Printf("epoch %d ends at step %d, the loss is below 5: %v\n", f.Epoch, f.Step, f.History[0].TestLoss < 5)
			return nil
		},
		AfterStep: func(f *train.Fit) error {
			if f.Step == 25 {
				f.Stop("that is enough")
			}
			return nil
		},
		AfterFit: func(f *train.Fit) error {
			fmt.Println("at step", f.Step, "-", f.Stopped())
			return nil
		},
	}}
	dev := compute.Reference()
	defer dev.Close()
	if _, err := loop.Run(context.Background(), dev, trainSet, testSet); err != nil {
		log.Fatal(err)
	}
	// Output:
	// epoch 1 ends at step 20, the loss is below 5: true
	// at step 25 - that is enough
}

// A run that cannot improve ends early, with the weights of its best epoch.
func ExampleEarlyStopping() {
	trainSet, testSet, loop := digits()
	loop.Epochs = 50
	loop.EarlyStopping = &train.EarlyStopping{Monitor: "test_accuracy", Patience: 1, MinDelta: 0.6, Restore: true}
	dev := compute.Reference()
	defer dev.Close()
	history, err := loop.Run(context.Background(), dev, trainSet, testSet)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("fewer than 50 epochs:", len(history) < 50)
	// Output: fewer than 50 epochs: true
}

// What happens between gradients and weights: a rate that follows a cosine after a
// warm-up, clipping, two batches to an update, a smaller rate for the first layer, no
// weight decay of biases, and averages of the weights that are used in the end.
func ExampleLoop() {
	trainSet, testSet, loop := digits()
	loop.Schedule = train.Cosine{WarmUp: 5}
	loop.Clip = train.Clip{Norm: 1}
	loop.Accumulate = 2
	loop.Groups = []train.Group{{Match: "1.weight", Rate: 0.5}, {Match: "3.bias", Decay: -1}}
	loop.EMA = &train.EMA{Decay: 0.99, WarmUp: true, Use: true}
	dev := compute.Reference()
	defer dev.Close()
	history, err := loop.Run(context.Background(), dev, trainSet, testSet)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("better than chance:", history[1].TestAccuracy > 0.2, "- the last rate is below the first:", history[1].LearningRate < 3e-3)
	// Output: better than chance: true - the last rate is below the first: true
}

// A run that is watched stops at the first number that is not finite, and tells where.
func ExampleNotFinite() {
	trainSet, _, loop := digits()
	loop.Optimizer = &train.SGD{LR: 1e30}
	loop.Watch = true
	dev := compute.Reference()
	defer dev.Close()
	_, err := loop.Run(context.Background(), dev, trainSet, nil)
	var found *train.NotFinite
	if errors.As(err, &found) {
		fmt.Println("within 3 steps:", found.Step <= 3, "- a layer and a kernel:", found.Layer != "" && found.From != "", "-", errors.Is(err, train.ErrDiverged))
	}
	// Output: within 3 steps: true - a layer and a kernel: true - true
}

// Checkpoints: one to resume from, the best epoch's, and the last two. A run of one epoch goes
// on to the third.
func ExampleSaveEvery() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	dev := compute.Reference()
	defer dev.Close()
	for _, epochs := range []int{1, 3} {
		trainSet, testSet, loop := digits()
		loop.Epochs, loop.Resume = epochs, epochs > 1
		loop.Checkpoint = filepath.Join(dir, "checkpoint.safetensors")
		loop.SaveBest = &train.SaveBest{Path: filepath.Join(dir, "best.safetensors"), Monitor: "test_f1"}
		loop.SaveEvery = &train.SaveEvery{Folder: dir, Keep: 2}
		history, err := loop.Run(context.Background(), dev, trainSet, testSet)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("epochs:", len(history))
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range files {
		fmt.Println(f.Name())
	}
	// Output:
	// epochs: 1
	// epochs: 3
	// best.safetensors
	// checkpoint.safetensors
	// epoch-0002.safetensors
	// epoch-0003.safetensors
}

// Every class has the same part in a loss with balanced weights.
func ExampleBalancedWeights() {
	trainSet, testSet, loop := digits()
	weights, err := train.BalancedWeights(trainSet)
	if err != nil {
		log.Fatal(err)
	}
	loop.Loss = layers.SoftmaxCrossEntropy{Weights: weights, LabelSmoothing: 0.1}
	dev := compute.Reference()
	defer dev.Close()
	history, err := loop.Run(context.Background(), dev, trainSet, testSet)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(weights), "weights, better than chance:", history[1].TestAccuracy > 0.2)
	// Output: 10 weights, better than chance: true
}

// The rate is halved after each epoch that is not better by enough than the best so far.
func ExampleReduceOnPlateau() {
	trainSet, testSet, loop := digits()
	loop.Epochs = 4
	loop.Schedule = train.ReduceOnPlateau{Monitor: "test_loss", Factor: 0.5, Patience: -1, MinDelta: 10}
	dev := compute.Reference()
	defer dev.Close()
	history, err := loop.Run(context.Background(), dev, trainSet, testSet)
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range history {
		fmt.Println(e.Epoch, e.LearningRate)
	}
	// Output:
	// 1 0.003
	// 2 0.003
	// 3 0.0015
	// 4 0.00075
}

// An evaluator measures a model by itself: loss, accuracy, precision, recall, F1, top-k and
// confusion.
func ExampleEvaluator_Measure() {
	_, testSet, loop := digits()
	dev := compute.Reference()
	defer dev.Close()
	e, err := train.NewEvaluator(dev, loop.Model, loop.Loss, testSet)
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()
	m, err := e.Measure(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.Rows, "rows of", len(m.Confusion), "classes, top 3 is at least accuracy:", m.Named["top3"] >= m.Named["accuracy"])
	// Output: 200 rows of 10 classes, top 3 is at least accuracy: true
}
