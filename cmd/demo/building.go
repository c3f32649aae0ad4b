package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/internal/engine"
)

// building tells what a device does while programs are built: a bar on a terminal, which
// goes when all is done, and else a line each second. Of what is over at once it tells
// nothing.
type building struct {
	out      io.Writer
	terminal bool

	mu     sync.Mutex
	stages []compute.Progress // in the order in which they began
	began  time.Time
	timer  *time.Timer // nil where nothing is being built
	drawn  bool
}

// tellBuilding begins to tell of a device, until it is closed.
func tellBuilding(out io.Writer, dev *compute.Device) {
	b := &building{out: out, terminal: isTerminal(out)}
	dev.OnProgress(b.progress)
}

func (b *building) progress(p compute.Progress) {
	b.mu.Lock()
	defer b.mu.Unlock()
	known := false
	for i := range b.stages {
		if b.stages[i].Stage == p.Stage {
			b.stages[i], known = p, true
		}
	}
	if !known {
		b.stages = append(b.stages, p)
	}
	switch busy := b.busy(); {
	case busy && b.timer == nil:
		b.began = time.Now()
		b.timer = time.AfterFunc(300*time.Millisecond, b.tick)
	case !busy && b.timer != nil:
		b.timer.Stop()
		b.timer, b.stages = nil, nil
		if b.drawn && b.terminal {
			fmt.Fprint(b.out, "\r\x1b[K")
		}
		b.drawn = false
	}
}

func (b *building) busy() bool {
	for _, s := range b.stages {
		if s.Done < s.Total {
			return true
		}
	}
	return false
}

// tick draws, and comes again.
func (b *building) tick() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.timer == nil {
		return
	}
	b.drawn = true
	if b.terminal {
		fmt.Fprint(b.out, "\r\x1b[K"+b.text(20))
		b.timer.Reset(100 * time.Millisecond)
		return
	}
	fmt.Fprintln(b.out, b.text(0))
	b.timer.Reset(time.Second)
}

// text is as "compiling 15 kernels [####------] 6, testing 12 [----------] 0, 3 s", with
// bars of a width.
func (b *building) text(width int) string {
	var parts []string
	for _, s := range b.stages {
		what := map[string]string{engine.Compiling: "compiling %d kernels", engine.Judging: "testing %d kernels"}[s.Stage]
		part := fmt.Sprintf(what, s.Total)
		if width > 0 {
			full := width * s.Done / s.Total
			part += " [" + strings.Repeat("#", full) + strings.Repeat("-", width-full) + "]"
		}
		parts = append(parts, fmt.Sprintf("%s: %d done", part, s.Done))
	}
	return fmt.Sprintf("%s, %.0f s", strings.Join(parts, ", "), time.Since(b.began).Seconds())
}
