// Package bench measures Pumice, and other systems beside it: single operations,
// whole training steps, and what a dispatch costs. Whatever is compared is measured
// in turn, A B A B, several rounds of it, and reported by its median.
//
//	ours, err := bench.Open(dev, "matmul/512")
//	peer, err := bench.Gonum("matmul/512")
//	rows, err := bench.Measure(ctx, 5, 200*time.Millisecond, ours, peer)
//
// The rows have the same names in every system, and the operands are the same
// numbers (see [Values]), so that results can be compared before times are.
package bench

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"
)

// Case is work to be measured. Its owner closes it.
type Case struct {
	Row, System string
	Work        float64 // of one run, in Unit
	Unit        string  // GFLOP, GB or images; "" where no rate is of interest
	// Run does the work n times and returns when it is finished.
	Run func(ctx context.Context, n int) error
	// Output is what the work makes; nil where there is nothing to compare.
	Output func(ctx context.Context) ([]float32, error)
	// Close frees what the case holds; nil where that is nothing.
	Close func() error
}

// Row is what was measured of one thing in one system, by round.
type Row struct {
	Row     string    `json:"row"`
	System  string    `json:"system"`
	Unit    string    `json:"unit"` // of Samples and Median
	Samples []float64 `json:"samples"`
	Median  float64   `json:"median"`
	// Rate is work per second at the median, in RateUnit.
	Rate     float64 `json:"rate,omitempty"`
	RateUnit string  `json:"rate_unit,omitempty"`
	// Ratio is how many times as fast as the peer: the median of the rounds.
	Ratio float64 `json:"ratio,omitempty"`
	Peer  string  `json:"peer,omitempty"`
}

// NewRow returns a row of samples with their median.
func NewRow(row, system, unit string, samples ...float64) Row {
	return Row{Row: row, System: system, Unit: unit, Samples: samples, Median: Median(samples)}
}

// Against sets the ratio to a peer that was measured in the same rounds. It panics
// where it has others.
func (r *Row) Against(peer Row) {
	if len(r.Samples) != len(peer.Samples) || r.Unit != peer.Unit {
		panic(fmt.Sprintf("bench: %s: %d rounds in %s against %d in %s", r.Row, len(r.Samples), r.Unit, len(peer.Samples), peer.Unit))
	}
	ratios := make([]float64, len(r.Samples))
	for i, s := range r.Samples {
		ratios[i] = peer.Samples[i] / s
	}
	r.Ratio, r.Peer = Median(ratios), peer.System
}

// Median is the middle one of the numbers, or between the two middle ones; NaN of
// none.
func Median(x []float64) float64 {
	s := slices.Sorted(slices.Values(x))
	if len(s) == 0 {
		return math.NaN()
	}
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// Measure runs the cases in turn, rounds times over, and returns a row of
// milliseconds per run for each. A sample is as many runs as take the time given,
// and at least one, after some that are not counted.
func Measure(ctx context.Context, rounds int, sample time.Duration, cases ...*Case) ([]Row, error) {
	if rounds < 1 {
		return nil, fmt.Errorf("bench: %d rounds, want 1 or more", rounds)
	}
	counts, samples := make([]int, len(cases)), make([][]float64, len(cases))
	for i, c := range cases {
		var err error
		if counts[i], err = c.warm(ctx, sample); err != nil {
			return nil, err
		}
	}
	for range rounds {
		for i, c := range cases {
			t, err := c.time(ctx, counts[i])
			if err != nil {
				return nil, err
			}
			samples[i] = append(samples[i], 1e3*t.Seconds()/float64(counts[i]))
		}
	}
	rows := make([]Row, len(cases))
	for i, c := range cases {
		rows[i] = NewRow(c.Row, c.System, "ms", samples[i]...)
		if c.Unit != "" {
			rows[i].Rate, rows[i].RateUnit = c.Work/(rows[i].Median/1e3), c.Unit+"/s"
		}
	}
	return rows, nil
}

// warm runs the case until it has its full speed and returns how many runs fill a
// sample. A program is compiled in its first run and measured in the first two.
func (c *Case) warm(ctx context.Context, sample time.Duration) (n int, err error) {
	const most = 1 << 20
	var t time.Duration
	for range 3 {
		if t, err = c.time(ctx, 1); err != nil {
			return 0, err
		}
	}
	for n = 1; n < most && t < sample/2; { // short runs end sooner when there are many
		n = min(most, max(n+1, int(float64(n)*float64(sample)/float64(max(t, 1)))), 16*n)
		if t, err = c.time(ctx, n); err != nil {
			return 0, err
		}
	}
	return n, nil
}

func (c *Case) time(ctx context.Context, n int) (time.Duration, error) {
	start := time.Now()
	if err := c.Run(ctx, n); err != nil {
		return 0, fmt.Errorf("bench: %s of %s: %w", c.Row, c.System, err)
	}
	return time.Since(start), nil
}
