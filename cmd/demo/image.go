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

	"github.com/pumice-ml/pumice/train/data"
)

// subject is the image that a command is about, as the model takes it, and its name: a
// file, or the one of the test set with an index where file is "".
func (c *choices) subject(ctx context.Context, out io.Writer, m *described, file string, index int) (pixels []float32, name string, err error) {
	if !isImages(m.spec) {
		return nil, "", fmt.Errorf("the model takes %ss, not images", kind(m.spec))
	}
	if file != "" && (m.channels == 3 || m.channels == 1 && c.unturned) {
		bytes, err := data.ReadImage(file, m.channels, m.height, m.width)
		for _, v := range bytes {
			pixels = append(pixels, float32(v)/255)
		}
		return pixels, filepath.Base(file), err
	}
	if file != "" {
		if m.channels != 1 {
			return nil, "", fmt.Errorf("%s: an image file needs a model of 1 or 3 channels, this one has %d", file, m.channels)
		}
		pixels, inverted, err := readImage(file, m.height, m.width)
		if inverted {
			fmt.Fprintln(out, "the background is bright: inverted")
		}
		return pixels, filepath.Base(file), err
	}
	b, name, err := c.example(ctx, out, m, index)
	if err != nil {
		return nil, "", err
	}
	for _, v := range b.Bytes {
		pixels = append(pixels, float32(v)/255)
	}
	return pixels, name, nil
}

// example is the one of the test set with an index, and its name.
func (c *choices) example(ctx context.Context, out io.Writer, m *described, index int) (*data.Batch, string, error) {
	_, test, err := c.load(ctx)
	if err != nil {
		return nil, "", err
	}
	if err := m.fits(test); err != nil {
		return nil, "", err
	}
	if index < 0 || index >= test.Len() {
		return nil, "", fmt.Errorf("--index %d, the test set has %ss 0 to %d", index, kind(m.spec), test.Len()-1)
	}
	for b, err := range test.Batches(data.Range(index, index+1), 1) {
		if err != nil {
			return nil, "", err
		}
		s := test.Spec()
		name := fmt.Sprintf("number %d of %s, labelled %s", index, s.Name, s.Classes[b.Labels[0]])
		fmt.Fprintf(out, "%s: %s\n", kind(s), name)
		return b, name, nil
	}
	return nil, "", fmt.Errorf("--index %d: %s has no such example", index, test.Spec().Name)
}

// kind is what an example is called.
func kind(s data.Spec) string {
	switch {
	case isImages(s):
		return "image"
	case s.DType == data.Uint32:
		return "document"
	}
	return "row"
}

// counted is how many examples a set has.
func counted(set data.Dataset) string { return fmt.Sprintf("%d %ss", set.Len(), kind(set.Spec())) }

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
