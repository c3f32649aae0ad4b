package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/pumice-ml/pumice/train"
	"github.com/pumice-ml/pumice/train/supervise"
)

// errTold is the error of a child that has said what it is.
var errTold = errors.New("the training process failed")

// supervised trains in processes of its own, one after the other, with the same flags.
func (o *trainOptions) supervised(cmd *cobra.Command) error {
	if o.restarts < 1 {
		return fmt.Errorf("--restarts %d, want 1 or more", o.restarts)
	}
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("--supervise: cannot find the program itself: %w", err)
	}
	args, out := again(cmd.Flags()), cmd.OutOrStdout()
	path := filepath.Join(o.out, checkpointName)
	var older os.FileInfo // of another run, which must not be gone on with
	if !o.resume {
		older, _ = os.Stat(path)
	}
	s := supervise.Supervisor{
		Limit: o.restarts,
		Command: func(ctx context.Context, resume bool) *exec.Cmd {
			list := args
			if resume || o.resume {
				list = append(slices.Clip(args), "--resume")
			}
			c := exec.CommandContext(ctx, program, append([]string{"train"}, list...)...)
			c.Stdout, c.Stderr = out, os.Stderr
			return c
		},
		Saved: func() (int, bool) {
			now, err := os.Stat(path)
			if err != nil || older != nil && os.SameFile(older, now) && older.ModTime().Equal(now.ModTime()) && older.Size() == now.Size() {
				return 0, false
			}
			step, _ := train.Saved(path) // of a damaged file the child says what is wrong with it
			return step, true
		},
		Started: func(c supervise.Child) {
			if o.json {
				jsonLine(out, map[string]any{"event": "child", "pid": c.PID, "resume": c.Resume || o.resume})
			}
		},
		Died: func(d supervise.Death) {
			if o.json {
				jsonLine(out, map[string]any{
					"event": "restart", "restart": d.Restart, "reason": d.Reason, "resume": d.Resume, "step": d.Step, "pause_seconds": d.Pause.Seconds(),
				})
				return
			}
			from := "from the start"
			if d.Resume {
				from = fmt.Sprintf("from step %d", d.Step)
			}
			fmt.Fprintf(out, "\nthe training process died: %s; restart %d goes on %s in %v\n", d.Reason, d.Restart, from, d.Pause)
		},
	}
	err = s.Run(cmd.Context())
	switch {
	case errors.Is(err, supervise.ErrFinal):
		return errTold
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%w: %w", train.ErrInterrupted, err)
	}
	return err
}

// again is the command line that sets the flags as they are set, but for those that are
// the supervisor's own.
func again(f *pflag.FlagSet) (args []string) {
	f.Visit(func(flag *pflag.Flag) {
		if slices.Contains([]string{"supervise", "restarts", "resume"}, flag.Name) {
			return
		}
		args = append(args, typed(flag)...)
	})
	return args
}

// typed is a flag as it is set.
func typed(flag *pflag.Flag) (args []string) {
	if list, ok := flag.Value.(pflag.SliceValue); ok {
		for _, v := range list.GetSlice() {
			args = append(args, "--"+flag.Name+"="+v)
		}
		return args
	}
	return []string{"--" + flag.Name + "=" + flag.Value.String()}
}

// quoted is an argument as a shell takes it.
func quoted(arg string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_=./:,+", r)
	}
	if !strings.ContainsFunc(arg, func(r rune) bool { return !plain(r) }) {
		return arg
	}
	return "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
}
