package data

import (
	"slices"
	"testing"
)

func TestBlank(t *testing.T) {
	for _, spec := range []Spec{
		{Name: "bytes", Shape: []int{2, 3}, DType: Uint8, Classes: numbers(4)},
		{Name: "numbers", Shape: []int{5}, DType: Float32, Targets: 2},
		{Name: "tokens", Shape: []int{3}, DType: Uint32, Classes: numbers(2)},
	} {
		b := Blank{Of: spec, Count: 7}
		rows := 0
		for batch, err := range b.Batches(Range(0, 7), 3) {
			if err != nil {
				t.Fatal(err)
			}
			if err := batch.Check(spec, rows); err != nil {
				t.Error(err)
			}
			if slices.Max(append(batch.Labels, 0)) != 0 || slices.Max(append(batch.Bytes, 0)) != 0 {
				t.Errorf("%s: %v is not blank", spec.Name, batch)
			}
			rows += batch.Rows
		}
		if rows != 7 {
			t.Errorf("%s: %d rows, want 7", spec.Name, rows)
		}
	}
}

// TestBlankDigits wants the sizes that Digits draws.
func TestBlankDigits(t *testing.T) {
	for _, opts := range []DigitsOptions{{Train: 30, Test: 10}, {Train: 30}, {Test: 20}} {
		train, test := Digits(opts)
		blankTrain, blankTest := BlankDigits(opts)
		if !blankTrain.Like(train) || !blankTest.Like(test) {
			t.Errorf("%+v: blank sets of %d and %d, want %d and %d", opts, blankTrain.Count, blankTest.Count, train.Len(), test.Len())
		}
		if blankTrain.Like(test) {
			t.Error("sets of different sizes are alike")
		}
	}
}
