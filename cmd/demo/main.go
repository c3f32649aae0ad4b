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

	"github.com/pumice-ml/pumice/train"
)

func main() { os.Exit(run(os.Args[1:])) }

// run runs a command line and returns the exit status: 1 for an error, 130 after
// Ctrl-C, as shells have it.
func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	cmd := root(os.Stdout)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if !errors.Is(err, train.ErrInterrupted) { // then all is said already
		fmt.Fprintln(os.Stderr, "demo:", err)
	}
	if errors.Is(err, context.Canceled) {
		return 130
	}
	return 1
}
