package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pumice-ml/pumice/bench"
	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/safetensors"
)

func benchCurve() *cobra.Command {
	var o benchOptions
	var list string
	cmd := benchmark("curve", "Draw time against the size of matrices, of every adapter (or the one of --device), the reference device and gonum's float32, and write a CSV beside it", &o,
		func(ctx context.Context, dev *compute.Device, r *bench.Report) error {
			all, err := sizes("sizes", list)
			if err != nil {
				return err
			}
			if filepath.Ext(o.out) != ".png" {
				return fmt.Errorf("--out %q, want a name that ends in .png", o.out)
			}
			devices, err := o.others(ctx, dev)
			for _, d := range devices {
				defer d.Close()
			}
			if err != nil {
				return err
			}
			var points []bench.Point
			for _, n := range all {
				rows, err := curveRows(ctx, append([]*compute.Device{dev}, devices...), n, &o)
				if err != nil {
					return err
				}
				r.Rows = append(r.Rows, rows...)
				for _, row := range rows {
					points = append(points, bench.Point{System: row.System, Size: n, Milliseconds: row.Median})
				}
			}
			draw := func(w io.Writer) error { return bench.WriteCurve(w, "Matrix product", points) }
			if err := safetensors.WriteDurable(o.out, draw); err != nil {
				return fmt.Errorf("--out: %w", err)
			}
			list := func(w io.Writer) error { return bench.WriteCSV(w, points) }
			if err := safetensors.WriteDurable(strings.TrimSuffix(o.out, ".png")+".csv", list); err != nil {
				return fmt.Errorf("--out: %w", err)
			}
			return nil
		})
	cmd.Flags().StringVar(&o.out, "out", "matmul.png", "the PNG; the CSV has the same name")
	cmd.Flags().StringVar(&list, "sizes", "64,128,256,512,1024", "rows and columns")
	return cmd
}

// others opens the adapters that dev is not, where none was asked for, and the reference
// device unless dev is it. The devices are the caller's even where there is an error.
func (o *benchOptions) others(ctx context.Context, dev *compute.Device) (devices []*compute.Device, err error) {
	if o.device == "auto" && !dev.IsReference() {
		infos, err := compute.Adapters(ctx)
		if err != nil {
			return nil, err
		}
		seen := []string{dev.Info().Name}
		for _, info := range infos {
			if slices.Contains(seen, info.Name) {
				continue // the same GPU by another backend
			}
			seen = append(seen, info.Name)
			d, err := compute.Open(ctx, compute.Want{Name: info.Name, DefaultLimits: o.limits == "default"})
			if err != nil {
				return devices, err
			}
			devices = append(devices, d)
			if got := d.Info().Name; got != info.Name {
				return devices, fmt.Errorf("%q opens %q, whose name holds it; choose one with --device", info.Name, got)
			}
		}
	}
	if !dev.IsReference() {
		devices = append(devices, compute.Reference())
	}
	return devices, nil
}

// curveRows measures a product on the devices and by gonum, in turn, once all agree.
func curveRows(ctx context.Context, devices []*compute.Device, n int, o *benchOptions) ([]bench.Row, error) {
	name := fmt.Sprintf("matmul/%d", n)
	peer, err := bench.Gonum(name)
	if err != nil {
		return nil, err
	}
	peer.System = "gonum, float32"
	var cases []*bench.Case
	defer func() { bench.CloseAll(cases) }()
	for _, dev := range devices {
		c, err := bench.Open(dev, name)
		if err != nil {
			return nil, err
		}
		cases = append(cases, c)
		c.System = "Pumice on " + dev.Info().Name
		if dev.IsReference() {
			c.System = "Pumice's reference device, float64"
		}
		if err := bench.Check(ctx, c, peer, n); err != nil {
			return nil, err
		}
	}
	cases = append(cases, peer)
	rows, err := bench.Measure(ctx, o.rounds, o.sample, cases...)
	if err != nil {
		return nil, err
	}
	for i := range rows[:len(devices)] {
		rows[i].Against(rows[len(devices)])
	}
	return rows, nil
}
