package main

import (
	"fmt"
	"io"
	"os"
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
		jsonLine(r.out, struct {
			Event string `json:"event"`
			train.Epoch
		}{"epoch", e})
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

// done prints what a finished run gave.
func (r *printer) done(h train.History, took time.Duration, checkpoint, page, sum string) {
	seconds, last := 0.0, train.Epoch{}
	for _, e := range h {
		seconds += e.Seconds
		last = e
	}
	if r.json {
		jsonLine(r.out, map[string]any{
			"event": "done", "test_accuracy": last.TestAccuracy, "train_seconds": seconds, "checkpoint": checkpoint, "report": page, "weights_sha256": sum,
		})
		return
	}
	width := max(len(r.caption.held)+2, 6)
	fmt.Fprintf(r.out, "\nepoch    loss  train %%  %*s  seconds  %s/s\n", width, r.caption.held+" %", r.caption.unit)
	for _, e := range h {
		fmt.Fprintf(r.out, "%5d  %.4f   %6.2f  %*.2f  %7.1f  %*.0f\n", e.Epoch, e.Loss, 100*e.TrainAccuracy, width, 100*e.TestAccuracy, e.Seconds, len(r.caption.unit)+2, e.ImagesPerSecond)
	}
	fmt.Fprintf(r.out, "\n%s accuracy %.2f%% after %.1f s of training, %.1f s in all\n", r.caption.held, 100*last.TestAccuracy, seconds, took.Seconds())
	fmt.Fprintf(r.out, "checkpoint %s\nweights    SHA-256 %s\n", checkpoint, sum)
	if page != "" {
		fmt.Fprintln(r.out, "report    ", page)
	}
	fmt.Fprintln(r.out, "next: demo predict --index 0")
}
