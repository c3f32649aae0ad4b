package main

import (
	"fmt"
	"image"
	"io"
	"math"

	"golang.org/x/image/draw"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	plotdraw "gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"github.com/pumice-ml/pumice/safetensors"
	"github.com/pumice-ml/pumice/train/report"
)

// sheet is a picture of panels on a canvas, whose places are counted in inches from the
// upper left corner.
type sheet struct {
	canvas        *vgimg.Canvas
	width, height float64
}

func newSheet(width, height float64) *sheet {
	return &sheet{vgimg.New(vg.Length(width)*vg.Inch, vg.Length(height)*vg.Inch), width, height}
}

// at is a part of the sheet.
func (s *sheet) at(left, top, width, height float64) plotdraw.Canvas {
	c := plotdraw.New(s.canvas)
	c.Rectangle = vg.Rectangle{
		Min: vg.Point{X: vg.Length(left) * vg.Inch, Y: vg.Length(s.height-top-height) * vg.Inch},
		Max: vg.Point{X: vg.Length(left+width) * vg.Inch, Y: vg.Length(s.height-top) * vg.Inch},
	}
	return c
}

// write writes the sheet as a PNG.
func (s *sheet) write(path string) error {
	return safetensors.WriteDurable(path, func(w io.Writer) error {
		_, err := vgimg.PngCanvas{Canvas: s.canvas}.WriteTo(w)
		return err
	})
}

// heading draws a line of text that begins at a place.
func (s *sheet) heading(text string, left, top float64, size vg.Length) {
	p := plot.New()
	style := p.Title.TextStyle
	style.Font.Size, style.XAlign, style.YAlign = size, plotdraw.XLeft, plotdraw.YTop
	c := s.at(left, top, s.width-left, 0.4)
	c.FillText(style, vg.Point{X: c.Min.X, Y: c.Max.Y}, text)
}

// picture draws an image with its axes in pixels, in its own proportions; without axes
// where bare is set. An image of few pixels shows each of them as a square.
func (s *sheet) picture(c plotdraw.Canvas, title string, img image.Image, bare bool) {
	w, h := img.Bounds().Dx(), img.Bounds().Dy()
	p := plot.New()
	p.Title.Text = title
	p.Title.Padding = vg.Points(4)
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, float64(w), 0, float64(h)
	p.X.Padding, p.Y.Padding = 0, 0
	if bare {
		p.HideAxes()
		p.Title.TextStyle.Font.Size = vg.Points(9)
	} else {
		p.X.Label.Text, p.Y.Label.Text = "column in pixels", "row in pixels"
		p.X.Tick.Marker, p.Y.Tick.Marker = pixelTicks{w, false}, pixelTicks{h, true}
	}
	p.Add(plotter.NewImage(scaled(img), 0, 0, float64(w), float64(h)))
	// What is left of the panel beside its labels gets the image's proportions.
	inner := p.DataCanvas(c)
	size := inner.Max.Sub(inner.Min)
	if wide := size.Y * vg.Length(w) / vg.Length(h); wide < size.X {
		c.Max.X -= size.X - wide
	} else {
		c.Min.Y += size.Y - size.X*vg.Length(h)/vg.Length(w)
	}
	p.Draw(c)
}

// Sides of what scaled makes, in pixels, about those of a panel.
const (
	panelMin = 300
	panelMax = 900
)

// scaled makes small images larger by a whole factor, so that their pixels stay squares,
// and large ones smaller.
func scaled(img image.Image) image.Image {
	w, h := img.Bounds().Dx(), img.Bounds().Dy()
	if most := max(w, h); most > panelMax {
		to := image.NewRGBA(image.Rect(0, 0, max(1, w*panelMax/most), max(1, h*panelMax/most)))
		draw.CatmullRom.Scale(to, to.Bounds(), img, img.Bounds(), draw.Src, nil)
		return to
	}
	factor := max(1, (panelMin+max(w, h)-1)/max(w, h))
	to := image.NewRGBA(image.Rect(0, 0, w*factor, h*factor))
	draw.NearestNeighbor.Scale(to, to.Bounds(), img, img.Bounds(), draw.Src, nil)
	return to
}

// scale draws the colours of a span beside their numbers.
func (s *sheet) scale(c plotdraw.Canvas, unit string, of span) {
	bar := image.NewRGBA(image.Rect(0, 0, 1, 256))
	for i := range 256 {
		bar.Set(0, 255-i, report.Sequential.At(float64(i)/255))
	}
	p := plot.New()
	p.HideX()
	p.Y.Label.Text = unit
	p.Y.Min, p.Y.Max, p.X.Min, p.X.Max = of.low, of.high, 0, 1
	p.X.Padding, p.Y.Padding = 0, 0
	p.Add(plotter.NewImage(bar, 0, of.low, 1, of.high))
	p.Draw(c)
}

// pixelTicks counts pixels, from the top where turned is set.
type pixelTicks struct {
	n      int
	turned bool
}

func (t pixelTicks) Ticks(_, _ float64) (ticks []plot.Tick) {
	step := niceStep(float64(t.n) / 5)
	for i := 0; i <= t.n; i += step {
		at := float64(i)
		if t.turned {
			at = float64(t.n - i)
		}
		ticks = append(ticks, plot.Tick{Value: at, Label: fmt.Sprint(i)})
	}
	return ticks
}

// niceStep is 1, 2 or 5 times a power of ten, at least v and 1.
func niceStep(v float64) int {
	step := math.Pow(10, math.Floor(math.Log10(max(v, 1))))
	for _, f := range []float64{1, 2, 5} {
		if f*step >= v {
			return int(f * step)
		}
	}
	return int(10 * step)
}
