package data

import (
	"sync"

	"github.com/go-gl/mathgl/mgl64"
)

// random is SplitMix64 (Steele, Lea and Flood 2014): a counter through a mixing
// function, the same integers on every platform.
type random struct{ state uint64 }

// newRandom starts the numbers that belong to one index of one stream of seed.
func newRandom(seed, stream, index uint64) random {
	r := random{seed}
	r.state = r.next() ^ stream
	r.state = r.next() ^ index
	r.state = r.next()
	return r
}

func (r *random) next() uint64 {
	r.state += 0x9e3779b97f4a7c15
	z := r.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below is a number in [0, n), for n far below 2^32.
func (r *random) below(n int) int { return int((r.next() >> 32) * uint64(n) >> 32) }

// between is a number in [low, high].
func (r *random) between(low, high int) int { return low + r.below(high-low+1) }

// Positions in an image are in units of 1/position pixel, the entries of a
// warp's matrix in units of 1/entry.
const (
	position = 1024
	entry    = 1 << 16
)

// warp leads from the points of an image back to the points of its glyph:
// first shift by the smooth field, then an affine map.
type warp struct {
	affine [6]int64 // a, b, c of x' = ax + by + c, then of y'
	field  field
}

// affine returns a random rotation, scaling, shear and shift, as the map from
// image to glyph. Every factor is a multiple of 2^-10 below 16, so that all
// products and sums are exact in float64, in any order, fused or not: the
// entries are the same bits on every processor.
func affine(r *random) (m [6]int64) {
	dyadic := func(limit int) float64 { return float64(r.between(-limit, limit)) / 1024 }
	t := dyadic(tilt)
	// The half-angle formulas need no sine; here t*t is exact, and a division
	// correctly rounded.
	cos := snap((1 - t*t) / (1 + t*t))
	sin := snap(2 * t / (1 + t*t))
	rotate := mgl64.Mat3{cos, sin, 0, -sin, cos, 0, 0, 0, 1}
	size := 1 + dyadic(zoom)
	scale := mgl64.Scale2D(size+dyadic(stretch), size+dyadic(stretch))
	shear := mgl64.ShearX2D(dyadic(slant))
	shift := mgl64.Translate2D(dyadic(move), dyadic(move))
	all := scale.Mul3(shear).Mul3(rotate).Mul3(shift)
	for row := range 2 {
		for column := range 3 {
			m[3*row+column] = int64(all.At(row, column) * entry)
		}
		m[3*row+2] *= position
	}
	return m
}

// snap rounds to a multiple of 2^-10, towards zero.
func snap(x float64) float64 { return float64(int64(x*1024)) / 1024 }

// A field shifts every pixel by a smooth random amount: a cubic B-spline
// through a coarse grid of random vectors, knot pixels apart.
type field [2][side * side]int32

const (
	knot  = 7
	knots = side/knot + 3
	// weightSum is what the four weights of a point add up to.
	weightSum = 6 * (2 * knot) * (2 * knot) * (2 * knot)
)

// weights are the uniform cubic B-spline's, at the middle of each pixel of a
// stretch between two knots, times weightSum.
var weights = sync.OnceValue(func() (w [knot][4]int64) {
	for k := range w {
		const whole = 2 * knot
		t := int64(2*k + 1)
		s := whole - t
		w[k] = [4]int64{
			s * s * s,
			3*t*t*t - 6*t*t*whole + 4*whole*whole*whole,
			3*s*s*s - 6*s*s*whole + 4*whole*whole*whole,
			t * t * t,
		}
	}
	return w
})

// elastic fills f from random vectors of up to bend.
func (f *field) elastic(r *random) {
	weights := weights()
	for axis := range f {
		var grid [knots][knots]int64
		for i := range grid {
			for j := range grid[i] {
				grid[i][j] = int64(r.between(-bend, bend))
			}
		}
		for y := range side {
			var line [knots]int64
			for j := range line {
				for i, w := range weights[y%knot] {
					line[j] += w * grid[y/knot+i][j]
				}
			}
			row := f[axis][y*side:][:side]
			for x := range row {
				w, l := &weights[x%knot], line[x/knot:][:4]
				row[x] = int32((w[0]*l[0] + w[1]*l[1] + w[2]*l[2] + w[3]*l[3]) / (weightSum * weightSum))
			}
		}
	}
}
