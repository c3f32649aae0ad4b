package report

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"html/template"
	"image"
	"image/color"
	"image/png"
	"math"
	"slices"
	"strings"
	"sync"

	"golang.org/x/image/draw"
	"gonum.org/v1/plot/palette"
	"gonum.org/v1/plot/palette/moreland"
)

// Picture is an image with what its colours mean: from Low to High, unless both are
// zero, as those of photographs are. Maps are the parts side by side in it; Left are
// those that were left out. Where there are more numbers than pixels, each pixel is the
// mean of Shrunk by Shrunk of them; else Shrunk is 0.
type Picture struct {
	Image     image.Image
	Low, High float64
	Colours   Scale
	Maps      int
	Left      int
	Shrunk    int
}

// Scale is what colours stand for.
type Scale int

// The scales: Sequential is viridis, from dark to bright; Diverging is blue below
// zero, white at it, and red above.
const (
	Sequential Scale = iota
	Diverging
)

// viridis are every sixteenth colour or so of matplotlib's map of that name (van der
// Walt and Smith 2015), evenly spaced, between which there are straight lines.
var viridis = []color.NRGBA{
	{68, 1, 84, 255}, {71, 44, 122, 255}, {59, 81, 139, 255}, {44, 113, 142, 255}, {33, 144, 141, 255},
	{39, 173, 129, 255}, {92, 200, 99, 255}, {170, 220, 50, 255}, {253, 231, 37, 255},
}

var blueRed = sync.OnceValue(func() palette.ColorMap {
	m := moreland.SmoothBlueRed() // Moreland 2009
	m.SetMin(0)
	m.SetMax(1)
	return m
})

// At is the colour of a number from 0 to 1, of others that of the nearest of these, and of
// NaN grey.
func (s Scale) At(v float64) color.NRGBA {
	if math.IsNaN(v) {
		return color.NRGBA{128, 128, 128, 255}
	}
	v = min(max(v, 0), 1)
	if s == Diverging {
		c, err := blueRed().At(v)
		if err != nil {
			panic(err) // v is in range
		}
		return color.NRGBAModel.Convert(c).(color.NRGBA)
	}
	at := v * float64(len(viridis)-1)
	i := min(int(at), len(viridis)-2)
	mix := func(a, b uint8) uint8 {
		return uint8(math.Round(float64(a) + (at-float64(i))*(float64(b)-float64(a))))
	}
	a, b := viridis[i], viridis[i+1]
	return color.NRGBA{mix(a.R, b.R), mix(a.G, b.G), mix(a.B, b.B), 255}
}

// CSS is the scale as a gradient of a page, from left to right.
func (s Scale) CSS() template.CSS {
	stops := make([]string, 9)
	for i := range stops {
		c := s.At(float64(i) / 8)
		stops[i] = fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B)
	}
	return template.CSS("background:linear-gradient(to right," + strings.Join(stops, ",") + ")")
}

// plane is one map of numbers, (height, width).
type plane struct {
	values        []float32
	height, width int
}

// shrunk is a plane whose numbers are the means of by times by of those of p, or of fewer
// at its edges.
func (p plane) shrunk(by int) plane {
	s := plane{height: (p.height + by - 1) / by, width: (p.width + by - 1) / by}
	for top := 0; top < p.height; top += by {
		for left := 0; left < p.width; left += by {
			sum, n := 0.0, 0
			for y := top; y < min(top+by, p.height); y++ {
				for _, v := range p.values[y*p.width+left : y*p.width+min(left+by, p.width)] {
					sum, n = sum+float64(v), n+1
				}
			}
			s.values = append(s.values, float32(sum/float64(n)))
		}
	}
	return s
}

// The most pixels of a side, of maps side by side and of an example.
const (
	maxSheet   = 1024
	maxExample = 256
)

// maxMaps is how many maps a picture shows.
const maxMaps = 64

