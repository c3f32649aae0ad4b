// Demo trains and runs small image classifiers on whatever GPU there is, or on
// the reference device.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/train"
	"github.com/pumice-ml/pumice/train/supervise"
)

func main() { os.Exit(run(os.Args[1:])) }

// run runs a command line and returns the exit status: 1 for an error, 75 for one after
// which the same command may succeed (a lost device, no memory), 130 after Ctrl-C, as
// shells have it. Under a supervisor it is that of package supervise.
func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	if !supervise.Supervised() { // which gets the Ctrl-C as well, and has another way to insist
		context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	}
	ctx = supervise.Context(ctx)
	cmd := root(os.Stdout)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if !errors.Is(err, train.ErrInterrupted) && !errors.Is(err, errTold) { // then all is said already
		fmt.Fprintln(os.Stderr, "demo:", err)
	}
	switch {
	case errors.Is(err, context.Canceled):
		return supervise.Interrupted
	case errors.Is(err, compute.ErrDeviceLost), errors.Is(err, compute.ErrOutOfMemory):
		return supervise.Again
	case supervise.Supervised():
		return supervise.Final
	}
	return 1
}
