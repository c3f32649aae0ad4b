package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/pumice-ml/pumice/bench"
	"github.com/pumice-ml/pumice/internal/compiler"
)

func benchTune() *cobra.Command {
	var o benchOptions
	var op, list string
	cmd := &cobra.Command{
		Use:   "tune",
		Short: "Show which variants of kernels are taken, and why",
		Long: `Tune compiles operations with tuning on, as GPUs do by themselves and software
adapters where PUMICE_TUNE=1 says so, and shows what was measured, or found in the
cache, and what came of it. The floor is the time that the work takes at the adapter's
ceilings. Without the file of the last line everything is measured anew.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			names, err := tunedRows(op, list)
			if err != nil {
				return err
			}
			dev, _, err := o.open(cmd.Context())
			if err != nil {
				return err
			}
			defer dev.Close()
			if dev.IsReference() {
				return errors.New("the reference device has no variants to choose from")
			}
			r := bench.NewReport(dev, commandLine(cmd), 1)
			if r.Tuned, err = bench.Tune(dev, names...); err != nil {
				return err
			}
			if err := o.write(cmd.OutOrStdout(), r); err != nil || o.json == "-" {
				return err
			}
			if file := (*compiler.Device)(dev).Machine().TuneFile(); file != "" {
				fmt.Fprintln(cmd.OutOrStdout(), "cache:", file)
			}
			return nil
		},
	}
	f := cmd.Flags()
	o.deviceFlags(f)
	f.StringVar(&o.json, "json", "", "write the report as JSON to a file, or with - to the output in place of the table")
	f.StringVar(&op, "op", "all", "matmul, conv, linear or all")
	f.StringVar(&list, "sizes", "256,512,1024", "rows and columns of products")
	return cmd
}

// tunedRows are the rows of an operation.
func tunedRows(op, list string) ([]string, error) {
	all, err := sizes("sizes", list)
	if err != nil {
		return nil, err
	}
	var products []string
	for _, n := range all {
		products = append(products, fmt.Sprintf("matmul/%d", n))
	}
	switch op {
	case "matmul":
		return products, nil
	case "conv":
		return bench.ConvNames, nil
	case "linear":
		return bench.LinearNames, nil
	case "all":
		return slices.Concat(products, bench.ConvNames, bench.LinearNames), nil
	}
	return nil, fmt.Errorf("--op %q, want matmul, conv, linear or all", op)
}
