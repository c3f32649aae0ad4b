package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"golang.org/x/term"

	"github.com/pumice-ml/pumice/safetensors"
	"github.com/pumice-ml/pumice/train"
)

// report prints a run: a bar on a terminal, a line per epoch elsewhere, or JSON.
type report struct {
	out    io.Writer
	json   bool
	images int // of an epoch
	bar    *bar

	measures func(train.Epoch) string // what else to tell of an epoch
}

func isTerminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func (r *report) progress(p train.Progress) {
	if r.bar == nil {
		r.bar = newBar(r.out, r.images, fmt.Sprintf("epoch %d/%d ", p.Epoch, p.Epochs))
	}
	r.bar.set(p.Images, p.Loss)
}

// close takes an unfinished bar away.
func (r *report) close() {
	if r.bar != nil {
		r.bar.close()
		r.bar = nil
	}
}

func (r *report) epoch(e train.Epoch, of int) {
	r.close()
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
	fmt.Fprintf(r.out, "epoch %d/%d  loss %.4f  train %.2f%%  test %.2f%%  %.1f s  %.0f images/s%s%s\n",
		e.Epoch, of, e.Loss, 100*e.TrainAccuracy, 100*e.TestAccuracy, e.Seconds, e.ImagesPerSecond, skipped, r.measures(e))
}

// done prints what a finished run gave.
func (r *report) done(h train.History, took time.Duration, checkpoint, sum string) {
	seconds, last := 0.0, train.Epoch{}
	for _, e := range h {
		seconds += e.Seconds
		last = e
	}
	if r.json {
		jsonLine(r.out, map[string]any{
			"event": "done", "test_accuracy": last.TestAccuracy, "train_seconds": seconds, "checkpoint": checkpoint, "weights_sha256": sum,
		})
		return
	}
	fmt.Fprintln(r.out, "\nepoch    loss  train %  test %  seconds  images/s")
	for _, e := range h {
		fmt.Fprintf(r.out, "%5d  %.4f   %6.2f  %6.2f  %7.1f  %8.0f\n", e.Epoch, e.Loss, 100*e.TrainAccuracy, 100*e.TestAccuracy, e.Seconds, e.ImagesPerSecond)
	}
	fmt.Fprintf(r.out, "\ntest accuracy %.2f%% after %.1f s of training, %.1f s in all\n", 100*last.TestAccuracy, seconds, took.Seconds())
	fmt.Fprintf(r.out, "checkpoint %s\nweights    SHA-256 %s\n", checkpoint, sum)
	fmt.Fprintln(r.out, "next: demo predict --index 0")
}

// writeHistory writes one line per epoch.
func writeHistory(path string, h train.History) error {
	return safetensors.WriteDurable(path, func(w io.Writer) error {
		c := csv.NewWriter(w)
		rows := [][]string{{"epoch", "loss", "train_accuracy", "test_loss", "test_accuracy", "seconds", "images_per_second"}}
		for _, e := range h {
			row := []string{strconv.Itoa(e.Epoch)}
			for _, v := range []float64{e.Loss, e.TrainAccuracy, e.TestLoss, e.TestAccuracy, e.Seconds, e.ImagesPerSecond} {
				row = append(row, strconv.FormatFloat(v, 'g', 8, 64))
			}
			rows = append(rows, row)
		}
		return c.WriteAll(rows)
	})
}
