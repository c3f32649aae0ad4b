package report

import (
	"math"
	"slices"
	"sync"

	"google.golang.org/protobuf/encoding/protowire"
)

// Histogram is how numbers are spread: Counts[i] of them are from Low + i*w up to,
// not including, Low + (i+1)*w, where w is (High-Low)/len(Counts); the last bin
// includes High.
type Histogram struct {
	Low, High, Mean, Deviation float64
	Counts                     []int
	Others                     int // numbers that are NaN or infinite
}

// NewHistogram sorts numbers into bins of one width, from the least to the largest.
// It panics unless there is a bin or more.
func NewHistogram(values []float32, bins int) Histogram {
	if bins < 1 {
		panic("report: NewHistogram: no bins")
	}
	h := Histogram{Counts: make([]int, bins)}
	n, sum := 0, 0.0
	for _, v := range values {
		x := float64(v)
		if math.IsNaN(x) || math.IsInf(x, 0) {
			h.Others++
			continue
		}
		if n == 0 {
			h.Low, h.High = x, x
		}
		h.Low, h.High = min(h.Low, x), max(h.High, x)
		sum += x
		n++
	}
	if n == 0 {
		return h
	}
	h.Mean = sum / float64(n)
	width := (h.High - h.Low) / float64(bins)
	squares := 0.0
	for _, v := range values {
		x := float64(v)
		if math.IsNaN(x) || math.IsInf(x, 0) {
			continue
		}
		squares += (x - h.Mean) * (x - h.Mean)
		i := 0
		if width > 0 {
			i = min(int((x-h.Low)/width), bins-1)
		}
		h.Counts[i]++
	}
	h.Deviation = math.Sqrt(squares / float64(n))
	return h
}

// tensorHistogram is a HistogramProto: counts[i] numbers up to limits[i].
type tensorHistogram struct {
	least, most, n, sum, squares float64
	limits, counts               []float64
}

// tensorLimits are TensorFlow's limits of buckets (core/lib/histogram): 1e-12 times
// powers of 1.1 up to 1e20, their negatives, zero, and the largest number.
var tensorLimits = sync.OnceValue(func() []float64 {
	var up []float64
	for v := 1e-12; v < 1e20; v *= 1.1 {
		up = append(up, v)
	}
	up = append(up, math.MaxFloat64)
	var all []float64
	for _, v := range slices.Backward(up) {
		all = append(all, -v)
	}
	return append(append(all, 0), up...)
})

// newTensorHistogram returns nil where no number is finite.
func newTensorHistogram(values []float32) *tensorHistogram {
	h := &tensorHistogram{least: math.Inf(1), most: math.Inf(-1)}
	limits := tensorLimits()
	counts := make([]float64, len(limits))
	for _, v := range values {
		x := float64(v)
		if math.IsNaN(x) || math.IsInf(x, 0) {
			continue
		}
		h.least, h.most = min(h.least, x), max(h.most, x)
		h.n, h.sum, h.squares = h.n+1, h.sum+x, h.squares+x*x
		i, at := slices.BinarySearch(limits, x)
		if at { // the first limit above x
			i++
		}
		counts[i]++
	}
	if h.n == 0 {
		return nil
	}
	// A run of empty buckets is one bucket.
	for i := 0; i < len(counts); i++ {
		if counts[i] == 0 {
			for i+1 < len(counts) && counts[i+1] == 0 {
				i++
			}
		}
		h.limits, h.counts = append(h.limits, limits[i]), append(h.counts, counts[i])
	}
	return h
}

func (h *tensorHistogram) encode() []byte {
	var b []byte
	for field, v := range []float64{h.least, h.most, h.n, h.sum, h.squares} {
		b = protowire.AppendTag(b, protowire.Number(field+1), protowire.Fixed64Type)
		b = protowire.AppendFixed64(b, math.Float64bits(v))
	}
	for field, list := range [][]float64{h.limits, h.counts} {
		var packed []byte
		for _, v := range list {
			packed = protowire.AppendFixed64(packed, math.Float64bits(v))
		}
		b = protowire.AppendTag(b, protowire.Number(field+6), protowire.BytesType)
		b = protowire.AppendBytes(b, packed)
	}
	return b
}
