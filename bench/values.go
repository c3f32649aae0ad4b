package bench

import "math"

// Values returns n numbers of the generator that every system compared has: number
// i of a stream is (h>>24 - 128)/128, h being 32-bit words:
//
//	h = (i+1) * 2654435761 + stream * 2246822519
//	h = (h ^ h>>16) * 3266489917
//	h = h ^ h>>13
//
// Products of two have 14 bits behind the point, so that float32 holds sums of them
// up to 1024 exactly, whatever the order.
func Values(stream uint32, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = (float32(word(stream, i)>>24) - 128) / 128
	}
	return v
}

func word(stream uint32, i int) uint32 {
	h := (uint32(i)+1)*2654435761 + stream*2246822519
	h = (h ^ h>>16) * 3266489917
	return h ^ h>>13
}

// Sums are of an array: of its elements, of the elements times the generator's
// numbers of stream 0, which tells where they stand, and of their magnitudes.
type Sums [3]float64

// Sum returns the sums of an array.
func Sum(x []float32) (s Sums) {
	for i, v := range Values(0, len(x)) {
		s[0] += float64(x[i])
		s[1] += float64(x[i]) * float64(v)
		s[2] += math.Abs(float64(x[i]))
	}
	return s
}

// Agrees reports whether the sums are those of the same array but for rounding: a
// millionth of the magnitudes.
func (s Sums) Agrees(with Sums) bool {
	for i := range s {
		if !(math.Abs(s[i]-with[i]) <= 1e-6*math.Max(s[2], with[2])) {
			return false
		}
	}
	return true
}
