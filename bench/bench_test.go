package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/internal/compiler"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		x    []float64
		want float64
	}{{[]float64{3}, 3}, {[]float64{4, 1}, 2.5}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 3, 2, 1}, 2.5}} {
		if got := Median(c.x); got != c.want {
			t.Errorf("median of %v: got %v, want %v", c.x, got, c.want)
		}
	}
	if !math.IsNaN(Median(nil)) {
		t.Error("the median of nothing is a number")
	}
}

// TestAgainst has rounds whose medians alone would give another ratio.
func TestAgainst(t *testing.T) {
	r := NewRow("x", "pumice", "ms", 1, 2, 10)
	r.Against(NewRow("x", "other", "ms", 8, 4, 10))
	if r.Ratio != 2 || r.Peer != "other" {
		t.Errorf("got %v times %s, want 2 times other", r.Ratio, r.Peer)
	}
}

func TestMeasure(t *testing.T) {
	var order strings.Builder
	runs := map[string]int{}
	fake := func(name string, took time.Duration) *Case {
		return &Case{Row: name, System: "fake", Work: 5, Unit: "images", Run: func(_ context.Context, n int) error {
			order.WriteString(name)
			runs[name] += n
			for start := time.Now(); time.Since(start) < time.Duration(n)*took; {
				runs["spins"]++
			}
			return nil
		}}
	}
	rows, err := Measure(context.Background(), 3, 20*time.Millisecond, fake("a", 30*time.Millisecond), fake("b", 20*time.Microsecond))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(order.String(), "ababab") || runs["a"] != 6 || runs["b"] < 10 {
		t.Errorf("order %s, runs %v", &order, runs)
	}
	for _, r := range rows {
		if len(r.Samples) != 3 || r.RateUnit != "images/s" || math.Abs(r.Rate*r.Median/1e3-5) > 1e-9 {
			t.Errorf("row %+v", r)
		}
	}
	broken := errors.New("broken")
	fails := &Case{Row: "c", System: "fake", Run: func(context.Context, int) error { return broken }}
	if _, err := Measure(context.Background(), 1, 1, fails); !errors.Is(err, broken) || !strings.Contains(err.Error(), "c of fake") {
		t.Errorf("error %v", err)
	}
	if _, err := Measure(context.Background(), 0, 1); err == nil {
		t.Error("no error of 0 rounds")
	}
}

// TestValues has numbers that were computed from the definition in Python.
func TestValues(t *testing.T) {
	for _, c := range []struct {
		stream uint32
		i      int
		want   float32
	}{{1, 0, 69}, {1, 1, 65}, {1, 2, -72}, {1, 3, 4}, {7, 0, 53}, {7, 999999, 118}} {
		if got := Values(c.stream, c.i+1)[c.i]; got != c.want/128 {
			t.Errorf("number %d of stream %d: got %v, want %v/128", c.i, c.stream, got, c.want)
		}
	}
}

func TestSums(t *testing.T) {
	x := Values(3, 1000)
	y := append([]float32{}, x...)
	if !Sum(x).Agrees(Sum(y)) {
		t.Error("equal arrays do not agree")
	}
	y[3], y[4] = y[4], y[3]
	if Sum(x).Agrees(Sum(y)) {
		t.Error("swapped elements agree")
	}
	y[0] = float32(math.NaN())
	if Sum(x).Agrees(Sum(y)) {
		t.Error("NaN agrees")
	}
}

// TestOpen compares rows with gonum, or else with the reference device.
func TestOpen(t *testing.T) {
	ctx, dev, reference := context.Background(), devicetest.Open(t), compute.Reference()
	defer reference.Close()
	devicetest.NoLeaks(t, dev)
	devicetest.NoLeaks(t, reference)
	for name, k := range map[string]int{
		"matmul/65": 65, "linear/y": 784, "linear/dx": 128, "linear/dw": 64, "conv-a/y": 25, "conv-a/dx": 200, "conv-a/dw": 1024,
	} {
		c, err := Open(dev, name)
		if err != nil {
			t.Fatal(err)
		}
		peer, err := Gonum(name)
		if strings.HasPrefix(name, "conv") {
			if err == nil {
				t.Errorf("gonum has %s", name)
			}
			peer, err = Open(reference, name)
		}
		if err != nil {
			t.Fatal(err)
		}
		if c.Row != name || peer.Row != name || c.Work != peer.Work {
			t.Errorf("%s: rows %s and %s, work %v and %v", name, c.Row, peer.Row, c.Work, peer.Work)
		}
		if err := Check(ctx, c, peer, k); err != nil {
			t.Error(err)
		}
		CloseAll([]*Case{c, peer})
	}
	for _, name := range []string{"", "matmul", "matmul/0", "matmul/99999", "linear/z", "conv-e/y", "conv-a", "step/cnn"} {
		if _, err := Open(dev, name); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", name)) {
			t.Errorf("row %q: error %v", name, err)
		}
	}
}

func TestCheck(t *testing.T) {
	out := func(x ...float32) *Case {
		return &Case{Output: func(context.Context) ([]float32, error) { return x, nil }}
	}
	for _, c := range []struct {
		a, b *Case
		k    int
		same bool
	}{
		{out(1, 2), out(1, 2), 9, true}, {out(1), out(1, 2), 9, false}, {out(1), out(1.000001), 9, false},
		{out(1), out(1.000001), 2000, true}, {out(1), out(9), 2000, false}, {out(float32(math.NaN())), out(1), 2000, false},
	} {
		if err := Check(context.Background(), c.a, c.b, c.k); (err == nil) != c.same || err != nil && !errors.Is(err, ErrNumbers) {
			t.Errorf("error %v, want the same numbers: %v", err, c.same)
		}
	}
}

