package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

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
	pixels, _, err := c.subject(ctx, out, m, file, index)
	if err != nil {
		return err
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
