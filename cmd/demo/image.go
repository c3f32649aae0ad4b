package main

import (
	"context"
	"fmt"
	"image"
	_ "image/jpeg" // decoders
	_ "image/png"
	"io"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/image/draw"
)

// subject is the image that a command is about, as the model takes it, and its name: a
// file, or the one of the test set with an index where file is "".
func (c *choices) subject(ctx context.Context, out io.Writer, m *described, file string, index int) (pixels []float32, name string, err error) {
	if file != "" {
		if m.channels != 1 {
			return nil, "", fmt.Errorf("%s: an image file needs a model of 1 channel, this one has %d", file, m.channels)
		}
		pixels, inverted, err := readImage(file, m.height, m.width)
		if inverted {
			fmt.Fprintln(out, "the background is bright: inverted")
		}
		return pixels, filepath.Base(file), err
	}
	_, test, err := c.load(ctx)
	if err != nil {
		return nil, "", err
	}
	if err := m.fits(test); err != nil {
		return nil, "", err
	}
	if index < 0 || index >= test.Len() {
		return nil, "", fmt.Errorf("--index %d, the test set has images 0 to %d", index, test.Len()-1)
	}
	name = fmt.Sprintf("number %d of %s, labelled %s", index, test.Name, test.Classes[test.Labels[index]])
	fmt.Fprintln(out, "image:", name)
	for _, b := range test.Image(index) {
		pixels = append(pixels, float32(b)/255)
	}
	return pixels, name, nil
}

// maxPixels bounds the images that are decoded.
const maxPixels = 64 << 20

// decode reads a PNG or JPEG file.
func decode(path string) (image.Image, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	defer f.Close()
	size, _, err := image.DecodeConfig(f)
	if err != nil {
		return nil, fmt.Errorf("image: %s is no PNG or JPEG image: %w", path, err)
	}
	if int64(size.Width)*int64(size.Height) > maxPixels {
		return nil, fmt.Errorf("image: %s has %dx%d pixels, want at most %d in all", path, size.Width, size.Height, maxPixels)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	img, kind, err := image.Decode(f)
	if err != nil {
		return nil, fmt.Errorf("image: %s: damaged %s image: %w", path, kind, err)
	}
	return img, nil
}

// readImage reads a PNG or JPEG as grey numbers in [0, 1] of the given size,
// inverted where the background is bright.
func readImage(path string, height, width int) (pixels []float32, inverted bool, err error) {
	from, err := decode(path)
	if err != nil {
		return nil, false, err
	}
	// What is transparent is taken for paper.
	grey := image.NewGray(image.Rect(0, 0, width, height))
	draw.Draw(grey, grey.Bounds(), image.White, image.Point{}, draw.Src)
	draw.CatmullRom.Scale(grey, grey.Bounds(), from, from.Bounds(), draw.Over, nil)
	if slices.Min(grey.Pix) == slices.Max(grey.Pix) {
		return nil, false, fmt.Errorf("image: %s shows nothing: all of it is one grey", path)
	}
	sum := 0.0
	for _, v := range grey.Pix {
		pixels = append(pixels, float32(v)/255)
		sum += float64(v) / 255
	}
	if inverted = sum > float64(len(pixels))/2; inverted {
		for i := range pixels {
			pixels[i] = 1 - pixels[i]
		}
	}
	return pixels, inverted, nil
}
