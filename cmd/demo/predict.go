package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/infer"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train/data"
)

func predictCommand() *cobra.Command {
	var o choices
	var checkpoint, text string
	var index int
	cmd := &cobra.Command{
		Use:   "predict [IMAGE]",
		Short: "Tell what an image shows, or what a text is about, as probabilities",
		Long: `Predict runs a checkpoint on a PNG or JPEG file, on a --text, or on example number
--index of the test set. A file is scaled to the model's size, on white where it is
transparent; a bright background is inverted, for the models learn bright strokes on black.
A model of a folder of images, or of colours, takes a file as it is, on black.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			asked := len(args)
			for _, flag := range []string{"index", "text"} {
				if cmd.Flags().Changed(flag) {
					asked++
				}
			}
			if asked != 1 {
				return fmt.Errorf("predict wants an image file, --text TEXT or --index N, and not both or none")
			}
			file := ""
			if len(args) == 1 {
				file = args[0]
			}
			o.given = cmd.Flags().Changed("data")
			return o.predict(cmd.Context(), cmd.OutOrStdout(), checkpoint, file, text, index)
		},
	}
	o.deviceFlags(cmd.Flags())
	o.dataFlags(cmd.Flags(), "; default is the set that the model was trained on")
	o.outFlag(cmd.Flags())
	o.dtypeFlag(cmd.Flags(), false)
	cmd.Flags().StringVar(&checkpoint, "checkpoint", "", "checkpoint to read; default is the one in --out")
	cmd.Flags().IntVar(&index, "index", -1, "number of an example of the test set")
	cmd.Flags().StringVar(&text, "text", "", "text to tell the class of")
	return cmd
}

func (c *choices) predict(ctx context.Context, out io.Writer, checkpoint, file, text string, index int) error {
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
	x, err := c.asked(ctx, out, m, file, text, index)
	if err != nil {
		return err
	}
	dev, why, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer dev.Close()
	fmt.Fprintln(out, "device:", why)
	var probs []float32
	if x.Ints != nil {
		probs, err = tell(ctx, dev, model, storage, x.Ints)
	} else {
		var s *infer.Session
		if s, err = (infer.Config{Storage: storage}).Open(dev, model, nil, m.spec.Shape...); err != nil {
			return err
		}
		defer s.Close()
		probs, err = s.Predict(ctx, x.Floats)
	}
	if err != nil {
		return err
	}
	return bars(out, m.classes, probs)
}

// asked is the example to tell the class of: an image file, a text, or one of the test
// set.
func (c *choices) asked(ctx context.Context, out io.Writer, m *described, file, text string, index int) (*data.Batch, error) {
	switch {
	case text != "":
		if m.text == nil {
			return nil, fmt.Errorf("--text: the model takes %ss, not text", kind(m.spec))
		}
		one, err := m.text.example(text)
		if err != nil {
			return nil, err
		}
		return &one.All, nil
	case file != "" || isImages(m.spec):
		pixels, _, err := c.subject(ctx, out, m, file, index)
		return &data.Batch{Floats: pixels}, err
	}
	b, _, err := c.example(ctx, out, m, index)
	return b, err
}

// tell runs a model of indices on one row of them, and returns the probabilities.
func tell(ctx context.Context, dev *compute.Device, model layers.Layer, storage compute.DType, ids []uint32) (probs []float32, err error) {
	t := compute.NewTape(dev)
	t.Storage = storage
	x := t.Input("x", compute.U32, 1, len(ids))
	y := layers.Softmax{}.Forward(t, model.Forward(t, x))
	t.Keep(y)
	p, err := t.Compile()
	if err != nil {
		return nil, err
	}
	defer p.Close()
	probs = make([]float32, y.Len())
	return probs, errors.Join(p.WriteU32(x, ids), p.Run(ctx), p.Read(ctx, y, probs))
}

// bars prints a bar for each class and names the likeliest. It returns an error of
// probabilities that are none.
func bars(out io.Writer, classes []string, probs []float32) error {
	const width = 40
	best := 0
	for i, p := range probs {
		if !(p >= 0 && p <= 1.001) {
			return fmt.Errorf("the model gives class %s the probability %v, want 0 to 1: are its weights and the input finite numbers?", classes[i], p)
		}
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
	return nil
}
