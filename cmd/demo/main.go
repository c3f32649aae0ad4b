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

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	err := root(os.Stdout).ExecuteContext(ctx)
	if err == nil {
		return
	}
	if errors.Is(err, train.ErrInterrupted) {
		os.Exit(130) // as shells have it after Ctrl-C; what to do next is said already
	}
	fmt.Fprintln(os.Stderr, "demo:", err)
	os.Exit(1)
}
