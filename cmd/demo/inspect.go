package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/internal/compiler"
	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train"
	"github.com/pumice-ml/pumice/train/data"
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
	return inspected(dev, model, batch, inference, func(p *compute.Program) error {
		list, err := (*compiler.Program)(p).Steps()
		if err != nil {
			return err
		}
		if wgsl {
			for i, s := range list {
				fmt.Fprintf(out, "// dispatch %d: %s, grid %v\n%s\n", i, s.Kernel, s.Groups, s.WGSL)
			}
			return nil
		}
		fmt.Fprintln(out, "device:", why)
		if err := table(out, list); err != nil {
			return err
		}
		fmt.Fprintln(out, "texts judged on this device:", judged(list))
		held, alone := p.Memory()
		fmt.Fprintf(out, "memory of the program: %.2f MB; with a buffer for each tensor %.2f MB\n", float64(held)/1e6, float64(alone)/1e6)
		return nil
	})
}

// judged counts the ways in which texts were judged.
func judged(list []ir.Step) string {
	counts := map[string]int{}
	for _, s := range list {
		how := s.Judged
		if how == "" {
			how = "not at all"
		}
		counts[how]++
	}
	var all []string
	for _, how := range slices.Sorted(maps.Keys(counts)) {
		all = append(all, fmt.Sprintf("%d %s", counts[how], how))
	}
	return strings.Join(all, "; ")
}

func table(out io.Writer, list []ir.Step) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tkernel\tgrid\tworkgroup\tbytes\tflops\t  layer")
	var bytes, flops int64
	for i, s := range list {
		fmt.Fprintf(w, "%d\t%s\t%v\t%v\t%d\t%d\t  %s\n", i, s.Kernel, s.Groups, s.Workgroup, s.Bytes, s.Flops, s.Part)
		bytes += s.Bytes
		flops += s.Flops
	}
	fmt.Fprintf(w, "\ttotal of %d\t\t\t%d\t%d\t\n", len(list), bytes, flops)
	return w.Flush()
}

// inspected gives visit the program that trains, as demo train does it on the
// built-in digits, or predicts one batch.
func inspected(dev *compute.Device, model layers.Layer, batch int, inference bool, visit func(*compute.Program) error) error {
	if inference {
		t := compute.NewTape(dev)
		t.Keep(model.Forward(t, t.Input("x", compute.F32, batch, 1, 28, 28)))
		p, err := t.Compile()
		if err != nil {
			return err
		}
		defer p.Close()
		return visit(p)
	}
	images := max(20000, batch)
	l := train.Loop{Model: model, Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &train.AdamW{}, Schedule: train.Linear{}, Batch: batch}
	return l.Inspect(dev, &data.Set{
		Name: "blank", Channels: 1, Height: 28, Width: 28, Classes: make([]string, 10),
		Pixels: make([]byte, images*28*28), Labels: make([]byte, images),
	}, visit)
}
