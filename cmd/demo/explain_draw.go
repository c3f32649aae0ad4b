package main

import (
	"fmt"
	"image/color"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	plotdraw "gonum.org/v1/plot/vg/draw"

	"github.com/pumice-ml/pumice/infer/explain"
)

// Most activation maps of a layer, those of a line, and most classes that are drawn.
const (
	mapsDrawn  = 16
	mapsInRow  = 8
	barsDrawn  = 12
	sheetWidth = 16.4 // inches
)

// drawExplanation writes one picture of all that explains an image.
func drawExplanation(path, name string, m *described, pixels []float32, x *explain.Explanation) error {
	const top, row, head, cell = 0.7, 4.3, 0.5, 1.85
	height := top + row
	var convs []explain.Activation
	for _, a := range x.Layers {
		if a.Conv && a.Maps() > 0 {
			convs = append(convs, a)
			height += head + cell*float64((min(a.Maps(), mapsDrawn)+mapsInRow-1)/mapsInRow)
		}
	}
	s := newSheet(sheetWidth, height+0.2)
	class := m.classes[x.Class]
	s.heading(fmt.Sprintf("What the model sees of %s; explained: class %s", name, class), 0.2, 0.1, vg.Points(16))
	input := shown(pixels, m.channels, m.height, m.width)
	s.picture(s.at(0.2, top, 3.7, row-0.2), "Input", input, false)
	if err := s.probabilities(s.at(4.0, top, 3.6, row-0.2), m.classes, x); err != nil {
		return err
	}
	of := spanOf(x.Saliency)
	of.low = 0
	s.picture(s.at(7.7, top, 3.2, row-0.2), "Saliency of "+class, coloured(x.Saliency, of), false)
	s.scale(s.at(11.05, top+0.1, 0.95, row-0.6), "|d logit / d brightness|", of)
	if x.Target >= 0 {
		of := spanOf(x.GradCAM)
		of.low = 0
		title := fmt.Sprintf("Grad-CAM of %s, layer %s", class, x.Layers[x.Target].Layer)
		s.picture(s.at(12.1, top, 3.15, row-0.2), title, overlay(coloured(x.GradCAM, of), input), false)
		s.scale(s.at(15.4, top+0.1, 0.95, row-0.6), "logits, over the grey input", of)
	} else {
		s.heading("No convolution, and so no Grad-CAM", 12.3, top+1.5, vg.Points(12))
	}
	at := top + row
	for _, a := range convs {
		n := min(a.Maps(), mapsDrawn)
		s.heading(fmt.Sprintf("Layer %s: %d of %d activation maps of %dx%d pixels", a.Layer, n, a.Maps(), a.Shape[1], a.Shape[2]), 0.2, at+0.05, vg.Points(13))
		at += head
		var maps []explain.Map
		for i := range n {
			maps = append(maps, a.Map(i))
		}
		of := spanOf(maps...)
		rows := (n + mapsInRow - 1) / mapsInRow
		for i, one := range maps {
			left, line := float64(i%mapsInRow)*1.87, float64(i/mapsInRow)
			s.picture(s.at(0.3+left, at+line*cell, 1.75, cell-0.08), fmt.Sprintf("map %d", i), coloured(one, of), true)
		}
		s.scale(s.at(15.4, at, 0.9, min(float64(rows)*cell, 2.6)-0.1), "activation", of)
		at += float64(rows) * cell
	}
	return s.write(path)
}

// probabilities draws a bar for each class, the likeliest ones where there are many; the
// class that is explained is orange.
func (s *sheet) probabilities(c plotdraw.Canvas, classes []string, x *explain.Explanation) error {
	order := make([]int, len(classes))
	for i := range order {
		order[i] = i
	}
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = "Probability of each class", "probability in %", "class"
	if len(order) > barsDrawn {
		slices.SortStableFunc(order, func(a, b int) int {
			if x.Probabilities[a] > x.Probabilities[b] {
				return -1
			}
			return 1
		})
		order = order[:barsDrawn]
		p.Title.Text = fmt.Sprintf("Probability of the %d likeliest classes", barsDrawn)
	}
	slices.Reverse(order) // the first class on top
	names := make([]string, len(order))
	marks := plotter.XYLabels{}
	for i, k := range order {
		names[i] = classes[k]
		percent := 100 * float64(x.Probabilities[k])
		bar, err := plotter.NewBarChart(plotter.Values{percent}, vg.Points(190/float64(len(order)+1)))
		if err != nil {
			return fmt.Errorf("explain: %w", err)
		}
		bar.Horizontal, bar.XMin, bar.LineStyle.Width = true, float64(i), 0
		bar.Color = color.Color(blue)
		if k == x.Class {
			bar.Color = orange
		}
		p.Add(bar)
		marks.XYs = append(marks.XYs, plotter.XY{X: percent + 1.5, Y: float64(i)})
		marks.Labels = append(marks.Labels, fmt.Sprintf("%.1f", percent))
	}
	labels, err := plotter.NewLabels(marks)
	if err != nil {
		return fmt.Errorf("explain: %w", err)
	}
	for i := range labels.TextStyle {
		labels.TextStyle[i].YAlign = -0.5
		labels.TextStyle[i].Font.Size = vg.Points(9)
	}
	p.Add(labels)
	p.NominalY(names...)
	p.X.Min, p.X.Max = 0, 118 // with room for the number behind a full bar
	p.X.Tick.Marker = plot.ConstantTicks{{Value: 0, Label: "0"}, {Value: 25, Label: "25"}, {Value: 50, Label: "50"}, {Value: 75, Label: "75"}, {Value: 100, Label: "100"}}
	p.Draw(c)
	return nil
}
