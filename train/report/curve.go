package report

import (
	"fmt"
	"image/color"
	"io"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"github.com/pumice-ml/pumice/train"
)

// colours are told apart by colour-blind readers (Okabe and Ito 2008).
var colours = []color.Color{
	color.RGBA{0, 114, 178, 255}, color.RGBA{230, 159, 0, 255}, color.RGBA{0, 158, 115, 255},
	color.RGBA{204, 121, 167, 255}, color.RGBA{213, 94, 0, 255}, color.RGBA{86, 180, 233, 255}, color.RGBA{0, 0, 0, 255},
}

// shapes mark the points, for readers who see no colours.
var shapes = []draw.GlyphDrawer{draw.CircleGlyph{}, draw.PyramidGlyph{}, draw.BoxGlyph{}, draw.RingGlyph{}, draw.TriangleGlyph{}, draw.SquareGlyph{}, draw.CrossGlyph{}}

// curve is one line of a plot.
type curve struct {
	name string
	xy   plotter.XYs
	dash bool
	look int // colour and shape
}

func curveOf(name string, h train.History, f func(train.Epoch) float64) curve {
	var xy plotter.XYs
	for _, e := range h {
		if y := f(e); finite(y) {
			xy = append(xy, plotter.XY{X: float64(e.Epoch), Y: y})
		}
	}
	return curve{name: name, xy: xy}
}

// WriteCurve draws loss and accuracy by epoch, one above the other, as a PNG: those of
// training, and of the test set where there is one. Without an accuracy there is the loss
// alone.
func WriteCurve(w io.Writer, h train.History) error { return writeCurve(w, h, "test") }

// writeCurve is WriteCurve with the name of what was measured after each epoch.
func writeCurve(w io.Writer, h train.History, held string) error {
	pair := func(training, test func(train.Epoch) float64) []curve {
		a, b := curveOf("training", h, training), curveOf(held, h, test)
		b.look = 1
		return []curve{a, b}
	}
	return writePlots(w, pair(lossOf, testLossOf), pair(accuracyOf, testAccuracyOf))
}

// maxCompared is how many runs have a colour and a shape of their own.
const maxCompared = 7

// WriteCurves draws the loss and the accuracy of several runs on top of each other,
// as a PNG: training dashed, test or validation solid. It returns an error for more than 7 runs.
func WriteCurves(w io.Writer, runs []*Run) error {
	if len(runs) > maxCompared {
		return fmt.Errorf("report: WriteCurves: %d runs, want at most %d", len(runs), maxCompared)
	}
	var loss, accuracy []curve
	for i, name := range names(runs) {
		h := runs[i].History
		for _, c := range []struct {
			kind           string
			loss, accuracy func(train.Epoch) float64
			dash           bool
		}{{"training", lossOf, accuracyOf, true}, {runs[i].Config.Data.held(), testLossOf, testAccuracyOf, false}} {
			a, b := curveOf(name+", "+c.kind, h, c.loss), curveOf(name+", "+c.kind, h, c.accuracy)
			a.dash, b.dash, a.look, b.look = c.dash, c.dash, i, i
			loss, accuracy = append(loss, a), append(accuracy, b)
		}
	}
	return writePlots(w, loss, accuracy)
}

func writePlots(w io.Writer, loss, accuracy []curve) error {
	above, err := chart("Loss by epoch", "mean loss of an example", loss, false)
	if err != nil {
		return err
	}
	plots := [][]*plot.Plot{{above}}
	if slices.ContainsFunc(accuracy, func(c curve) bool { return len(c.xy) > 0 }) {
		below, err := chart("Accuracy by epoch", "accuracy in %", accuracy, true)
		if err != nil {
			return err
		}
		plots = append(plots, []*plot.Plot{below})
	}
	canvas := vgimg.New(8*vg.Inch, vg.Length(4*len(plots))*vg.Inch)
	tiles := draw.Tiles{
		Rows: len(plots), Cols: 1, PadX: vg.Millimeter * 4, PadY: vg.Millimeter * 6,
		PadTop: vg.Millimeter * 4, PadBottom: vg.Millimeter * 4, PadLeft: vg.Millimeter * 4, PadRight: vg.Millimeter * 6,
	}
	for i, c := range plot.Align(plots, tiles, draw.New(canvas)) {
		plots[i][0].Draw(c[0])
	}
	_, err = vgimg.PngCanvas{Canvas: canvas}.WriteTo(w)
	return err
}

// chart is one plot of several lines.
func chart(title, unit string, curves []curve, bottom bool) (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, "epoch", unit
	p.Legend.Top, p.Legend.Padding, p.Legend.ThumbnailWidth = !bottom, vg.Points(4), vg.Points(36)
	p.X.Tick.Marker = epochTicks{}
	p.Add(plotter.NewGrid())
	for _, c := range curves {
		if len(c.xy) == 0 {
			continue // plotter has no line of no points
		}
		line, points, err := plotter.NewLinePoints(c.xy)
		if err != nil {
			return nil, fmt.Errorf("report: curve of %s: %w", c.name, err)
		}
		line.Color, line.Width = colours[c.look], vg.Points(2)
		if c.dash {
			line.Dashes = []vg.Length{vg.Points(5), vg.Points(4)}
		}
		points.Color, points.Shape, points.Radius = colours[c.look], shapes[c.look], vg.Points(4)
		p.Add(line, points)
		p.Legend.Add(c.name, line, points)
	}
	return p, nil
}

// epochTicks marks whole epochs.
type epochTicks struct{}

func (epochTicks) Ticks(low, high float64) []plot.Tick {
	var ticks []plot.Tick
	step := max(1, int(high-low)/10)
	for e := int(low); float64(e) <= high; e += step {
		ticks = append(ticks, plot.Tick{Value: float64(e), Label: fmt.Sprint(e)})
	}
	return ticks
}
