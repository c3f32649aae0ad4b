package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/internal/engine"
)

func infoCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "info",
		Short: "List the adapters, their limits and features, or how to get one",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			out := cmd.OutOrStdout()
			found, err := compute.Adapters(cmd.Context())
			if err != nil && !errors.Is(err, compute.ErrNoAdapter) {
				return err
			}
			if asJSON {
				jsonLine(out, map[string]any{"adapters": found})
				return nil
			}
			for i, a := range found {
				l := a.Limits
				fmt.Fprintf(out, "adapter %d: %s\n", i, a.Name)
				fmt.Fprintf(out, "  driver    %s\n  backend   %s, %s, by %s\n", a.Driver, a.Backend, a.Type, a.Binding)
				fmt.Fprintf(out, "  limits    buffer %d MiB, binding %d MiB, %d storage buffers, workgroup %d invocations and %d KiB, %d workgroups\n",
					l.BufferSize>>20, l.StorageBindingSize>>20, l.StorageBuffersPerStage, l.InvocationsPerWorkgroup, l.WorkgroupStorage>>10, l.WorkgroupsPerDimension)
				fmt.Fprintf(out, "  features  %s\n", strings.Join(a.Features, ", "))
			}
			if len(found) == 0 {
				if err != nil {
					fmt.Fprintln(out, err)
				}
				fmt.Fprintln(out, engine.DriverHelp)
			}
			fmt.Fprintf(out, "always there: %v (--device reference)\n", compute.Reference())
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}
