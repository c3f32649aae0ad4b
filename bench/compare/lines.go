package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/pumice-ml/pumice/bench"
	"github.com/pumice-ml/pumice/compute"
)

// line is what a system prints for each row, as JSON, after a first line that
// describes the system.
type line struct {
	System *bench.System `json:"system,omitempty"`
	Row    string        `json:"row,omitempty"`
	Ms     float64       `json:"ms,omitempty"`
	First  float64       `json:"first_ms,omitempty"` // of a step
	Sums   *bench.Sums   `json:"sums,omitempty"`     // of the output
	Loss   *float64      `json:"loss,omitempty"`     // mean of the first three steps
	Skip   string        `json:"skip,omitempty"`     // why the system has no such row
}

// agrees reports whether two systems computed the same, as far as both say. The
// losses of a few steps of Adam may differ by a thousandth.
func (l line) agrees(with line) error {
	switch {
	case l.Sums != nil && with.Sums != nil && !l.Sums.Agrees(*with.Sums):
		return fmt.Errorf("%s: sums %v and %v: %w", l.Row, *l.Sums, *with.Sums, bench.ErrNumbers)
	case l.Loss != nil && with.Loss != nil && !(max(*l.Loss-*with.Loss, *with.Loss-*l.Loss) <= 1e-3**l.Loss):
		return fmt.Errorf("%s: losses %v and %v: %w", l.Row, *l.Loss, *with.Loss, bench.ErrNumbers)
	case (l.Sums == nil) != (with.Sums == nil) || (l.Loss == nil) != (with.Loss == nil):
		return fmt.Errorf("%s: only one system says what it computed", l.Row)
	}
	return nil
}

// pumice measures rows on a device and prints their lines.
func pumice(ctx context.Context, out io.Writer, want compute.Want, rows []string, sample time.Duration) error {
	dev, err := compute.Open(ctx, want)
	if err != nil {
		return err
	}
	defer dev.Close()
	e, system := json.NewEncoder(out), bench.SystemOf(dev)
	if err := e.Encode(line{System: &system}); err != nil {
		return err
	}
	for _, row := range rows {
		var l line
		if model, ok := strings.CutPrefix(row, "step/"); ok {
			l, err = step(ctx, dev, model, sample)
		} else {
			var c *bench.Case
			if c, err = bench.Open(dev, row); err == nil {
				l, err = operation(ctx, c, sample)
				bench.CloseAll([]*bench.Case{c})
			}
		}
		if err != nil {
			return err
		}
		l.Row = row
		if err := e.Encode(l); err != nil {
			return err
		}
	}
	return nil
}

// gonum is pumice for gonum.
func gonum(ctx context.Context, out io.Writer, rows []string, sample time.Duration) error {
	e, system := json.NewEncoder(out), bench.GonumSystem()
	if err := e.Encode(line{System: &system}); err != nil {
		return err
	}
	for _, row := range rows {
		l := line{Skip: "gonum has no convolutions and no training"}
		if c, err := bench.Gonum(row); err == nil {
			if l, err = operation(ctx, c, sample); err != nil {
				return err
			}
		}
		l.Row = row
		if err := e.Encode(l); err != nil {
			return err
		}
	}
	return nil
}

func operation(ctx context.Context, c *bench.Case, sample time.Duration) (line, error) {
	measured, err := bench.Measure(ctx, 1, sample, c)
	if err != nil {
		return line{}, err
	}
	y, err := c.Output(ctx)
	if err != nil {
		return line{}, err
	}
	sums := bench.Sum(y)
	return line{Ms: measured[0].Median, Sums: &sums}, nil
}

func step(ctx context.Context, dev *compute.Device, model string, sample time.Duration) (line, error) {
	images, _ := bench.Work("step/" + model)
	t, err := bench.NewTrainer(ctx, dev, model, int(images), bench.Images(int(images)))
	if err != nil {
		return line{}, err
	}
	defer t.Close()
	loss, err := t.Loss(ctx, 3)
	if err != nil {
		return line{}, err
	}
	measured, err := bench.Measure(ctx, 1, sample, t.Case())
	if err != nil {
		return line{}, err
	}
	return line{Ms: measured[0].Median, First: 1e3 * t.First.Seconds(), Loss: &loss}, nil
}
