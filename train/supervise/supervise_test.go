package supervise

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestMain makes the test binary the child where it is started as one. Its arguments are
// a folder and a word for each start, of what that does: a status to end with, or a way
// to die, after a colon and the step that it saves.
func TestMain(m *testing.M) {
	if Supervised() {
		os.Exit(act(Context(context.Background()), os.Args[1], os.Args[2:]))
	}
	os.Exit(m.Run())
}

// act adds a line to the file of starts and does what the next word says.
func act(ctx context.Context, dir string, words []string) int {
	starts, _ := os.ReadFile(filepath.Join(dir, "starts"))
	n := strings.Count(string(starts), "\n")
	f, err := os.OpenFile(filepath.Join(dir, "starts"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return Final
	}
	fmt.Fprintln(f, words[n])
	f.Close()
	fmt.Println("at work")
	do, step, _ := strings.Cut(words[n], ":")
	if step != "" {
		if err := os.WriteFile(filepath.Join(dir, "saved"), []byte(step), 0o644); err != nil {
			return Final
		}
	}
	switch do {
	case "kill":
		p, _ := os.FindProcess(os.Getpid())
		_ = p.Kill()
		select {}
	case "panic":
		panic("as asked")
	case "wait":
		<-ctx.Done()
		return Interrupted
	case "hang":
		for {
			time.Sleep(time.Hour)
		}
	}
	status, _ := strconv.Atoi(do)
	return status
}

// family is a supervisor whose children do what the words say, and what it tells.
type family struct {
	Supervisor
	dir    string
	deaths []Death
	begun  []Child
}

func newFamily(t *testing.T, words ...string) *family {
	f := &family{dir: t.TempDir()}
	f.Command = func(ctx context.Context, _ bool) *exec.Cmd {
		return exec.CommandContext(ctx, os.Args[0], append([]string{f.dir}, words...)...)
	}
	f.Saved = func() (int, bool) {
		text, err := os.ReadFile(filepath.Join(f.dir, "saved"))
		step, _ := strconv.Atoi(string(text))
		return step, err == nil
	}
	f.Pause = time.Millisecond
	f.Died = func(d Death) { f.deaths = append(f.deaths, d) }
	f.Started = func(c Child) { f.begun = append(f.begun, c) }
	return f
}

func TestRun(t *testing.T) {
	for name, c := range map[string]struct {
		words  []string
		limit  int
		want   error
		steps  []int // of the deaths
		pauses []time.Duration
	}{
		"finishes":            {[]string{"0"}, 0, nil, nil, nil},
		"dies and goes on":    {[]string{"kill:3", "panic:5", "1:6", "75:8", "0:9"}, 0, nil, []int{3, 5, 6, 8}, []time.Duration{1, 1, 1, 1}},
		"before a save":       {[]string{"kill", "kill:2", "0"}, 0, nil, []int{0, 2}, []time.Duration{1, 1}},
		"fails for good":      {[]string{"kill:1", "64"}, 0, ErrFinal, []int{1}, []time.Duration{1}},
		"interrupted":         {[]string{"130"}, 0, context.Canceled, nil, nil},
		"no progress":         {[]string{"kill:1", "kill:1", "kill:1", "kill:1"}, 2, ErrGivenUp, []int{1, 1, 1}, []time.Duration{1, 1, 2}},
		"progress in between": {[]string{"kill:1", "kill", "kill", "kill:2", "kill", "kill", "0"}, 2, nil, []int{1, 1, 1, 2, 2, 2}, []time.Duration{1, 1, 2, 1, 1, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFamily(t, c.words...)
			f.Limit = c.limit
			if err := f.Run(context.Background()); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if len(f.deaths) != len(c.steps) || len(f.begun) != len(c.words) {
				t.Fatalf("%d starts, deaths %+v; want %d and %d", len(f.begun), f.deaths, len(c.words), len(c.steps))
			}
			for i, d := range f.deaths {
				if d.Step != c.steps[i] || d.Restart != i+1 || d.Pause != c.pauses[i]*time.Millisecond || d.Resume != f.begun[i+1].Resume || d.Reason == "" {
					t.Errorf("death %d is %+v, before a start with resume %v; want step %d, pause %v ms", i, d, f.begun[i+1].Resume, c.steps[i], int(c.pauses[i]))
				}
			}
			if f.begun[0].Resume {
				t.Error("the first child resumes what is not there")
			}
		})
	}
}

// told is a writer that calls a function when it is written to.
type told func()

func (f told) Write(b []byte) (int, error) {
	f()
	return len(b), nil
}

// TestStop wants a cancelled context to let a child save, or else to kill it in time.
func TestStop(t *testing.T) {
	for word, reason := range map[string]string{"wait:7": "exit status 130", "hang": "killed"} {
		t.Run(word, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			f := newFamily(t, word)
			f.Grace = 30 * time.Second
			if word == "hang" {
				f.Grace = 50 * time.Millisecond
			}
			command := f.Command
			f.Command = func(ctx context.Context, resume bool) *exec.Cmd {
				c := command(ctx, resume)
				c.Stdout = told(cancel)
				return c
			}
			err := f.Run(ctx)
			if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), reason) {
				t.Errorf("got %v, want context.Canceled and %q", err, reason)
			}
		})
	}
}

func TestCannotStart(t *testing.T) {
	f := newFamily(t)
	f.Command = func(ctx context.Context, _ bool) *exec.Cmd {
		return exec.CommandContext(ctx, filepath.Join(f.dir, "nothing"))
	}
	if err := f.Run(context.Background()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want one that says there is no such file", err)
	}
}
