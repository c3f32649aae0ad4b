package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"

	"github.com/spf13/cobra"
	"golang.org/x/image/draw"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/safetensors"
	"github.com/pumice-ml/pumice/train/data"
)

// A contact sheet has rows of tiles, each of so many dots to a pixel.
const (
	sheetSide = 5
	sheetZoom = 4
	sheetGap  = 4
)

func augmentCommand() *cobra.Command {
	var o struct {
		choices
		augmentOptions
	}
	var index int
	var seed uint32
	cmd := &cobra.Command{
		Use:   "augment",
		Short: "Draw an image and 24 of its augmentations",
		Long: `Augment draws image number --index of the training set, at the top left, and 24
images that train --augment would make of it, as a PNG.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.sheet(cmd.Context(), cmd.OutOrStdout(), &o.augment, index, seed)
		},
	}
	if err := o.augment.Set("default"); err != nil {
		panic(err)
	}
	f := cmd.Flags()
	o.deviceFlags(f)
	o.dataFlags(f, "")
	o.augmentOptions.flags(f)
	f.IntVar(&index, "index", 0, "number of the image in the training set")
	f.Uint32Var(&seed, "seed", 1, "seed of the changes")
	f.StringVar(&o.out, "out", "augment.png", "PNG file to write")
	return cmd
}

// sheet writes the contact sheet.
func (c *choices) sheet(ctx context.Context, out io.Writer, augment *augmentFlag, index int, seed uint32) error {
	dev, why, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer dev.Close()
	fmt.Fprintln(out, "device:", why)
	set, _, err := c.load(ctx)
	if err != nil {
		return err
	}
	shape := set.Spec().Shape
	if len(shape) != 3 || shape[0] != 1 && shape[0] != 3 {
		return fmt.Errorf("augment draws images of 1 or 3 channels, those of %s are %v", set.Spec().Name, shape)
	}
	if index < 0 || index >= set.Len() {
		return fmt.Errorf("--index %d, %s has images 0 to %d", index, set.Spec().Name, set.Len()-1)
	}
	original, changed, err := augmentations(ctx, dev, set, augment, index, seed)
	if err != nil {
		return err
	}
	tileX, tileY := shape[2]*sheetZoom+sheetGap, shape[1]*sheetZoom+sheetGap
	sheet := image.NewRGBA(image.Rect(0, 0, sheetSide*tileX+sheetGap, sheetSide*tileY+sheetGap))
	draw.Draw(sheet, sheet.Bounds(), image.NewUniform(orange), image.Point{}, draw.Src)
	for i := range sheetSide * sheetSide {
		pixels := original
		if i > 0 {
			pixels = changed[(i-1)*2*len(original):][:len(original)] // each second one, see augmentations
		}
		at := image.Pt(i%sheetSide*tileX+sheetGap, i/sheetSide*tileY+sheetGap)
		draw.NearestNeighbor.Scale(sheet, image.Rectangle{at, at.Add(image.Pt(tileX-sheetGap, tileY-sheetGap))}, shown(pixels, shape[0], shape[1], shape[2]), image.Rect(0, 0, shape[2], shape[1]), draw.Src, nil)
	}
	if err := safetensors.WriteDurable(c.out, func(w io.Writer) error { return png.Encode(w, sheet) }); err != nil {
		return fmt.Errorf("--out %s: %w", c.out, err)
	}
	fmt.Fprintf(out, "%s: image %d of %s, and what %s makes of it\n", c.out, index, set.Spec().Name, augment)
	return nil
}

// augmentations are an image and a batch made of it, in which the images between are the
// next ones of the set, for mixup to mix it with.
func augmentations(ctx context.Context, dev *compute.Device, set data.Dataset, augment *augmentFlag, index int, seed uint32) (original, changed []float32, err error) {
	const batch = 2 * (sheetSide*sheetSide - 1)
	order := func(yield func(int) bool) {
		for i := range batch {
			if next := (index + i%2*(i+1)/2) % set.Len(); !yield(next) {
				return
			}
		}
	}
	spec := set.Spec()
	var x []float32
	for b, err := range set.Batches(order, batch) {
		if err == nil {
			err = b.Check(spec, index)
		}
		if err != nil {
			return nil, nil, err
		}
		x = append(x, b.Floats...)
		for _, v := range b.Bytes {
			x = append(x, float32(v)/255)
		}
	}
	t := compute.NewTape(dev)
	t.Clock = compute.NewParamU32("clock", 2)
	t.Clock.Ints[1] = seed
	defer dev.Forget(t.Clock)
	in := t.Input("images", compute.F32, append([]int{batch}, spec.Shape...)...)
	y, _ := augment.of.Apply(t, in, nil)
	t.Keep(y)
	p, err := t.Compile()
	if err != nil {
		return nil, nil, err
	}
	defer p.Close()
	changed = make([]float32, len(x))
	return x[:spec.Size()], changed, errors.Join(p.Write(in, x), p.Run(ctx), p.Read(ctx, y, changed))
}
