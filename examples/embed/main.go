// Embed carries weights that "demo train" wrote and classifies images from many goroutines.
package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"sync"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/infer"
	"github.com/pumice-ml/pumice/layers"
)

//go:embed digits.safetensors
var weights []byte // a checkpoint would do as well

func open(dev *compute.Device) (*infer.Session, error) {
	return infer.Open(dev, layers.Sequential{layers.NewConv2D(1, 8, 5), layers.ReLU{}, layers.MaxPool2D{Size: 2},
		layers.NewConv2D(8, 32, 5), layers.ReLU{}, layers.MaxPool2D{Size: 2}, layers.Flatten{}, layers.NewLinear(512, 10)}, weights, 1, 28, 28)
}

func main() {
	dev, err := compute.Open(context.Background())
	if errors.Is(err, compute.ErrNoAdapter) {
		dev, err = compute.Reference(), nil // our choice: nothing falls back by itself
	}
	session, err2 := open(dev) // wraps infer.ErrWeights where the weights do not fit
	if err := errors.Join(err, err2); err != nil {
		panic(err)
	}
	var calls sync.WaitGroup
	for range 8 {
		calls.Go(func() { fmt.Println(session.Predict(context.Background(), make([]float32, 28*28))) })
	}
	calls.Wait()
	fmt.Println("on", dev, session.Close())
}
