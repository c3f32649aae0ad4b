package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/internal/compiler"
	"github.com/pumice-ml/pumice/layers"
)

// Dispatch measures what it costs to have work done, whatever the work: a program
// of as many dispatches as given on 64 numbers each, on the whole and for the host
// alone, a submission, and reading 64 numbers back. Times are in microseconds.
func Dispatch(ctx context.Context, dev *compute.Device, dispatches, rounds int, sample time.Duration) ([]Row, error) {
	if dispatches < 1 || rounds < 1 {
		return nil, fmt.Errorf("bench: %d dispatches, %d rounds, want 1 or more", dispatches, rounds)
	}
	many, _, count, err := chain(dev, dispatches)
	if err != nil {
		return nil, err
	}
	defer many.Close()
	one, y, _, err := chain(dev, 1)
	if err != nil {
		return nil, err
	}
	defer one.Close()
	got := make([]float32, y.Len())
	probes := []struct {
		name  string
		parts int
		run   func(ctx context.Context, n int) error
	}{
		{"dispatch", count, func(ctx context.Context, n int) error { return repeat(ctx, many, dev, n) }},
		{"submission of one dispatch", 1, func(ctx context.Context, n int) error { return repeat(ctx, one, dev, n) }},
		{"submission, and waiting for it", 1, func(ctx context.Context, n int) error {
			for range n {
				if err := repeat(ctx, one, dev, 1); err != nil {
					return err
				}
			}
			return nil
		}},
		{"read-back", 1, func(ctx context.Context, n int) error {
			for range n {
				if err := one.Read(ctx, y, got); err != nil {
					return err
				}
			}
			return nil
		}},
	}
	var cases []*Case
	for _, p := range probes {
		cases = append(cases, &Case{Row: p.name, System: "pumice", Run: p.run})
	}
	measured, err := Measure(ctx, rounds, sample, cases...)
	if err != nil {
		return nil, err
	}
	var list []Row
	for i, r := range measured {
		list = append(list, NewRow(r.Row, r.System, "us", scaled(r.Samples, 1e3/float64(probes[i].parts))...))
	}
	host, err := hostTime(ctx, dev, many, rounds)
	if err != nil {
		return nil, err
	}
	return append(list, NewRow("dispatch, for the host alone", "pumice", "us", scaled(host, 1e6/float64(count))...)), nil
}

// chain is a program of dispatches that depend on one another; it returns how many
// they are after compiling.
func chain(dev *compute.Device, dispatches int) (*compute.Program, *compute.Tensor, int, error) {
	t := compute.NewTape(dev)
	x := t.Input("x", compute.F32, 64)
	for range dispatches {
		x = layers.ReLU{}.Forward(t, x)
	}
	t.Keep(x)
	p, err := t.Compile()
	if err != nil {
		return nil, nil, 0, err
	}
	steps, err := (*compiler.Program)(p).Steps()
	if err != nil {
		p.Close()
		return nil, nil, 0, err
	}
	return p, x, len(steps), nil
}

// hostTime is how many seconds it takes to submit a program to a device that has
// nothing to do.
func hostTime(ctx context.Context, dev *compute.Device, p *compute.Program, rounds int) ([]float64, error) {
	var seconds []float64
	for range rounds {
		start := time.Now()
		if err := p.Run(ctx); err != nil {
			return nil, err
		}
		seconds = append(seconds, time.Since(start).Seconds())
		if err := dev.Wait(ctx); err != nil {
			return nil, err
		}
	}
	return seconds, nil
}

func scaled(x []float64, by float64) []float64 {
	y := make([]float64, len(x))
	for i := range x {
		y[i] = x[i] * by
	}
	return y
}

// Copies prepares kernels that move memory and do next to nothing else, on arrays
// of n numbers.
func Copies(dev *compute.Device, n int) ([]*Case, error) {
	var cases []*Case
	for _, k := range []struct {
		name   string
		arrays int
		record func(t *compute.Tape, a, b *compute.Tensor) *compute.Tensor
	}{
		{"relu", 2, func(t *compute.Tape, a, _ *compute.Tensor) *compute.Tensor { return layers.ReLU{}.Forward(t, a) }},
		{"add", 3, func(t *compute.Tape, a, b *compute.Tensor) *compute.Tensor { return layers.Add(t, a, b) }},
	} {
		t := compute.NewTape(dev)
		a, b := t.Input("a", compute.F32, n), t.Input("b", compute.F32, n)
		c, err := program(fmt.Sprintf("%s/%d", k.name, n), t, k.record(t, a, b), a, b)
		if err != nil {
			CloseAll(cases)
			return nil, err
		}
		c.Work, c.Unit = float64(k.arrays)*4*float64(n)/1e9, "GB"
		cases = append(cases, c)
	}
	return cases, nil
}

// CloseAll closes cases.
func CloseAll(cases []*Case) {
	for _, c := range cases {
		if c.Close != nil {
			c.Close()
		}
	}
}
