package data

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
)

// side is the height and width of a drawn digit, in pixels.
const side = 28

// How far a digit strays from its font: strong enough that no straight line
// parts the classes, mild enough that a reader is rarely in doubt.
const (
	tilt    = 100              // of the half-angle's tangent, in 1/1024
	zoom    = 120              // of the size, in 1/1024
	stretch = 80               // of height and width each, in 1/1024
	slant   = 150              // of the shear, in 1/1024
	move    = 3 * 1024         // of the shift, in 1/1024 pixel
	bend    = 2 * position     // of the elastic grid
	thin    = distanceUnit / 4 // of the stroke's edge
	thick   = distanceUnit / 2
	grain   = 20 // of the noise, in brightness
)

// DigitsOptions chooses a drawn set; the zero value is useful.
type DigitsOptions struct {
	// Seed chooses the set. Image i of either half depends on Seed and i alone.
	Seed uint64
	// Train and Test are how many images; 0 is 20,000 and 4,000.
	Train, Test int
}

const defaultTrain, defaultTest = 20000, 4000

// Digits draws the ten digits in the Go fonts, white on black, 28x28, each
// through its own random rotation, scaling, shear, shift and elastic warp, with
// random stroke width, blur, contrast and noise. Every ten images in a row hold
// each digit once. The same options give the same bytes on every platform. It
// panics if a count is negative.
func Digits(opts DigitsOptions) (train, test *Set) {
	if opts.Train < 0 || opts.Test < 0 {
		panic(fmt.Sprintf("data: Digits: %d and %d images, want positive counts", opts.Train, opts.Test))
	}
	if opts.Train == 0 {
		opts.Train = defaultTrain
	}
	if opts.Test == 0 {
		opts.Test = defaultTest
	}
	return draw("digits train", opts.Seed, 0, opts.Train), draw("digits test", opts.Seed, 1, opts.Test)
}

// draw makes n images of one half (0 or 1), on all processors.
func draw(name string, seed, half uint64, n int) *Set {
	set := &Set{
		Name: name, Channels: 1, Height: side, Width: side, Classes: numbers(10),
		Pixels: make([]byte, n*side*side), Labels: make([]byte, n),
	}
	var next atomic.Int64
	var wait sync.WaitGroup
	for range runtime.NumCPU() {
		wait.Go(func() {
			var w warp
			for {
				block := int(next.Add(1)) - 1
				if 10*block >= n {
					return
				}
				order := shuffled(newRandom(seed, 2+half, uint64(block)))
				for i := 10 * block; i < min(10*block+10, n); i++ {
					digit := order[i%10]
					set.Labels[i] = byte(digit)
					r := newRandom(seed, half, uint64(i))
					w.image(set.Image(i), digit, &r)
				}
			}
		})
	}
	wait.Wait()
	return set
}

// shuffled is the digits in random order (Fisher and Yates).
func shuffled(r random) (order [10]int) {
	for i := range order {
		j := r.below(i + 1)
		order[i], order[j] = order[j], i
	}
	return order
}

// image draws one digit into pixels, all choices from r.
func (w *warp) image(pixels []byte, digit int, r *random) {
	all := glyphs()
	g := all[r.below(len(all))][digit]
	w.affine = affine(r)
	w.field.elastic(r)
	bold := r.between(-thin, thick)
	// Brightness grows from 0 to ink over a ramp of twice blur across the edge.
	blur := r.between(distanceUnit*4/10, distanceUnit*9/10)
	ink := r.between(190, 255)
	noise := r.between(0, grain)
	var grains uint64
	for i := range pixels {
		if i%4 == 0 {
			grains = r.next()
		}
		x := int64(i%side*position-(side-1)*position/2) + int64(w.field[0][i])
		y := int64(i/side*position-(side-1)*position/2) + int64(w.field[1][i])
		a := &w.affine
		d := g.at((a[0]*x+a[1]*y+a[2])/entry, (a[3]*x+a[4]*y+a[5])/entry) + bold
		value := 0
		if d >= blur { // no division, as for most pixels
			value = ink
		} else if d > -blur {
			value = ink * (d + blur) / (2 * blur)
		}
		// The sum of two bytes has a triangular distribution.
		value += (int(grains&255) + int(grains>>8&255) - 255) * noise / 255
		grains >>= 16
		pixels[i] = byte(min(max(value, 0), 255))
	}
}

// at is the distance at a point, in 1/position pixel from the glyph's centre,
// by bilinear interpolation.
func (g *glyph) at(x, y int64) int {
	const (
		cell   = position / cells
		middle = tile/2*cell - cell/2
		last   = (tile-1)*cell - 1
	)
	x, y = min(max(x+middle, 0), last), min(max(y+middle, 0), last)
	fx, fy := x%cell, y%cell
	corner := g[y/cell*tile+x/cell:]
	top := int64(corner[0])*(cell-fx) + int64(corner[1])*fx
	bottom := int64(corner[tile])*(cell-fx) + int64(corner[tile+1])*fx
	return int((top*(cell-fy) + bottom*fy) / (cell * cell))
}
