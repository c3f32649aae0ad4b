package explain_test

import (
	"context"
	"fmt"
	"log"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/infer/explain"
	"github.com/pumice-ml/pumice/layers"
)

// A model that tells where an image of 4x4 is bright, left or right, explains that it
// looked at the brightest pixel.
func Example() {
	ctx := context.Background()
	dev, err := compute.Open(ctx) // or compute.Reference()
	if err != nil {
		log.Fatal(err)
	}
	defer dev.Close()
	conv, sides := layers.NewConv2D(1, 1, 1), layers.NewLinear(16, 2)
	conv.Weight.Data[0], conv.Bias.Data[0] = 1, 0
	clear(sides.Bias.Data)
	for i := range 16 {
		sides.Weight.Data[i], sides.Weight.Data[16+i] = 0, 0
		if left := i%4 < 2; left {
			sides.Weight.Data[i] = 1
		} else {
			sides.Weight.Data[16+i] = 1
		}
	}
	e, err := explain.Open(dev, layers.Sequential{conv, layers.ReLU{}, layers.Flatten{}, sides}, 1, 4, 4)
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()
	x, err := e.Explain(ctx, []float32{
		0, 0, 0, 0,
		0, 0, 0, 2,
		0, 0, 0, 0,
		0, 0, 0, 0,
	}, explain.Likeliest)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s, with %.0f%%\n", []string{"left", "right"}[x.Class], 100*x.Probabilities[x.Class])
	fmt.Println("saliency of row 1:", x.Saliency.Values[4:8])
	fmt.Println("Grad-CAM of row 1:", x.GradCAM.Values[4:8])
	// Output:
	// right, with 88%
	// saliency of row 1: [0 0 0 1]
	// Grad-CAM of row 1: [0 0 0 1]
}
