package data

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// column is n examples of one number each, their index.
func column(n int) *Arrays {
	a := &Arrays{About: Spec{Name: "column", Shape: []int{1}, DType: Float32, Targets: 1}, All: Batch{Rows: n}}
	for i := range n {
		a.All.Floats, a.All.Targets = append(a.All.Floats, float32(i)), append(a.All.Targets, float32(-i))
	}
	return a
}

// all reads a set in order.
func all(t *testing.T, s Dataset) (b Batch) {
	t.Helper()
	for part, err := range s.Batches(Range(0, s.Len()), 7) {
		if err != nil {
			t.Fatal(err)
		}
		if err := part.Check(s.Spec(), b.Rows); err != nil {
			t.Fatal(err)
		}
		b.Rows += part.Rows
		b.Bytes, b.Floats, b.Ints = append(b.Bytes, part.Bytes...), append(b.Floats, part.Floats...), append(b.Ints, part.Ints...)
		b.Labels, b.Targets = append(b.Labels, part.Labels...), append(b.Targets, part.Targets...)
	}
	if b.Rows != s.Len() {
		t.Fatalf("%s gave %d examples of %d", s.Spec().Name, b.Rows, s.Len())
	}
	return b
}

func TestSplit(t *testing.T) {
	train, held, err := Split(column(50), 0.3, 4)
	if err != nil {
		t.Fatal(err)
	}
	a, b := all(t, train), all(t, held)
	if a.Rows != 35 || b.Rows != 15 || !slices.IsSorted(a.Floats) || !slices.IsSorted(b.Floats) {
		t.Errorf("parts %v and %v, want 35 and 15 in order", a.Floats, b.Floats)
	}
	whole := slices.Sorted(slices.Values(append(slices.Clone(a.Floats), b.Floats...)))
	if !slices.Equal(whole, column(50).All.Floats) {
		t.Errorf("the parts hold %v, want each example once", whole)
	}
	if train.Spec().Name != "column train" || held.Spec().Name != "column validation" {
		t.Errorf("called %s and %s", train.Spec().Name, held.Spec().Name)
	}
	_, again, _ := Split(column(50), 0.3, 4)
	_, other, _ := Split(column(50), 0.3, 5)
	if !slices.Equal(all(t, again).Floats, b.Floats) || slices.Equal(all(t, other).Floats, b.Floats) {
		t.Error("a seed does not mean the same parts, or another means them too")
	}
	for _, err := range held.Batches(Range(0, 16), 16) {
		if err == nil || !strings.Contains(err.Error(), "column validation: index 15, want [0, 15)") {
			t.Errorf("an index beyond the part: got %v", err)
		}
	}
	for _, bad := range []float64{0, 1, -1, math.NaN(), 0.001, 0.999} {
		if _, _, err := Split(column(50), bad, 1); err == nil {
			t.Errorf("fraction %v: no error", bad)
		}
	}
}

func TestBatches(t *testing.T) {
	s := &Set{Name: "s", Channels: 1, Height: 1, Width: 2, Classes: []string{"a", "b"}, Pixels: []byte{0, 1, 2, 3, 4, 5}, Labels: []byte{0, 1, 1}}
	var got []string
	for b, err := range s.Batches(slices.Values([]int{2, 0, 2}), 2) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(b.Bytes), string([]byte{byte(b.Rows), byte(b.Labels[0])}))
	}
	if want := []string{"\x04\x05\x00\x01", "\x02\x01", "\x04\x05", "\x01\x01"}; !slices.Equal(got, want) {
		t.Errorf("batches %q, want %q", got, want)
	}
	for range s.Batches(Range(0, 3), 1) {
		break // which ends it
	}
	for name, order := range map[string][]int{"index 3, want [0, 3)": {0, 3}, "index -1": {-1}} {
		var last error
		for _, last = range s.Batches(slices.Values(order), 1) {
		}
		if last == nil || !strings.Contains(last.Error(), name) {
			t.Errorf("order %v: got %v, want %s", order, last, name)
		}
	}
	for _, err := range s.Batches(Range(0, 3), 0) {
		if err == nil {
			t.Error("batches of 0: no error")
		}
	}
}

func TestMoments(t *testing.T) {
	s := &Set{Name: "s", Channels: 2, Height: 1, Width: 2, Classes: []string{"a"}, Pixels: []byte{0, 51, 7, 7, 102, 255, 7, 7}, Labels: []byte{0, 0}}
	mean, deviation, err := Moments(s)
	// Of 0, 0.2, 0.4 and 1 the variance is (0.16+0.04+0+0.36)/4.
	want := []float64{0.4, 7.0 / 255, math.Sqrt(0.14), 1}
	for i, got := range append(mean, deviation...) {
		if math.Abs(float64(got)-want[i]) > 1e-7 {
			t.Errorf("means %v and deviations %v, %v; want %v", mean, deviation, err, want)
		}
	}
	// Far from 0 the squares must not eat the deviation.
	far := column(3)
	for i := range far.All.Floats {
		far.All.Floats[i] = 1e6 + float32(i)
	}
	if mean, deviation, err = Moments(far); err != nil || mean[0] != 1e6+1 || math.Abs(float64(deviation[0])-math.Sqrt(2.0/3)) > 1e-6 {
		t.Errorf("of 1000000, 1000001, 1000002: mean %v, deviation %v, %v", mean, deviation, err)
	}
	if _, _, err := Moments(column(0)); err == nil {
		t.Error("an empty set: no error")
	}
	if _, _, err := Moments(&Arrays{About: Spec{Shape: []int{1}, DType: Uint32, Classes: []string{"a"}}, All: Batch{Rows: 1, Ints: []uint32{0}, Labels: []uint32{0}}}); err == nil {
		t.Error("indices: no error")
	}
}
