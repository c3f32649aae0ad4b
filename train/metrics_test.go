package train

import (
	"context"
	"errors"
	"math"
	"reflect"
	"testing"

	"github.com/pumice-ml/pumice/compute"
)

// TestMetrics counts hits of known logits, the first maximum winning, over two batches,
// by class too.
func TestMetrics(t *testing.T) {
	devices(t, func(t *testing.T, dev *compute.Device) {
		sums := newSums(2)
		defer func() { dev.Forget(sums.arrays()...) }()
		tape := compute.NewTape(dev)
		logits, labels := tape.Input("logits", compute.F32, 5, 3), tape.Input("labels", compute.U32, 5)
		loss := tape.Input("loss", compute.F32, 1)
		sums.record(tape, loss, logits, labels)
		p, err := tape.Compile()
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		ctx := context.Background()
		for _, err := range []error{
			sums.reset(dev),
			p.Write(logits, []float32{3, 1, 2, 0, -1, 0, 1, 1, 0, -5, -4, -3, 7, 8, 9}), // maxima 0, 0, 0, 2, 2
			p.WriteU32(labels, []uint32{0, 2, 0, 2, 1}), p.Write(loss, []float32{0.75}), p.Run(ctx),
			p.WriteU32(labels, []uint32{1, 0, 0, 2, 2}), p.Write(loss, []float32{0.25}), p.Run(ctx),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		m, err := sums.read(ctx, dev)
		if err != nil || m.Rows != 10 || math.Abs(m.Loss-0.5) > 1e-7 || math.Abs(m.Accuracy-0.7) > 1e-12 {
			t.Errorf("%+v, %v; want a loss of 0.5 and an accuracy of 0.7 of 10", m, err)
		}
		if want := (Confusion{{4, 0, 0}, {1, 0, 1}, {1, 0, 3}}); !reflect.DeepEqual(m.Confusion, want) {
			t.Errorf("confusion %v, want %v", m.Confusion, want)
		}
		// precision 4/6, 0, 3/4; recall 1, 0, 3/4; f1 8/10, 0, 6/8; the third of three is
		// the label once: row 0 of the second batch.
		want := map[string]float64{"accuracy": 0.7, "top2": 0.9, "precision": (4.0/6 + 0.75) / 3, "recall": 1.75 / 3, "f1": 1.55 / 3}
		for name, v := range want {
			if math.Abs(m.Named[name]-v) > 1e-12 {
				t.Errorf("%s is %v, want %v", name, m.Named[name], v)
			}
		}
		if len(m.Named) != len(want) || len(sums.names()) != len(want) {
			t.Errorf("measures %v, names %v, want %v", m.Named, sums.names(), want)
		}
	})
}

// TestErrors measures numbers over two batches.
func TestErrors(t *testing.T) {
	devices(t, func(t *testing.T, dev *compute.Device) {
		sums, ctx := newSums(0), context.Background()
		defer func() { dev.Forget(sums.arrays()...) }()
		tape := compute.NewTape(dev)
		y, target, loss := tape.Input("y", compute.F32, 150, 3), tape.Input("target", compute.F32, 150, 3), tape.Input("loss", compute.F32, 1)
		sums.record(tape, loss, y, target)
		p, err := tape.Compile()
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		a, b := make([]float32, 450), make([]float32, 450)
		mse, mae := 0.0, 0.0
		for i := range a {
			bits := compute.RandomBits(1, 0, 0, uint32(i))
			a[i], b[i] = compute.Uniform(bits[0]), compute.Uniform(bits[1])
			d := float64(a[i]) - float64(b[i])
			mse, mae = mse+d*d/150, mae+math.Abs(d)/150
		}
		if err := errors.Join(sums.reset(dev), p.Write(y, a), p.Write(target, b), p.Write(loss, []float32{0.5}), p.Run(ctx), p.Run(ctx)); err != nil {
			t.Fatal(err)
		}
		m, err := sums.read(ctx, dev)
		if err != nil || m.Rows != 300 || m.Loss != 0.5 || len(m.Named) != 2 || math.Abs(m.Named["mse"]-mse) > 1e-6*mse || math.Abs(m.Named["mae"]-mae) > 1e-6*mae {
			t.Errorf("%+v, %v; want a loss of 0.5 of 300, mse %v and mae %v", m, err, mse, mae)
		}
	})
}

// TestConfusion has a class that never occurs, which the means leave out.
func TestConfusion(t *testing.T) {
	c := Confusion{{2, 1, 0, 0}, {0, 0, 0, 0}, {0, 0, 0, 0}, {1, 0, 0, 4}}
	for name, v := range map[string][2][]float64{
		"precision": {c.Precision(), {2.0 / 3, 0, 0, 1}}, "recall": {c.Recall(), {2.0 / 3, 0, 0, 0.8}}, "f1": {c.F1(), {4.0 / 6, 0, 0, 8.0 / 9}},
	} {
		if !reflect.DeepEqual(v[0], v[1]) {
			t.Errorf("%s is %v, want %v", name, v[0], v[1])
		}
	}
	if got, want := c.macro(c.Recall()), (2.0/3+0+0.8)/3; math.Abs(got-want) > 1e-15 {
		t.Errorf("mean recall %v, want %v", got, want)
	}
}
