package bench

import (
	"encoding/csv"
	"fmt"
	"image/color"
	"io"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// Point is how long a system takes for a size.
type Point struct {
	System       string
	Size         int
	Milliseconds float64
}

// lines are told apart by colour-blind readers (Okabe and Ito 2008), and without
// colour by their points.
var lines = []struct {
	color color.Color
	shape draw.GlyphDrawer
}{
	{color.RGBA{0, 114, 178, 255}, draw.CircleGlyph{}},
	{color.RGBA{230, 159, 0, 255}, draw.PyramidGlyph{}},
	{color.RGBA{0, 158, 115, 255}, draw.BoxGlyph{}},
	{color.RGBA{204, 121, 167, 255}, draw.CrossGlyph{}},
	{color.RGBA{86, 180, 233, 255}, draw.RingGlyph{}},
	{color.RGBA{213, 94, 0, 255}, draw.TriangleGlyph{}},
	{color.RGBA{0, 0, 0, 255}, draw.SquareGlyph{}},
}

// WriteCurve draws time against the size of square matrices, a line for each
// system, as a PNG with logarithmic axes. There must be seven systems at most.
func WriteCurve(w io.Writer, title string, points []Point) error {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, "rows and columns of the square matrices", "time of one product in ms"
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Tick.Marker, p.Y.Tick.Marker = powers{2}, powers{10}
	p.Legend.Top, p.Legend.Left = true, true
	p.Legend.Padding = vg.Millimeter
	p.Add(plotter.NewGrid())
	var names []string
	series := map[string]plotter.XYs{}
	for _, q := range points {
		if series[q.System] == nil {
			names = append(names, q.System)
		}
		series[q.System] = append(series[q.System], plotter.XY{X: float64(q.Size), Y: q.Milliseconds})
	}
	if len(names) > len(lines) {
		return fmt.Errorf("bench: curve: %d systems, want at most %d", len(names), len(lines))
	}
	for i, name := range names {
		line, marks, err := plotter.NewLinePoints(series[name])
		if err != nil {
			return fmt.Errorf("bench: curve: %w", err)
		}
		line.Color, line.Width = lines[i].color, vg.Points(2)
		marks.Color, marks.Shape, marks.Radius = lines[i].color, lines[i].shape, vg.Points(4)
		p.Add(line, marks)
		p.Legend.Add(name, line, marks)
	}
	canvas := vgimg.New(8*vg.Inch, 5*vg.Inch)
	p.Draw(draw.Crop(draw.New(canvas), 2*vg.Millimeter, -4*vg.Millimeter, 2*vg.Millimeter, -2*vg.Millimeter))
	_, err := vgimg.PngCanvas{Canvas: canvas}.WriteTo(w)
	return err
}

// WriteCSV writes the points of a curve.
func WriteCSV(w io.Writer, points []Point) error {
	records := [][]string{{"system", "size", "ms"}}
	for _, q := range points {
		records = append(records, []string{q.System, strconv.Itoa(q.Size), strconv.FormatFloat(q.Milliseconds, 'g', 6, 64)})
	}
	return csv.NewWriter(w).WriteAll(records)
}

// powers marks the powers of a base.
type powers struct{ base float64 }

func (p powers) Ticks(low, high float64) (ticks []plot.Tick) {
	first, last := math.Floor(math.Log(low)/math.Log(p.base)), math.Ceil(math.Log(high)/math.Log(p.base))
	for e := first; e <= last; e++ {
		v := math.Pow(p.base, e)
		ticks = append(ticks, plot.Tick{Value: v, Label: strconv.FormatFloat(v, 'g', -1, 64)})
	}
	return ticks
}
