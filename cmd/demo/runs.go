package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/pumice-ml/pumice/safetensors"
	"github.com/pumice-ml/pumice/train/report"
)

func runsCommand() *cobra.Command {
	var png string
	cmd := &cobra.Command{
		Use:   "runs [DIR] | runs A B ...",
		Short: "List the runs in a folder, or compare runs",
		Long: `Runs lists the run folders that train wrote in a folder (default: this one) and
below it, the latest first. With two run folders or more it compares them: the settings
that differ, the numbers of each epoch side by side, and a PNG of their curves on top
of each other.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return compareRuns(cmd.OutOrStdout(), args, png)
			}
			return listRuns(cmd.OutOrStdout(), append(args, ".")[0])
		},
	}
	cmd.Flags().StringVar(&png, "png", "runs.png", "file of the curves that a comparison draws; - is none")
	return cmd
}

func listRuns(out io.Writer, dir string) error {
	all, err := report.Find(dir)
	if len(all) == 0 {
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "no runs in %s; demo train writes one\n", dir)
		return nil
	}
	if e := report.WriteRuns(out, all); e != nil {
		return e
	}
	return err
}

func compareRuns(out io.Writer, dirs []string, png string) error {
	var all []*report.Run
	for _, dir := range dirs {
		r, err := report.Open(dir)
		if err != nil {
			return fmt.Errorf("%s is no run folder: %w", dir, err)
		}
		all = append(all, r)
	}
	if err := report.WriteComparison(out, all); err != nil || png == "-" {
		return err
	}
	if err := safetensors.WriteDurable(png, func(w io.Writer) error { return report.WriteCurves(w, all) }); err != nil {
		return fmt.Errorf("--png: %w", err)
	}
	fmt.Fprintln(out, "\nwrote", png)
	return nil
}
