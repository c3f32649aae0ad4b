package main

import (
	"fmt"
	"image/color"
	"io"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"github.com/pumice-ml/pumice/safetensors"
	"github.com/pumice-ml/pumice/train"
)

// writeCurve draws loss and accuracy by epoch, one above the other, as a PNG.
func writeCurve(path string, h train.History) error {
	series := func(f func(train.Epoch) float64) plotter.XYs {
		xy := make(plotter.XYs, len(h))
		for i, e := range h {
			xy[i] = plotter.XY{X: float64(e.Epoch), Y: f(e)}
		}
		return xy
	}
	loss, err := chart("Loss by epoch", "cross-entropy",
		series(func(e train.Epoch) float64 { return e.Loss }), series(func(e train.Epoch) float64 { return e.TestLoss }), false)
	if err != nil {
		return err
	}
	accuracy, err := chart("Accuracy by epoch", "accuracy in %",
		series(func(e train.Epoch) float64 { return 100 * e.TrainAccuracy }), series(func(e train.Epoch) float64 { return 100 * e.TestAccuracy }), true)
	if err != nil {
		return err
	}
	canvas := vgimg.New(8*vg.Inch, 8*vg.Inch)
	tiles := draw.Tiles{Rows: 2, Cols: 1, PadX: vg.Millimeter * 4, PadY: vg.Millimeter * 6, PadTop: vg.Millimeter * 4, PadBottom: vg.Millimeter * 4, PadLeft: vg.Millimeter * 4, PadRight: vg.Millimeter * 6}
	plots := [][]*plot.Plot{{loss}, {accuracy}}
	for i, c := range plot.Align(plots, tiles, draw.New(canvas)) {
		plots[i][0].Draw(c[0])
	}
	return safetensors.WriteDurable(path, func(w io.Writer) error {
		_, err := vgimg.PngCanvas{Canvas: canvas}.WriteTo(w)
		return err
	})
}

// chart is one plot of a training and a test line.
func chart(title, unit string, training, test plotter.XYs, bottom bool) (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, "epoch", unit
	p.Legend.Top = !bottom
	p.X.Tick.Marker = epochTicks{}
	p.Add(plotter.NewGrid())
	for _, s := range []struct {
		name  string
		xy    plotter.XYs
		color color.Color
		shape draw.GlyphDrawer
	}{{"training", training, blue, draw.CircleGlyph{}}, {"test", test, orange, draw.PyramidGlyph{}}} {
		line, points, err := plotter.NewLinePoints(s.xy)
		if err != nil {
			return nil, fmt.Errorf("curve: %w", err)
		}
		line.Color, line.Width = s.color, vg.Points(2)
		points.Color, points.Shape, points.Radius = s.color, s.shape, vg.Points(4)
		p.Add(line, points)
		p.Legend.Add(s.name, line, points)
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
