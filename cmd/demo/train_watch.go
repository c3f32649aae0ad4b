package main

import (
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/pumice-ml/pumice/train"
)

// watchOptions are the flags of train that keep a run sound and going.
type watchOptions struct {
	watch     bool
	interval  time.Duration
	supervise bool
	restarts  int
}

func (o *watchOptions) flags(f *pflag.FlagSet) {
	f.BoolVar(&o.watch, "watch", false, "look for NaN and infinite numbers in every step, and name the layer of the first")
	f.DurationVar(&o.interval, "interval", 10*time.Second, "time between checkpoints within an epoch")
	f.BoolVar(&o.supervise, "supervise", false, "train in a process of its own, and start that again from its checkpoint when it dies")
	f.IntVar(&o.restarts, "restarts", 5, "with --supervise: restarts in a row without progress before it gives up")
}

func (o *watchOptions) apply(l *train.Loop) error {
	if o.interval <= 0 {
		return fmt.Errorf("--interval %v, want more than 0", o.interval)
	}
	l.Watch, l.Interval = o.watch, o.interval
	return nil
}
