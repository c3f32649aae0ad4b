package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/pumice-ml/pumice/infer/explain"
)

func explainCommand() *cobra.Command {
	var o choices
	var checkpoint, class string
	var index int
	cmd := &cobra.Command{
		Use:   "explain [IMAGE]",
		Short: "Draw what a model looks at in an image",
		Long: `Explain runs a checkpoint on a PNG or JPEG file, or on image number --index of the
test set, and draws explain.png in the output folder: the image as the model gets it,
the probabilities, how much each pixel moves the class's logit (saliency), where the
last convolution finds the class (Grad-CAM), and up to 16 activation maps of each
convolution. A file is taken as predict takes it.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (len(args) == 1) == cmd.Flags().Changed("index") {
				return fmt.Errorf("explain wants an image file or --index N, and not both")
			}
			file := ""
			if len(args) == 1 {
				file = args[0]
			}
			o.given = cmd.Flags().Changed("data")
			return o.explain(cmd.Context(), cmd.OutOrStdout(), checkpoint, file, index, class)
		},
	}
	o.deviceFlags(cmd.Flags())
	o.dataFlags(cmd.Flags(), "; default is the set that the model was trained on")
	cmd.Flags().StringVar(&o.out, "out", defaultOut, "folder of the checkpoint, and for explain.png")
	cmd.Flags().StringVar(&checkpoint, "checkpoint", "", "checkpoint to read; default is the one in --out")
	cmd.Flags().IntVar(&index, "index", -1, "number of an image of the test set")
	cmd.Flags().StringVar(&class, "class", "", "class to explain; default is the likeliest")
	return cmd
}

func (c *choices) explain(ctx context.Context, out io.Writer, checkpoint, file string, index int, class string) error {
	m, err := c.restored(checkpoint)
	if err != nil {
		return err
	}
	number := explain.Likeliest
	if class != "" {
		if number = slices.Index(m.classes, class); number < 0 {
			return fmt.Errorf("--class %q, the model has %q", class, m.classes)
		}
	}
	pixels, name, err := c.subject(ctx, out, m, file, index)
	if err != nil {
		return err
	}
	if err := c.makeFolder(); err != nil {
		return err
	}
	dev, why, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer dev.Close()
	fmt.Fprintln(out, "device:", why)
	e, err := explain.Open(dev, m.Layer, m.channels, m.height, m.width)
	if err != nil {
		return err
	}
	defer e.Close()
	x, err := e.Explain(ctx, pixels, number)
	if err != nil {
		return err
	}
	if err := bars(out, m.classes, x.Probabilities); err != nil {
		return err
	}
	path := filepath.Join(c.out, "explain.png")
	if err := drawExplanation(path, name, m, pixels, x); err != nil {
		return err
	}
	if x.Target < 0 {
		fmt.Fprintln(out, "the model has no convolution: no activation maps and no Grad-CAM")
	}
	fmt.Fprintf(out, "%s explains %s\n", path, m.classes[x.Class])
	return nil
}
