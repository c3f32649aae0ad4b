// Package filter slides one convolution kernel over an image on a device: what a
// convolutional layer does, with a matrix that one can read.
//
//	edges, err := filter.Apply(ctx, dev, filter.Edge, img)
//	fmt.Println(edges.Values[0], edges.Picture().Bounds())
package filter

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"math"

	"golang.org/x/image/draw"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers"
)

// channels are red, green and blue.
const channels = 3

// strip is how many pixels, and those around them, go through the device at once,
// unless a single row has more.
const strip = 1 << 20

// Result is an image filtered: sums of products, which no range bounds.
type Result struct {
	Kernel        Kernel
	Height, Width int
	Values        []float32 // (3, Height, Width): red, green, blue
}

// Apply convolves the red, green and blue of an image with a kernel, each alone, as
// layers.Conv2D does (without turning the kernel round). Brightness goes from 0 to 1,
// as sRGB has it; what is transparent lies on white; and the image goes on beyond its
// edges with the pixels there, so that the result is as large. Errors are of a kernel
// that Check refuses, an image without pixels, the context's, or of package compute,
// which wrap compute.ErrLimit where a row is too long for the device.
func Apply(ctx context.Context, dev *compute.Device, kernel Kernel, img image.Image) (*Result, error) {
	if err := kernel.Check(); err != nil {
		return nil, err
	}
	size := img.Bounds().Size()
	if size.X < 1 || size.Y < 1 {
		return nil, fmt.Errorf("filter: the image has %dx%d pixels, want 1 or more", size.X, size.Y)
	}
	r := &Result{Kernel: kernel, Height: size.Y, Width: size.X, Values: make([]float32, channels*size.X*size.Y)}
	n := kernel.Size
	wide := size.X + n - 1
	rows := min(size.Y, max(1, strip/wide-n+1))

	conv := layers.NewConv2D(1, 1, n)
	copy(conv.Weight.Data, kernel.Weights)
	conv.Bias = nil
	defer dev.Forget(conv.Weight)
	t := compute.NewTape(dev)
	x := t.Input("image", compute.F32, channels, 1, rows+n-1, wide)
	y := conv.Forward(t, x)
	t.Keep(y)
	p, err := t.Compile()
	if err != nil {
		return nil, fmt.Errorf("filter: image of %dx%d: %w", size.X, size.Y, err)
	}
	defer p.Close()
	in, out := make([]float32, x.Len()), make([]float32, y.Len())
	white := image.NewUniform(color.White)
	line := image.NewRGBA(image.Rect(0, 0, size.X, 1))
	for done := 0; done < size.Y; done += rows {
		first := min(done, size.Y-rows) // the last strip is as high as the others
		for i := range rows + n - 1 {
			from := min(max(first+i-n/2, 0), size.Y-1)
			draw.Draw(line, line.Bounds(), white, image.Point{}, draw.Src)
			draw.Draw(line, line.Bounds(), img, img.Bounds().Min.Add(image.Pt(0, from)), draw.Over)
			for j := range wide {
				at := 4 * min(max(j-n/2, 0), size.X-1)
				for c := range channels {
					in[(c*(rows+n-1)+i)*wide+j] = float32(line.Pix[at+c]) / 255
				}
			}
		}
		if err := p.Write(x, in); err != nil {
			return nil, fmt.Errorf("filter: %w", err)
		}
		if err := p.Run(ctx); err != nil {
			return nil, fmt.Errorf("filter: %w", err)
		}
		if err := p.Read(ctx, y, out); err != nil {
			return nil, fmt.Errorf("filter: %w", err)
		}
		for c := range channels {
			copy(r.Values[(c*size.Y+first)*size.X:], out[c*rows*size.X:][:rows*size.X])
		}
	}
	return r, nil
}

// Picture shows the values as brightness, cut off below 0 and above 1. Those of a
// kernel whose weights add up to 0 tell differences, of which the magnitude is shown.
func (r *Result) Picture() *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, r.Width, r.Height))
	differences := r.Kernel.Differences()
	plane := r.Height * r.Width
	for i := range plane {
		for c := range channels {
			v := float64(r.Values[c*plane+i])
			if differences {
				v = math.Abs(v)
			}
			img.Pix[4*i+c] = uint8(min(max(v, 0), 1)*255 + 0.5)
		}
		img.Pix[4*i+3] = 255
	}
	return img
}
