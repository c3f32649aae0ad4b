package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train"
)

func inspectCommand() *cobra.Command {
	var o choices
	var batch int
	var inference, wgsl bool
	cmd := &cobra.Command{
		Use:   "inspect",
		Short: "Show the compiled program: every dispatch, its grid, bytes and operations",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.inspect(cmd.Context(), cmd.OutOrStdout(), batch, inference, wgsl)
		},
	}
	o.deviceFlags(cmd.Flags())
	f := cmd.Flags()
	f.StringVar(&o.model, "model", "cnn", "mlp or cnn, for images of 28x28 and ten classes")
	f.IntVar(&batch, "batch", 64, "images of a step")
	f.BoolVar(&inference, "inference", false, "the program that predicts, not the one that trains")
	f.BoolVar(&wgsl, "wgsl", false, "print the text that goes to the driver")
	return cmd
}

func (c *choices) inspect(ctx context.Context, out io.Writer, batch int, inference, wgsl bool) error {
	if batch < 1 {
		return fmt.Errorf("--batch %d, want 1 or more", batch)
	}
	dev, why, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer dev.Close()
	model, err := build(c.model, 1, 28, 28, 10)
	if err != nil {
		return err
	}
	p, err := compileStep(dev, model, batch, inference)
	if err != nil {
		return err
	}
	defer p.Close()
	steps, err := p.Steps()
	if err != nil {
		return err
	}
	if wgsl {
		for i, s := range steps {
			fmt.Fprintf(out, "// dispatch %d: %s, grid %v\n%s\n", i, s.Kernel, s.Groups, s.WGSL)
		}
		return nil
	}
	fmt.Fprintln(out, "device:", why)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tkernel\tgrid\tworkgroup\tbytes\tflops\t")
	var bytes, flops int64
	for i, s := range steps {
		fmt.Fprintf(w, "%d\t%s\t%v\t%v\t%d\t%d\t\n", i, s.Kernel, s.Groups, s.Workgroup, s.Bytes, s.Flops)
		bytes += s.Bytes
		flops += s.Flops
	}
	fmt.Fprintf(w, "\ttotal of %d\t\t\t%d\t%d\t\n", len(steps), bytes, flops)
	return w.Flush()
}

// compileStep compiles what training or prediction does with one batch.
func compileStep(dev *compute.Device, model layers.Layer, batch int, inference bool) (*compute.Program, error) {
	t := compute.NewTape(dev)
	x := t.Input("x", compute.F32, batch, 1, 28, 28)
	if inference {
		t.Keep(model.Forward(t, x))
		return t.Compile()
	}
	t.Training, t.Clock = true, compute.NewParamU32("clock", 2)
	loss := layers.SoftmaxCrossEntropy{}.Loss(t, model.Forward(t, x), t.Input("labels", compute.U32, batch))
	t.Keep(loss)
	t.Backward(loss)
	s := &train.State{Rate: compute.NewParam("rate", 1)}
	for name, p := range layers.Params(model) {
		s.Names, s.Params = append(s.Names, name), append(s.Params, p)
	}
	(&train.AdamW{}).Update(t, s)
	return t.Compile()
}
