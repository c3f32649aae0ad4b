package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/pumice-ml/pumice/train"
)

// kills is how many processes a test kills: PUMICE_KILLS, or a few.
func kills(t *testing.T, few int) int {
	t.Helper()
	text := os.Getenv("PUMICE_KILLS")
	if text == "" {
		return few
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("PUMICE_KILLS is %q, want a number of 1 or more", text)
	}
	return n
}

// endless is a training run of some hundred steps a second that saves all the time.
func endless(out string, epochs int) []string {
	return []string{"train", "--model", "mlp", "--images", "1000", "--batch", "20", "--epochs", fmt.Sprint(epochs), "--interval", "30ms", "--no-report", "--out", out, "--json"}
}

// unbroken is the last event of the run that nobody kills, in a process of its own, and
// how long that took, and how long until its first event. Tests share it.
func unbroken(t *testing.T, epochs int) (done map[string]any, all, first time.Duration) {
	t.Helper()
	whole.Lock()
	defer whole.Unlock()
	if r, ok := whole.runs[epochs]; ok {
		return r.done, r.all, r.first
	}
	start := time.Now()
	follow(t, child(endless(t.TempDir(), epochs)...), func(event map[string]any) {
		if first == 0 {
			first = time.Since(start)
		}
		done = event
	})
	all = time.Since(start)
	whole.runs[epochs] = wholeRun{done, all, first}
	return done, all, first
}

type wholeRun struct {
	done       map[string]any
	all, first time.Duration
}

// whole are the runs that nobody killed, by their epochs.
var whole = struct {
	sync.Mutex
	runs map[int]wholeRun
}{runs: map[int]wholeRun{}}

// follow starts a process and hands on its events, until it ends.
func follow(t *testing.T, c *exec.Cmd, visit func(event map[string]any)) {
	t.Helper()
	c.Stderr = os.Stderr
	pipe, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for s := bufio.NewScanner(pipe); s.Scan(); {
		visit(lines(t, s.Text())[0])
	}
	_ = c.Wait() // its status is looked at
}

// TestKilled kills training processes at random moments after their start, and wants
// each, resumed, to end at the weights of the run that nobody killed.
func TestKilled(t *testing.T) {
	t.Parallel() // its work is done by processes of its own
	const epochs = 4
	want, all, first := unbroken(t, epochs)
	long := all - first
	random := rand.New(rand.NewPCG(3, 4))
	steps := map[string]int{}
	for killed, n := 0, kills(t, 2); killed < n; {
		dir := t.TempDir()
		c := child(endless(dir, epochs)...)
		moment := time.Duration(random.Int64N(int64(long)))
		var begun time.Time
		var timer *time.Timer
		follow(t, c, func(event map[string]any) {
			if event["event"] == "start" {
				begun = time.Now()
				timer = time.AfterFunc(moment, func() { _ = c.Process.Kill() }) // or it has ended
			}
		})
		if timer.Stop() || c.ProcessState.Success() {
			long = min(long, time.Since(begun)) // it was done before: the machine has less to do now
			continue
		}
		killed++
		args := endless(dir, epochs)
		step, err := train.Saved(filepath.Join(dir, checkpointName))
		switch {
		case err == nil:
			args = append(args, "--resume")
			steps[fmt.Sprintf("epoch %d", step/50+1)]++
		case errors.Is(err, fs.ErrNotExist):
			steps["before the first checkpoint"]++
		default:
			t.Errorf("killed after %v: %v", moment, err)
		}
		t.Logf("kill %d after %v, at step %d or later", killed, moment, step)
		rest := lines(t, must(t, args...))
		got := rest[len(rest)-1]
		if got["weights_sha256"] != want["weights_sha256"] || got["test_accuracy"] != want["test_accuracy"] {
			t.Errorf("killed after %v at step %d, then resumed: %v\nunbroken: %v", moment, step, got, want)
		}
	}
	t.Logf("killed within %v, then resumed: %v", long, steps)
}

// TestSupervise kills the processes that train under a supervisor, and wants the run to
// finish with the weights of the one that nobody killed.
func TestSupervise(t *testing.T) {
	t.Parallel() // its work is done by processes of its own
	n := max(2, kills(t, 5)*2/5)
	epochs := 2 * n
	want, all, first := unbroken(t, epochs)
	random := rand.New(rand.NewPCG(5, 6))
	killed, died, runs := 0, map[string]int{}, 0
	for killed < n {
		dir := t.TempDir()
		var timer *time.Timer
		var fell time.Time
		var slowest time.Duration
		var last map[string]any
		c := child(append(endless(dir, epochs), "--supervise", "--restarts", "1000")...)
		follow(t, c, func(event map[string]any) {
			switch last = event; event["event"] {
			case "child":
				if killed < n {
					moment := random.Int64N(int64(first + 2*(all-first)/time.Duration(n)))
					timer = time.AfterFunc(time.Duration(moment), func() {
						if p, err := os.FindProcess(int(event["pid"].(float64))); err == nil {
							_ = p.Kill()
						}
					})
				}
			case "restart":
				killed++
				died[fmt.Sprint(event["reason"])]++
				fell = time.Now()
			case "start":
				if !fell.IsZero() {
					slowest = max(slowest, time.Since(fell))
				}
			case "done":
				timer.Stop()
			}
		})
		runs++
		if c.ProcessState.ExitCode() != 0 || last["weights_sha256"] != want["weights_sha256"] {
			t.Fatalf("%v after %d kills, last event %v\nunbroken: %v", c.ProcessState, killed, last, want)
		}
		t.Logf("%d kills; from a death to the next start %v at most", killed, slowest)
	}
	t.Logf("died in %d runs of %v", runs, died)
}
