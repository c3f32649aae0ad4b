package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// root is the command line. Without a command it trains.
func root(out io.Writer) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Train and run image classifiers on any GPU",
		Long: `Demo trains small networks on images and runs them, on any GPU through WebGPU,
on a software adapter, or on the reference device in Go. Without a command it
trains a convolutional network on digits that it draws itself.`,
		SilenceUsage: true, SilenceErrors: true,
	}
	cmd.SetOut(out)
	training := trainCommand()
	cmd.RunE = training.RunE
	cmd.Args = func(_ *cobra.Command, args []string) error {
		if len(args) > 0 {
			return fmt.Errorf("unknown command %q, see demo --help", args[0])
		}
		return nil
	}
	cmd.Flags().AddFlagSet(training.Flags())
	cmd.AddCommand(training, evalCommand(), predictCommand(), infoCommand(), inspectCommand(), augmentCommand(), conformCommand(), serveCommand(), benchCommand(), explainCommand(), kernelCommand(), findRateCommand(), searchCommand(), runsCommand())
	return cmd
}
