package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/pumice-ml/pumice/bench"
	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/safetensors"
	"github.com/pumice-ml/pumice/train/data"
)

// benchOptions are the flags of demo bench.
type benchOptions struct {
	choices
	json   string
	rounds int
	sample time.Duration
}

func benchCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure operations, training steps, dispatches and memory",
		Long: `Bench measures this library on an adapter. What is compared is measured in turn,
several rounds of it; the table gives medians. bench/README.md says how to compare
with other systems.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(benchMatMul(), benchConv(), benchStep(), benchDispatch(), benchMemory(), benchCurve(), benchTune())
	return cmd
}

// benchmark is a command that fills a report.
func benchmark(use, short string, o *benchOptions, measure func(ctx context.Context, dev *compute.Device, r *bench.Report) error) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.rounds < 1 {
				return fmt.Errorf("--rounds %d, want 1 or more", o.rounds)
			}
			if o.sample <= 0 {
				return fmt.Errorf("--sample %v, want a positive time", o.sample)
			}
			dev, _, err := o.open(cmd.Context())
			if err != nil {
				return err
			}
			defer dev.Close()
			r := bench.NewReport(dev, commandLine(cmd), o.rounds)
			if err := measure(cmd.Context(), dev, r); err != nil {
				return err
			}
			return o.write(cmd.OutOrStdout(), r)
		},
	}
	f := cmd.Flags()
	o.deviceFlags(f)
	f.StringVar(&o.json, "json", "", "write the report as JSON to a file, or with - to the output in place of the table")
	f.IntVar(&o.rounds, "rounds", 5, "samples of each row")
	f.DurationVar(&o.sample, "sample", 300*time.Millisecond, "time of a sample")
	return cmd
}

// commandLine is the command with the flags that were given.
func commandLine(cmd *cobra.Command) string {
	words := []string{cmd.CommandPath()}
	cmd.Flags().Visit(func(f *pflag.Flag) { words = append(words, "--"+f.Name, f.Value.String()) })
	return strings.Join(words, " ")
}

func (o *benchOptions) write(out io.Writer, r *bench.Report) error {
	if o.json == "-" {
		return r.WriteJSON(out)
	}
	if err := r.WriteTable(out); err != nil || o.json == "" {
		return err
	}
	if err := safetensors.WriteDurable(o.json, r.WriteJSON); err != nil {
		return fmt.Errorf("--json: %w", err)
	}
	fmt.Fprintln(out, "wrote", o.json)
	return nil
}

// sizes reads numbers separated by commas.
func sizes(flag, list string) ([]int, error) {
	var all []int
	for s := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > 1<<14 {
			return nil, fmt.Errorf("--%s %q: %q is no size of 1 to 16384", flag, list, s)
		}
		all = append(all, n)
	}
	return all, nil
}

func benchMatMul() *cobra.Command {
	var o benchOptions
	var list string
	cmd := benchmark("matmul", "Products of square matrices, beside gonum's BLAS on the same processors", &o,
		func(ctx context.Context, dev *compute.Device, r *bench.Report) error {
			all, err := sizes("sizes", list)
			if err != nil {
				return err
			}
			for _, n := range all {
				rows, err := beside(ctx, dev, n, &o)
				if err != nil {
					return err
				}
				r.Rows = append(r.Rows, rows...)
			}
			return nil
		})
	cmd.Flags().StringVar(&list, "sizes", "256,512,1024", "rows and columns")
	return cmd
}

// beside measures a product on the device and by gonum, once both agree.
func beside(ctx context.Context, dev *compute.Device, n int, o *benchOptions) ([]bench.Row, error) {
	name := fmt.Sprintf("matmul/%d", n)
	ours, err := bench.Open(dev, name)
	if err != nil {
		return nil, err
	}
	defer ours.Close()
	peer, err := bench.Gonum(name)
	if err != nil {
		return nil, err
	}
	if err := bench.Check(ctx, ours, peer, n); err != nil {
		return nil, err
	}
	rows, err := bench.Measure(ctx, o.rounds, o.sample, ours, peer)
	if err != nil {
		return nil, err
	}
	rows[0].Against(rows[1])
	return rows, nil
}

func benchConv() *cobra.Command {
	var o benchOptions
	return benchmark("conv", "Convolutions and a fully connected layer, forward (y) and both gradients (dx, dw)", &o,
		func(ctx context.Context, dev *compute.Device, r *bench.Report) error {
			reference := compute.Reference()
			defer reference.Close()
			for _, name := range slices.Concat(bench.ConvNames, bench.LinearNames) {
				rows, err := checked(ctx, dev, reference, name, &o)
				if err != nil {
					return err
				}
				r.Rows = append(r.Rows, rows...)
			}
			return nil
		})
}

// checked measures a row once the reference device agrees.
func checked(ctx context.Context, dev, reference *compute.Device, name string, o *benchOptions) ([]bench.Row, error) {
	c, err := bench.Open(dev, name)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	want, err := bench.Open(reference, name)
	if err != nil {
		return nil, err
	}
	defer want.Close()
	if err := bench.Check(ctx, c, want, 1024); err != nil {
		return nil, err
	}
	return bench.Measure(ctx, o.rounds, o.sample, c)
}

func benchStep() *cobra.Command {
	var o benchOptions
	var batch int
	cmd := benchmark("step", "Whole training steps: the first, the others, and which kernels take the time", &o,
		func(ctx context.Context, dev *compute.Device, r *bench.Report) error {
			if batch < 1 {
				return fmt.Errorf("--batch %d, want 1 or more", batch)
			}
			set, _ := data.Digits(data.DigitsOptions{Train: max(1000, batch), Test: 1})
			t, err := bench.NewTrainer(ctx, dev, o.model, batch, set)
			if err != nil {
				return err
			}
			defer t.Close()
			r.Rows, err = bench.Measure(ctx, o.rounds, o.sample, t.Case())
			if err != nil {
				return err
			}
			r.Rows = append(r.Rows,
				bench.NewRow("first step", "pumice", "ms", 1e3*t.First.Seconds()),
				bench.NewRow("compiling and testing kernels, of it", "pumice", "ms", 1e3*t.Compiling.Seconds()))
			costs, err := t.Costs(ctx)
			if err != nil {
				return err
			}
			r.Rows = append(r.Rows, costs...)
			r.Kernels, r.Clock, err = t.Kernels(ctx)
			return err
		})
	cmd.Flags().StringVar(&o.model, "model", "cnn", "mlp or cnn, as package bench has them")
	cmd.Flags().IntVar(&batch, "batch", 64, "images of a step")
	return cmd
}

func benchDispatch() *cobra.Command {
	var o benchOptions
	var count int
	cmd := benchmark("dispatch", "What a dispatch, a submission and a read-back cost", &o,
		func(ctx context.Context, dev *compute.Device, r *bench.Report) (err error) {
			r.Rows, err = bench.Dispatch(ctx, dev, count, o.rounds, o.sample)
			return err
		})
	cmd.Flags().IntVar(&count, "count", 1000, "dispatches of the program")
	return cmd
}

func benchMemory() *cobra.Command {
	var o benchOptions
	var n int
	cmd := benchmark("memory", "How fast memory is read and written, and what a training step holds of it", &o,
		func(ctx context.Context, dev *compute.Device, r *bench.Report) error {
			if n < 1 {
				return fmt.Errorf("--numbers %d, want 1 or more", n)
			}
			cases, err := bench.Copies(dev, n)
			if err != nil {
				return err
			}
			r.Rows, err = bench.Measure(ctx, o.rounds, o.sample, cases...)
			bench.CloseAll(cases)
			if err != nil {
				return err
			}
			set, _ := data.Digits(data.DigitsOptions{Train: 1000, Test: 1})
			t, err := bench.NewTrainer(ctx, dev, "cnn", 64, set)
			if err != nil {
				return err
			}
			defer t.Close()
			r.Rows = append(r.Rows, bench.Memory(dev)...)
			return nil
		})
	cmd.Flags().IntVar(&n, "numbers", 16<<20, "float32 numbers of each array")
	return cmd
}
