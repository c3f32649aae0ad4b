package data

import (
	"fmt"
	"math"
)

// Moments are the mean and the standard deviation of every channel over a whole set,
// the channel being the first dimension of its inputs: the colours of images, the
// columns of a table. Bytes count as byte/255. A channel that never changes has the
// deviation 1. They are for layers.NewStandardize, which makes
//
//	x = (x - mean) / deviation
//
// the first thing that a model does. It returns an error of a set of indices or without
// examples, and the set's own.
func Moments(set Dataset) (mean, deviation []float32, err error) {
	s := set.Spec()
	if err := s.Check(); err != nil {
		return nil, nil, err
	}
	if s.DType == Uint32 || set.Len() == 0 {
		return nil, nil, fmt.Errorf("data: Moments: %s has %d inputs of %v, want some of uint8 or float32", s.Name, set.Len(), s.DType)
	}
	channels := s.Shape[0]
	inner, rows := s.Size()/channels, 0
	// The first example is taken from all, so that the squares stay small.
	first, sum, squares := make([]float64, channels), make([]float64, channels), make([]float64, channels)
	for b, err := range set.Batches(Range(0, set.Len()), 256) {
		if err != nil {
			return nil, nil, err
		}
		if err := b.Check(s, rows); err != nil {
			return nil, nil, err
		}
		for i := range b.Rows * s.Size() {
			c, v := i/inner%channels, 0.0
			if s.DType == Uint8 {
				v = float64(b.Bytes[i]) / 255
			} else {
				v = float64(b.Floats[i])
			}
			if rows == 0 && i < s.Size() && i%inner == 0 {
				first[c] = v
			}
			sum[c] += v - first[c]
			squares[c] += (v - first[c]) * (v - first[c])
		}
		rows += b.Rows
	}
	n := float64(rows * inner)
	for c := range channels {
		m := sum[c] / n
		d := math.Sqrt(max(squares[c]/n-m*m, 0))
		if float32(d) == 0 {
			d = 1
		}
		mean, deviation = append(mean, float32(first[c]+m)), append(deviation, float32(d))
	}
	return mean, deviation, nil
}
