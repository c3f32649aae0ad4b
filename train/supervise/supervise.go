// Package supervise keeps a training process going: it starts the process again, from
// its checkpoint, each time it dies, be it of a signal, a lost device or lack of memory.
// A GPU driver can end the process that uses it, and nothing inside that process can
// prevent it; what can be done is to lose little by it.
//
// The parent runs a Supervisor. The child, which is the same program or another one,
// trains under Context, and tells by its exit status what its end means: 0 that it has
// finished, Interrupted that it was asked to stop, Final that it failed in a way that a
// restart does not mend. Every other end, Again or a signal among them, is followed by a
// restart, so that no way to die must be known beforehand; statuses mean the same on
// every system, whereas a process killed on Windows has one like any other.
//
// Parent and child are tied by a pipe, the child's standard input: the parent closes it
// to have the child save and stop, and a child whose parent is gone finds it closed.
package supervise

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"
)

// The exit statuses by which a child says what its end means, besides 0.
const (
	Final       = 64  // failed, and would fail again
	Again       = 75  // failed, but a restart may help: a lost device, lack of memory
	Interrupted = 130 // stopped because it was asked to
)

// variable is set in the environment of a child.
const variable = "PUMICE_SUPERVISED"

// ErrGivenUp says that the child died again and again without progress.
var ErrGivenUp = errors.New("gave up restarting")

// ErrFinal says that the child ended with the status Final.
var ErrFinal = errors.New("failed, and would fail again")

// Supervisor runs a child until it is done.
type Supervisor struct {
	// Command makes the child's process with exec.CommandContext and ctx: one that begins,
	// or one that resumes from the checkpoint. Its standard input is the supervisor's.
	Command func(ctx context.Context, resume bool) *exec.Cmd
	// Saved returns the step of the checkpoint that a child can resume from, or false where
	// there is none.
	Saved func() (step int, ok bool)
	// Limit is how many times in a row the child is started again without having come
	// further than the time before; default 5.
	Limit int
	// Pause is the time before a restart; it doubles with each one without progress, up to
	// 32 times. Default 100 ms.
	Pause time.Duration
	// Grace is how long a child that is asked to stop may take before it is killed; default
	// 1 minute.
	Grace time.Duration
	// Started, if there is one, is called for each child.
	Started func(c Child)
	// Died, if there is one, is called where a child will be started again.
	Died func(d Death)
}

// Child is a process that was started.
type Child struct {
	PID    int
	Resume bool
}

// Death is the end of a child that another one follows.
type Death struct {
	Reason   string // such as "signal: killed"
	Restart  int    // the number of the restart that follows, from 1
	Resume   bool   // that it goes on from a checkpoint
	Step     int    // of the checkpoint
	Pause    time.Duration
	Progress bool // that the child came further than the one before
}

// Run starts the child, and starts it again, until it has finished; then it returns nil.
// A cancelled context stops the child, and is the error. Other errors wrap ErrFinal or
// ErrGivenUp, or are of a process that cannot be started.
func (s *Supervisor) Run(ctx context.Context) error {
	limit, pause, last := s.Limit, s.Pause, -1
	if limit == 0 {
		limit = 5
	}
	if pause == 0 {
		pause = 100 * time.Millisecond
	}
	step, resume := s.Saved()
	if resume {
		last = step
	}
	for restart, idle := 1, 0; ; restart++ {
		state, err := s.child(ctx, resume)
		if err != nil {
			return err
		}
		switch status := state.ExitCode(); {
		case status == 0:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("supervise: stopped the child (%v): %w", state, context.Cause(ctx))
		case status == Interrupted:
			return fmt.Errorf("supervise: the child was interrupted: %w", context.Canceled)
		case status == Final:
			return fmt.Errorf("supervise: the child %w", ErrFinal)
		}
		d := Death{Reason: state.String(), Restart: restart, Pause: pause}
		d.Step, d.Resume = s.Saved()
		if d.Progress = d.Resume && d.Step > last; d.Progress {
			idle, last = 0, d.Step
		} else if idle++; idle > limit {
			return fmt.Errorf("supervise: %w: the child died %d times without coming further, the last time of %s", ErrGivenUp, idle, d.Reason)
		}
		d.Pause <<= min(max(idle-1, 0), 5)
		resume = d.Resume
		if s.Died != nil {
			s.Died(d)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("supervise: stopped before a restart: %w", context.Cause(ctx))
		case <-time.After(d.Pause):
		}
	}
}

// child runs one process to its end.
func (s *Supervisor) child(ctx context.Context, resume bool) (*os.ProcessState, error) {
	if ctx.Err() != nil {
		return nil, fmt.Errorf("supervise: stopped before a start: %w", context.Cause(ctx))
	}
	c := s.Command(ctx, resume)
	c.Env = append(c.Environ(), variable+"=1")
	tie, err := c.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("supervise: %w", err)
	}
	c.Cancel = tie.Close
	c.WaitDelay = time.Minute
	if s.Grace > 0 {
		c.WaitDelay = s.Grace
	}
	if err := c.Start(); err != nil {
		return nil, fmt.Errorf("supervise: %w", err)
	}
	if s.Started != nil {
		s.Started(Child{c.Process.Pid, resume})
	}
	err = c.Wait()
	if c.ProcessState == nil {
		return nil, fmt.Errorf("supervise: %w", err)
	}
	return c.ProcessState, nil
}

// supervised reports, once, whether the process is a child, and hides it from the
// processes that it starts itself.
var supervised = sync.OnceValue(func() bool {
	is := os.Getenv(variable) != ""
	os.Unsetenv(variable)
	return is
})

// Supervised reports whether this process is the child of a Supervisor.
func Supervised() bool { return supervised() }

// Context returns a context that is cancelled, in the child of a Supervisor, when that
// wants the child to stop, or is gone. In other processes it is ctx. It reads standard
// input to its end, and is called once.
func Context(ctx context.Context) context.Context {
	if !Supervised() {
		return ctx
	}
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // any end of it will do
		cancel()
	}()
	return ctx
}
