package data

import (
	"fmt"
	"math"
	"sync"

	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gobolditalic"
	"golang.org/x/image/font/gofont/goitalic"
	"golang.org/x/image/font/gofont/gomedium"
	"golang.org/x/image/font/gofont/gomediumitalic"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/gofont/gomonobold"
	"golang.org/x/image/font/gofont/gomonobolditalic"
	"golang.org/x/image/font/gofont/gomonoitalic"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

// fonts leaves out Go Smallcaps: its digits are those of Go Regular.
var fonts = [][]byte{
	goregular.TTF, gomedium.TTF, gobold.TTF, gomono.TTF, gomonobold.TTF,
	goitalic.TTF, gomediumitalic.TTF, gobolditalic.TTF, gomonoitalic.TTF, gomonobolditalic.TTF,
}

const (
	// glyphHeight is how many pixels a digit is high before it is warped.
	glyphHeight = 20
	// A glyph is sampled on a grid of cells, several to a pixel; around its
	// centre there are tile/cells pixels.
	cells = 4
	tile  = 32 * cells
	// The outline is filled on a finer grid, to know where its edge is.
	finer = 2
	fine  = tile * finer
	// far is where distances stop growing, in cells of the fine grid.
	far = 6 * cells * finer
	// distanceUnit is one pixel of distance.
	distanceUnit = 256
)

// glyph is a digit as the distance to its edge at every cell, row by row:
// positive inside, in units of 1/distanceUnit pixel. An offset to it makes the
// strokes bolder or thinner, a ramp over it sharp or blurred.
type glyph [tile * tile]int16

// glyphs are the ten digits of each font, drawn once when first needed.
var glyphs = sync.OnceValue(func() [][10]*glyph {
	all := make([][10]*glyph, len(fonts))
	var wait sync.WaitGroup
	for i := range fonts {
		wait.Go(func() {
			parsed, err := sfnt.Parse(fonts[i])
			if err != nil {
				panic(fmt.Sprintf("data: Digits: font %d: %v", i, err))
			}
			var buffer sfnt.Buffer
			for digit := range all[i] {
				all[i][digit] = distances(fill(outline(parsed, &buffer, rune('0'+digit))))
			}
		})
	}
	wait.Wait()
	return all
})

// outline is a digit of a font as closed polygons on the fine grid, in 1/256
// of its cells, centred and glyphHeight pixels high.
func outline(f *sfnt.Font, buffer *sfnt.Buffer, digit rune) (edges [][2]fixed.Point26_6) {
	index, err := f.GlyphIndex(buffer, digit)
	if err != nil {
		panic(fmt.Sprintf("data: Digits: %v", err))
	}
	// At as many pixels per em as there are font units, nothing is rounded.
	segments, err := f.LoadGlyph(buffer, index, fixed.I(int(f.UnitsPerEm())), &sfnt.LoadGlyphOptions{})
	if err != nil {
		panic(fmt.Sprintf("data: Digits: %v", err))
	}
	bounds := segments.Bounds()
	height := int64(bounds.Max.Y - bounds.Min.Y)
	place := func(p fixed.Point26_6) fixed.Point26_6 {
		// Twice the distance from the centre keeps halves.
		x := int64(2*p.X - bounds.Min.X - bounds.Max.X)
		y := int64(2*p.Y - bounds.Min.Y - bounds.Max.Y)
		const scale = glyphHeight * cells * finer * 256
		return fixed.Point26_6{
			X: fixed.Int26_6(x*scale/(2*height) + fine/2*256),
			Y: fixed.Int26_6(y*scale/(2*height) + fine/2*256),
		}
	}
	var start, at fixed.Point26_6
	for _, s := range segments {
		switch s.Op {
		case sfnt.SegmentOpMoveTo:
			edges = append(edges, [2]fixed.Point26_6{at, start})
			start = place(s.Args[0])
			at = start
		case sfnt.SegmentOpLineTo:
			next := place(s.Args[0])
			edges = append(edges, [2]fixed.Point26_6{at, next})
			at = next
		case sfnt.SegmentOpQuadTo:
			from, control, to := at, place(s.Args[0]), place(s.Args[1])
			const steps = 12
			for k := 1; k <= steps; k++ {
				a, b, c := (steps-k)*(steps-k), 2*k*(steps-k), k*k
				next := fixed.Point26_6{
					X: (from.X*fixed.Int26_6(a) + control.X*fixed.Int26_6(b) + to.X*fixed.Int26_6(c)) / (steps * steps),
					Y: (from.Y*fixed.Int26_6(a) + control.Y*fixed.Int26_6(b) + to.Y*fixed.Int26_6(c)) / (steps * steps),
				}
				edges = append(edges, [2]fixed.Point26_6{at, next})
				at = next
			}
		default:
			panic("data: Digits: a TrueType outline has no cubic curves")
		}
	}
	return append(edges, [2]fixed.Point26_6{at, start})
}

// fill marks the cells of the fine grid whose centre lies inside the polygons
// (by the non-zero rule).
func fill(edges [][2]fixed.Point26_6) []bool {
	winding := make([]int8, fine*fine)
	for _, edge := range edges {
		a, b, turn := edge[0], edge[1], int8(1)
		if a.Y > b.Y {
			a, b, turn = b, a, -1
		}
		for row := max(0, int(a.Y+127)>>8); row < fine; row++ {
			y := int64(row)<<8 + 128
			if y >= int64(b.Y) {
				break
			}
			x := int64(a.X) + int64(b.X-a.X)*(y-int64(a.Y))/int64(b.Y-a.Y)
			if column := max(0, int(x+127)>>8); column < fine { // and all to the right of it
				winding[row*fine+column] += turn
			}
		}
	}
	inside, w := make([]bool, fine*fine), int8(0)
	for i, turn := range winding {
		if i%fine == 0 {
			w = 0
		}
		w += turn
		inside[i] = w != 0
	}
	return inside
}

// distances measures, from the middle of every cell, how far the edge is.
func distances(inside []bool) *glyph {
	// column[k][i] is how far above or below i the nearest cell of the other
	// kind lies: k = 0 looks for cells inside, k = 1 for cells outside.
	var column [2][]uint8
	for k := range column {
		column[k] = make([]uint8, fine*fine)
		sweep := func(from, to, step int) {
			var gap [fine]uint8
			for x := range gap {
				gap[x] = far
			}
			for y := from; y != to; y += step {
				row, is := column[k][y*fine:][:fine], inside[y*fine:][:fine]
				for x := range gap {
					if gap[x] = min(gap[x]+1, far); is[x] == (k == 0) {
						gap[x] = 0
					}
					if step < 0 {
						row[x] = min(row[x], gap[x])
					} else {
						row[x] = gap[x]
					}
				}
			}
		}
		sweep(0, fine, 1)
		sweep(fine-1, -1, -1)
	}
	g := new(glyph)
	var nearest [2][fine]int32
	for i := range g {
		x, y := i%tile*finer+finer/2, i/tile*finer+finer/2
		if i%tile == 0 {
			for k := range nearest {
				envelope(&nearest[k], column[k][y*fine:][:fine])
			}
		}
		k, sign := 0, -1
		if inside[y*fine+x] {
			k, sign = 1, 1
		}
		// The edge runs half a cell before the nearest centre beyond it. Both
		// the product and the root are exact or correctly rounded everywhere.
		const unit = distanceUnit / (cells * finer)
		d := int(math.Sqrt(float64(min(nearest[k][x], far*far)*unit*unit))) - unit/2
		g[i] = int16(sign * d)
	}
	return g
}

// envelope sets to[x] to the least (x-q)^2 + heights[q]^2 of all q, by the lower envelope
// of these parabolas (Meijster, Roerdink and Hesselink 2000).
func envelope(to *[fine]int32, heights []uint8) {
	at := func(x, q int32) int32 { return (x-q)*(x-q) + int32(heights[q])*int32(heights[q]) }
	var lowest, start [fine]int32 // parabolas, and from where on each is the lowest
	n := 1
	for q := int32(1); q < fine; q++ {
		for n > 0 && at(start[n-1], lowest[n-1]) > at(start[n-1], q) {
			n--
		}
		if n == 0 {
			lowest[0], start[0], n = q, 0, 1
			continue
		}
		p := lowest[n-1]
		// Parabola q is below p from the first x on with 2 (q-p) x > at(0, q) - at(0, p).
		if x := (at(0, q)-at(0, p))/(2*(q-p)) + 1; x < fine {
			lowest[n], start[n] = q, x
			n++
		}
	}
	for x := int32(fine - 1); x >= 0; x-- {
		to[x] = at(x, lowest[n-1])
		if x == start[n-1] {
			n--
		}
	}
}
