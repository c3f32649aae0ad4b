package ir

import (
	"math"
	"testing"
)

// TestStoredF16 wants either neighbour in f16 of what a kernel may compute, zero in the
// place of subnormal numbers, and anything in the place of what f16 cannot hold.
func TestStoredF16(t *testing.T) {
	for _, c := range []struct {
		want, bound, widened float64
		over                 bool
	}{
		{1, 0, 0, false},
		{-1, 0, 0, false},
		{0, 0, 0, false},
		{1 + 0x1p-12, 0, 0x1p-10 - 0x1p-12, false},
		{-1 - 0x1p-12, 0, 0x1p-10 - 0x1p-12, false},
		{1, 0x1p-12, 0x1p-10, false},
		{1 - 0x1p-12, 0, 0x1p-12, false},
		{2048.5, 1, 1.5, false},
		{0x1p-14, 0, 0, false},
		{0x1p-15, 0, 0x1p-15, false},
		{0x1.8p-24, 0, 0x1.8p-24, false},
		{0x1p-40, 0, 0x1p-24 - 0x1p-40, false},
		{65504, 0, 0, false},
		{65504, 1, 1, true},
		{-65510, 0, 0, true},
		{math.Inf(1), 0, 0, false},
		{1, math.Inf(1), math.Inf(1), false},
	} {
		bounds := []float64{c.bound}
		if over := storedF16([]float64{c.want}, bounds); over[0] != c.over || bounds[0] != c.widened {
			t.Errorf("%v within %v: got %v, over %v, want %v, %v", c.want, c.bound, bounds[0], over[0], c.widened, c.over)
		}
	}
}