// tiled draws maps side by side with a line of nothing between them, in the colours
// of one scale: sequential ones from the least number to the largest, diverging ones
// from minus the largest magnitude to plus that. NaN is grey, an infinite number has the
// colour at its end of the scale. It panics unless there is a map, and all have one size.
func tiled(maps []plane, s Scale) *Picture {
	p := &Picture{Colours: s, Left: max(0, len(maps)-maxMaps)}
	maps = slices.Clone(maps[:min(len(maps), maxMaps)])
	p.Maps = len(maps)
	p.Low, p.High = math.Inf(1), math.Inf(-1)
	for _, m := range maps {
		for _, v := range m.values {
			if x := float64(v); !math.IsNaN(x) && !math.IsInf(x, 0) {
				p.Low, p.High = min(p.Low, x), max(p.High, x)
			}
		}
	}
	if p.Low > p.High { // no number is finite
		p.Low, p.High = 0, 0
	}
	if s == Diverging {
		p.High = max(math.Abs(p.Low), math.Abs(p.High))
		p.Low = -p.High
	}
	columns := columnsOf(len(maps), maps[0].height, maps[0].width)
	rows := (len(maps) + columns - 1) / columns
	if by := (max(rows*(maps[0].height+1), columns*(maps[0].width+1)) + maxSheet - 1) / maxSheet; by > 1 {
		p.Shrunk = by
		for i, m := range maps {
			maps[i] = m.shrunk(by)
		}
	}
	h, w := maps[0].height+1, maps[0].width+1
	img := image.NewNRGBA(image.Rect(0, 0, columns*w-1, rows*h-1))
	for i, m := range maps {
		x0, y0 := i%columns*w, i/columns*h
		for j, v := range m.values {
			img.SetNRGBA(x0+j%m.width, y0+j/m.width, s.At(p.part(float64(v))))
		}
	}
	p.Image = img
	return p
}

// part is where a number stands between Low and High, from 0 to 1.
func (p *Picture) part(v float64) float64 {
	switch {
	case p.High > p.Low:
		return (v - p.Low) / (p.High - p.Low)
	case math.IsNaN(v) || math.IsInf(v, 0):
		return v
	}
	return 0.5
}

// columnsOf is how many maps stand in a row, so that a picture is about twice as wide
// as it is high.
func columnsOf(n, height, width int) int {
	c := int(math.Ceil(math.Sqrt(2 * float64(n) * float64(height+1) / float64(width+1))))
	return min(max(c, 1), n)
}

// photograph draws an example of 1 or 3 channels, (channels, height, width) of
// numbers from 0 to 1; of other numbers of channels the first is drawn.
func photograph(x []float32, channels, height, width int) *Picture {
	p := &Picture{Maps: 1}
	of := cut(x, height, width)
	if channels != 3 {
		of = []plane{of[0], of[0], of[0]}
	}
	if by := (max(height, width) + maxExample - 1) / maxExample; by > 1 {
		p.Shrunk = by
		for i, c := range of[:3] {
			of[i] = c.shrunk(by)
		}
	}
	height, width = of[0].height, of[0].width
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	at := func(c, i int) uint8 { return uint8(math.Round(255 * min(max(float64(of[c].values[i]), 0), 1))) }
	for i := range height * width {
		img.SetNRGBA(i%width, i/width, color.NRGBA{at(0, i), at(1, i), at(2, i), 255})
	}
	p.Image = img
	return p
}

// Scaled is the picture in at least size pixels of width, each of its pixels a square.
func (p *Picture) Scaled(size int) image.Image {
	b := p.Image.Bounds()
	by := max(1, (size+b.Dx()-1)/b.Dx())
	img := image.NewNRGBA(image.Rect(0, 0, b.Dx()*by, b.Dy()*by))
	draw.NearestNeighbor.Scale(img, img.Bounds(), p.Image, b, draw.Src, nil)
	return img
}

// Size says how much smaller the picture is than what it shows, after a comma, or nothing.
func (p *Picture) Size() string {
	if p.Shrunk == 0 {
		return ""
	}
	return fmt.Sprintf(", drawn at 1/%d of its size", p.Shrunk)
}

// URI is the picture as PNG within a page.
func (p *Picture) URI() (template.URL, error) {
	var b bytes.Buffer
	if err := png.Encode(&b, p.Image); err != nil {
		return "", fmt.Errorf("report: picture: %w", err)
	}
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes())), nil
}

// Width and Height are those in a page: whole multiples of the picture's own, about
// as wide as a column of text at most.
func (p *Picture) Width() int { return p.Image.Bounds().Dx() * p.zoom() }

// Height is that of Width.
func (p *Picture) Height() int { return p.Image.Bounds().Dy() * p.zoom() }

func (p *Picture) zoom() int { return min(max(1, 760/p.Image.Bounds().Dx()), 24) }
