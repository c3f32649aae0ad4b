package filter_test

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"log"
	"strings"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/infer/filter"
)

// The derivative across an image whose right half is white finds where it begins.
func ExampleApply() {
	ctx := context.Background()
	dev, err := compute.Open(ctx) // or compute.Reference()
	if err != nil {
		log.Fatal(err)
	}
	defer dev.Close()
	img := image.NewGray(image.Rect(0, 0, 6, 1))
	for x := 3; x < 6; x++ {
		img.SetGray(x, 0, color.Gray{Y: 255})
	}
	sobel, err := filter.Parse("sobel", strings.NewReader(`
		-1 0 1
		-2 0 2
		-1 0 1`))
	if err != nil {
		log.Fatal(err)
	}
	r, err := filter.Apply(ctx, dev, sobel, img)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Values[:6])
	// Output: [0 0 4 4 0 0]
}