// TestTrainer compares the losses of the first steps with those by the definitions.
func TestTrainer(t *testing.T) {
	ctx, set := context.Background(), Images(8)
	for _, model := range []string{"mlp", "cnn"} {
		var losses []float64
		reference := compute.Reference()
		for _, dev := range []*compute.Device{devicetest.Open(t), reference} {
			devicetest.NoLeaks(t, dev)
			r, err := NewTrainer(ctx, dev, model, 8, set)
			if err != nil {
				t.Fatal(err)
			}
			for _, steps := range []int{1, 5} {
				loss, err := r.Loss(ctx, steps)
				if err != nil {
					t.Fatal(err)
				}
				losses = append(losses, loss)
			}
			if dev.IsReference() {
				r.Close()
				continue
			}
			costs, err := r.Costs(ctx)
			// The loss, two layers' gradients and the optimizer are a launch each at least.
			few, many := 5.0, math.Inf(1)
			if dev.Info().Type == "software" { // GPUs may split sums
				many = map[string]float64{"cnn": 18, "mlp": 12}[model]
			}
			if err != nil || len(costs) != 6 || costs[0].Median < few || costs[0].Median > many || costs[4].Median < 6272 {
				t.Errorf("%s: costs %+v, %v, want %v to %v dispatches", model, costs, err, few, many)
			}
			kernels, clock, err := r.Kernels(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(clock, string(compiler.DeviceClock)) && !strings.HasPrefix(clock, string(compiler.HostClock)+", for the device has none: ") {
				t.Errorf("%s: timed by %q", model, clock)
			}
			dispatches, share := 0, 0.0
			for _, k := range kernels {
				dispatches += k.Dispatches
				share += k.Share
			}
			if float64(dispatches) != costs[0].Median || math.Abs(share-1) > 1e-6 {
				t.Errorf("%s: %d dispatches by kernel, shares of %v in all", model, dispatches, share)
			}
			r.Close()
		}
		reference.Close()
		if math.Abs(losses[0]-losses[2]) > 1e-5 || math.Abs(losses[1]-losses[3]) > 1e-4 || !(losses[1] < losses[0]) {
			t.Errorf("%s: losses %v on the adapter, %v on the reference", model, losses[:2], losses[2:])
		}
	}
	if _, err := NewTrainer(ctx, devicetest.Open(t), "vgg", 8, set); err == nil || !strings.Contains(err.Error(), `"vgg"`) {
		t.Errorf("model vgg: error %v", err)
	}
}

func TestDispatch(t *testing.T) {
	dev := devicetest.Open(t)
	devicetest.NoLeaks(t, dev)
	rows, err := Dispatch(context.Background(), dev, 7, 2, time.Millisecond)
	if err != nil || len(rows) != 5 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for _, r := range rows {
		if r.Unit != "us" || len(r.Samples) != 2 || !(r.Median > 0) {
			t.Errorf("row %+v", r)
		}
	}
	if _, err := Dispatch(context.Background(), dev, 0, 1, 1); err == nil {
		t.Error("no error of 0 dispatches")
	}
}

func TestCopies(t *testing.T) {
	dev := devicetest.Open(t)
	devicetest.NoLeaks(t, dev)
	cases, err := Copies(dev, 1001)
	if err != nil {
		t.Fatal(err)
	}
	defer CloseAll(cases)
	rows, err := Measure(context.Background(), 1, time.Millisecond, cases...)
	if err != nil || len(rows) != 2 || cases[1].Work != 12012e-9 || rows[1].RateUnit != "GB/s" {
		t.Errorf("rows %+v, %v", rows, err)
	}
}

func TestReport(t *testing.T) {
	r := NewReport(devicetest.Open(t), "demo bench", 2)
	r.Rows = []Row{NewRow("matmul/256", "pumice", "ms", 1.5, 2.5), NewRow("bytes", "pumice", "B", 0)}
	r.Rows[0].Against(NewRow("matmul/256", "gonum", "ms", 3, 5))
	r.Rows[0].Rate, r.Rows[0].RateUnit = 17.25, "GFLOP/s"
	r.Kernels = []KernelTime{{"relu.forward", 2, 0.25, 1}}
	r.Peer = &System{Name: "gonum"}
	var b bytes.Buffer
	if err := r.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "report.json")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write(b.String())
	got, err := ReadReport(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(r, got); d != "" {
		t.Errorf("read back differently (-wrote +read):\n%s", d)
	}
	for _, bad := range []string{"", "{}", strings.Replace(b.String(), Schema, "other.9", 1), strings.Replace(b.String(), `"rows"`, `"lines"`, 1)} {
		write(bad)
		if _, err := ReadReport(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%.40q: error %v", bad, err)
		}
	}
	b.Reset()
	if err := r.WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"matmul/256", "17.2", "2.00 of gonum", "relu.forward", "100.0%"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, &b)
		}
	}
}

func TestCurve(t *testing.T) {
	points := []Point{{"pumice", 64, 0.5}, {"gonum", 64, 0.25}, {"pumice", 128, 1.5}, {"gonum", 128, 2}}
	var b bytes.Buffer
	if err := WriteCurve(&b, "Matrix product", points); err != nil {
		t.Fatal(err)
	}
	if c, err := png.DecodeConfig(&b); err != nil || c.Width < 600 {
		t.Errorf("PNG: %+v, %v", c, err)
	}
	b.Reset()
	if err := WriteCSV(&b, points); err != nil || b.String() != "system,size,ms\npumice,64,0.5\ngonum,64,0.25\npumice,128,1.5\ngonum,128,2\n" {
		t.Errorf("CSV: %v\n%s", err, &b)
	}
}
