package engine

import (
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/pumice-ml/pumice/internal/ir"
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
	dev := opened(t, Want{})
	tape := ir.NewTape(dev)
	y := tape.New(3)
	for i := range 5 {
		ir.Fill.Run(ir.FillParams{N: 3, Value: float32(i)}, y)
	}
	b, err := dev.Alloc("test", "y", ir.F32, 3)
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Free(b)
	built, err := dev.Engine.Build(tape.Dispatches(), func(*ir.Slot) *Buffer { return b }, true)
	if err != nil {
		t.Fatal(err)
	}
	defer built.Release()
	r := built.(*GPURunner)
	for run := range 8 {
		if run == 4 {
			for i := range r.cost {
				r.cost[i] = 2 * inFlight
			}
			if r.cuts = split(r.cost); len(r.cuts) != 5 {
				t.Fatalf("%d submissions, want 5", len(r.cuts))
			}
		}
		if err := dev.Engine.Write(b, ir.AsWords([]float32{7, 7, 7})); err != nil {
			t.Fatal(err)
		}
		if err := r.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := make([]float32, 3)
		if err := dev.ReadInto(t.Context(), b, ir.AsWords(got)); err != nil || !slices.Equal(got, []float32{4, 4, 4}) {
			t.Errorf("run %d: got %v, %v", run, got, err)
		}
	}
}

// TestNonce wants a read-back whose nonce is not the one that was written to be an error,
// and to give no numbers.
func TestNonce(t *testing.T) {
	dev := opened(t, Want{})
	b, err := dev.Alloc("test", "y", ir.F32, 3)
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Free(b)
	if err := dev.Engine.Write(b, ir.AsWords([]float32{2, 2, 2})); err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []uint32{0, 1} {
		late, err := dev.Engine.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		late.(*reader).nonce += wrong
		got := []float32{7, 7, 7}
		err = late.Wait(t.Context(), ir.AsWords(got))
		if wrong == 0 && (err != nil || !slices.Equal(got, []float32{2, 2, 2})) {
			t.Errorf("got %v, %v", got, err)
		}
		if wrong != 0 && (!errors.Is(err, ir.ErrDeviceLost) || got[0] != 7) {
			t.Errorf("with a wrong nonce: got %v and numbers %v, want ErrDeviceLost and none", err, got)
		}
	}
}

// opened is a device of a test, the one whose name has PUMICE_ADAPTER.
func opened(t *testing.T, want Want) *Device {
	t.Helper()
	want.Name = os.Getenv("PUMICE_ADAPTER")
	dev, err := Open(t.Context(), want)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dev.Close() })
	return dev
}
