package compute

import (
	"context"
	"slices"
	"testing"
	"time"
)

func TestSplit(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		cost []time.Duration
		want []int // commands before each cut
	}{
		{nil, nil},
		{[]time.Duration{10 * ms, 20 * ms, 70 * ms}, []int{3}},
		{[]time.Duration{10 * ms, 20 * ms, 71 * ms}, []int{2, 3}},
		{[]time.Duration{300 * ms, ms, ms, 99 * ms, ms, 500 * ms}, []int{1, 3, 5, 6}},
	} {
		var got []int
		var sum time.Duration
		for _, cut := range split(c.cost) {
			got = append(got, cut.last)
			sum += cut.cost
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%v is cut after %v, want %v", c.cost, got, c.want)
		}
		for _, cost := range c.cost {
			sum -= cost
		}
		if sum != 0 {
			t.Errorf("%v: the cuts' times are off by %v", c.cost, sum)
		}
	}
}

// TestLongProgram runs a program whose dispatches are taken for long ones, so that
// each goes out alone: results are those of one submission.
func TestLongProgram(t *testing.T) {
	dev, err := Open(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	tape := NewTape(dev)
	y := tape.New(3)
	for i := range 5 {
		fill.Run(fillParams{3, float32(i)}, y)
	}
	tape.Keep(y)
	p, err := tape.Compile(Prune)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	r := p.runner.(*gpuRunner)
	for run := range 8 {
		if run == 4 {
			for i := range r.cost {
				r.cost[i] = 2 * inFlight
			}
			if r.cuts = split(r.cost); len(r.cuts) != 5 {
				t.Fatalf("%d submissions, want 5", len(r.cuts))
			}
		}
		if err := p.Write(y, []float32{7, 7, 7}); err != nil {
			t.Fatal(err)
		}
		got := make([]float32, 3)
		if err := p.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		if err := p.Read(context.Background(), y, got); err != nil || !slices.Equal(got, []float32{4, 4, 4}) {
			t.Errorf("run %d: got %v, %v", run, got, err)
		}
	}
}
