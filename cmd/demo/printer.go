package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/pumice-ml/pumice/train"
)

// printer prints a run: a line for each epoch, with a dashboard below on a terminal,
// or JSON.
type printer struct {
	out     io.Writer
	json    bool
	board   *dashboard // nil where there is none
	memory  func() int64
	caption caption
	next    string        // the command that uses what was trained
	before  time.Duration // of the run, to read data and to build

	measures func(train.Epoch) string // what else to tell of an epoch
}

func isTerminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// progress draws where the run stands.
func (r *printer) progress(p train.Progress) {
	if r.board == nil {
		r.board = newDashboard(r.out, r.caption)
	}
	r.board.progress(sample{Progress: p, at: time.Now(), memory: r.memory()})
}

// close takes the dashboard away. It may be called twice.
func (r *printer) close() {
	if r.board != nil {
		r.board.close()
		r.board = nil
	}
}

func (r *printer) epoch(e train.Epoch, of int) {
	if r.json {
		jsonLine(r.out, r.event(e))
		return
	}
	skipped := ""
	if e.Skipped > 0 {
		skipped = fmt.Sprintf("  %d steps skipped", e.Skipped)
	}
	text := fmt.Sprintf("epoch %d/%d  loss %.4f  train %.2f%%  %s %.2f%%  %.1f s  %.0f %s/s%s%s",
		e.Epoch, of, e.Loss, 100*e.TrainAccuracy, r.caption.held, 100*e.TestAccuracy, e.Seconds, e.ImagesPerSecond, r.caption.unit, skipped, r.measures(e))
	if r.board == nil {
		fmt.Fprintln(r.out, text)
		return
	}
	r.board.println(text)
	r.board.evaluated(point{float64(e.Epoch), e.TestLoss, e.TestAccuracy})
}

// event is an epoch as JSON has it, in which what was measured has its own name.
func (r *printer) event(e train.Epoch) map[string]any {
	b, err := json.Marshal(e)
	all := map[string]any{}
	if err == nil {
		err = json.Unmarshal(b, &all)
	}
	if err != nil {
		return map[string]any{"event": "epoch", "epoch": e.Epoch, "error": err.Error()}
	}
	for name, v := range maps.Clone(all) {
		if rest, ok := strings.CutPrefix(name, "test_"); ok {
			delete(all, name)
			all[r.caption.held+"_"+rest] = v
		}
	}
	all["event"] = "epoch"
	return all
}

// ready notes how long it took until the first step could begin.
func (r *printer) ready(took time.Duration) { r.before = took }

// stopped prints why a run ends before its last epoch.
func (r *printer) stopped(why string) {
	if r.json {
		jsonLine(r.out, map[string]any{"event": "stopped", "reason": why})
		return
	}
	fmt.Fprintf(r.out, "stopped early: %s\n", why)
}

// tested prints how good the model is on a test set that was not looked at before.
func (r *printer) tested(name string, m train.Metrics) {
	if r.json {
		jsonLine(r.out, map[string]any{"event": "test", "data": name, "examples": m.Rows, "accuracy": m.Accuracy, "loss": m.Loss})
		return
	}
	fmt.Fprintf(r.out, "%s, %d examples that were not used before: accuracy %.2f%%, loss %.4f\n", name, m.Rows, 100*m.Accuracy, m.Loss)
}

// done prints what a finished run gave.
func (r *printer) done(h train.History, took time.Duration, checkpoint, page, sum string) {
	seconds, last := 0.0, train.Epoch{}
	for _, e := range h {
		seconds += e.Seconds
		last = e
	}
	if r.json {
		jsonLine(r.out, map[string]any{
			"event": "done", r.caption.held + "_accuracy": last.TestAccuracy, "train_seconds": seconds, "ready_seconds": r.before.Seconds(), "checkpoint": checkpoint, "report": page, "weights_sha256": sum,
		})
		return
	}
	width := max(len(r.caption.held)+2, 6)
	fmt.Fprintf(r.out, "\nepoch    loss  train %%  %*s  seconds  %s/s\n", width, r.caption.held+" %", r.caption.unit)
	for _, e := range h {
		fmt.Fprintf(r.out, "%5d  %.4f   %6.2f  %*.2f  %7.1f  %*.0f\n", e.Epoch, e.Loss, 100*e.TrainAccuracy, width, 100*e.TestAccuracy, e.Seconds, len(r.caption.unit)+2, e.ImagesPerSecond)
	}
	fmt.Fprintf(r.out, "\n%s accuracy %.2f%% after %.1f s of training; %.1f s before it for data and kernels, %.1f s in all\n", r.caption.held, 100*last.TestAccuracy, seconds, r.before.Seconds(), took.Seconds())
	fmt.Fprintf(r.out, "checkpoint %s\nweights    SHA-256 %s\n", checkpoint, sum)
	if page != "" {
		fmt.Fprintln(r.out, "report    ", page)
	}
	fmt.Fprintln(r.out, "next:", r.next)
}
