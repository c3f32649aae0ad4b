// Embed carries weights that "demo train" wrote and classifies images: the session serves any number of goroutines.
package main

import (
	"context"
	_ "embed"
	"fmt"
	"slices"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/infer"
	"github.com/pumice-ml/pumice/layers"
)

//go:embed digits.safetensors
var weights []byte

func open(dev *compute.Device) (*infer.Session, error) {
	return infer.Open(dev, layers.Sequential{
		layers.NewConv2D(1, 8, 5), layers.ReLU{}, layers.MaxPool2D{Size: 2},
		layers.NewConv2D(8, 32, 5), layers.ReLU{}, layers.MaxPool2D{Size: 2}, layers.Flatten{}, layers.NewLinear(512, 10),
	}, weights, 1, 28, 28)
}

func main() {
	dev, err := compute.Open(context.Background())
	if err != nil {
		fmt.Println(err)
		dev = compute.Reference()
	}
	defer dev.Close()
	session, err := open(dev)
	if err != nil {
		panic(err)
	}
	defer session.Close()
	probs, err := session.Predict(context.Background(), make([]float32, 28*28)) // from any goroutine
	fmt.Println(dev, "- an empty image is most like", slices.Index(probs, slices.Max(probs)), err)
}
