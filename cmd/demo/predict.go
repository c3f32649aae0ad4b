package main

import (
	"context"
	"fmt"
	"image"
	_ "image/jpeg" // decoders
	_ "image/png"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/image/draw"

	"github.com/pumice-ml/pumice/infer"
)

func predictCommand() *cobra.Command {
	var o choices
	var checkpoint string
	var index int
	cmd := &cobra.Command{
		Use:   "predict [IMAGE]",
		Short: "Tell what an image shows, as probabilities",
		Long: `Predict runs a checkpoint on a PNG or JPEG file, or on image number --index of
the test set. A file is scaled to the model's size, on white where it is transparent;
a bright background is inverted, for the models learn bright strokes on black.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (len(args) == 1) == cmd.Flags().Changed("index") {
				return fmt.Errorf("predict wants an image file or --index N, and not both")
			}
			file := ""
			if len(args) == 1 {
				file = args[0]
			}
			o.given = cmd.Flags().Changed("data")
			return o.predict(cmd.Context(), cmd.OutOrStdout(), checkpoint, file, index)
		},
	}
	o.deviceFlags(cmd.Flags())
	o.dataFlags(cmd.Flags(), "; default is the set that the model was trained on")
	o.outFlag(cmd.Flags())
	o.dtypeFlag(cmd.Flags(), false)
	cmd.Flags().StringVar(&checkpoint, "checkpoint", "", "checkpoint to read; default is the one in --out")
	cmd.Flags().IntVar(&index, "index", -1, "number of an image of the test set")
	return cmd
}

func (c *choices) predict(ctx context.Context, out io.Writer, checkpoint, file string, index int) error {
	storage, err := c.storage()
	if err != nil {
		return err
	}
	m, err := c.restored(checkpoint)
	if err != nil {
		return err
	}
	model, err := c.weighed(m.Layer)
	if err != nil {
		return err
	}
	var pixels []float32
	if file != "" {
		if m.channels != 1 {
			return fmt.Errorf("predict IMAGE needs a model of 1 channel, this one has %d", m.channels)
		}
		var inverted bool
		if pixels, inverted, err = readImage(file, m.height, m.width); err != nil {
			return err
		}
		if inverted {
			fmt.Fprintln(out, "the background is bright: inverted")
		}
	} else {
		_, test, err := c.load(ctx)
		if err != nil {
			return err
		}
		if err := m.fits(test); err != nil {
			return err
		}
		if index < 0 || index >= test.Len() {
			return fmt.Errorf("--index %d, the test set has images 0 to %d", index, test.Len()-1)
		}
		fmt.Fprintf(out, "image: number %d of %s, labelled %s\n", index, test.Name, test.Classes[test.Labels[index]])
		for _, b := range test.Image(index) {
			pixels = append(pixels, float32(b)/255)
		}
	}
	dev, why, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer dev.Close()
	fmt.Fprintln(out, "device:", why)
	s, err := infer.Config{Storage: storage}.Open(dev, model, nil, m.channels, m.height, m.width)
	if err != nil {
		return err
	}
	defer s.Close()
	probs, err := s.Predict(ctx, pixels)
	if err != nil {
		return err
	}
	bars(out, m.classes, probs)
	return nil
}

// bars prints a bar for each class and names the likeliest.
func bars(out io.Writer, classes []string, probs []float32) {
	const width = 40
	best := 0
	for i, p := range probs {
		if p > probs[best] {
			best = i
		}
	}
	fmt.Fprintf(out, "this is %s (%.1f%%)\n", classes[best], 100*probs[best])
	longest := len(slices.MaxFunc(classes, func(a, b string) int { return len(a) - len(b) }))
	for i, p := range probs {
		eighths := int(p*width*8 + 0.5)
		bar := strings.Repeat("█", eighths/8)
		if rest := eighths % 8; rest > 0 {
			bar += string([]rune(" ▏▎▍▌▋▊▉")[rest])
		}
		fmt.Fprintf(out, "%*s %6.2f%% %s\n", longest, classes[i], 100*p, bar)
	}
}

// maxPixels bounds the images that predict decodes.
const maxPixels = 64 << 20

// readImage reads a PNG or JPEG as grey numbers in [0, 1] of the given size,
// inverted where the background is bright.
func readImage(path string, height, width int) (pixels []float32, inverted bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, false, fmt.Errorf("predict: %w", err)
	}
	defer f.Close()
	size, _, err := image.DecodeConfig(f)
	if err != nil {
		return nil, false, fmt.Errorf("predict: %s is no PNG or JPEG image: %w", path, err)
	}
	if size.Width*size.Height > maxPixels {
		return nil, false, fmt.Errorf("predict: %s has %dx%d pixels, want at most %d in all", path, size.Width, size.Height, maxPixels)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, false, fmt.Errorf("predict: %w", err)
	}
	from, kind, err := image.Decode(f)
	if err != nil {
		return nil, false, fmt.Errorf("predict: %s: damaged %s image: %w", path, kind, err)
	}
	// What is transparent is taken for paper.
	grey := image.NewGray(image.Rect(0, 0, width, height))
	draw.Draw(grey, grey.Bounds(), image.White, image.Point{}, draw.Src)
	draw.CatmullRom.Scale(grey, grey.Bounds(), from, from.Bounds(), draw.Over, nil)
	if slices.Min(grey.Pix) == slices.Max(grey.Pix) {
		return nil, false, fmt.Errorf("predict: %s shows nothing: all of it is one grey", path)
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
