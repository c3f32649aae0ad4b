package report

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"

	"github.com/pumice-ml/pumice/train"
)

// drawing is a chart as the page draws it, in units of about a pixel. It is as wide
// as a telephone, so that its text can be read there.
type drawing struct {
	Title, X, Y            string // with units
	Width, Height          float64
	Left, Right            float64 // of the field
	Top, Bottom            float64
	XTicks, YTicks         []mark
	Lines                  []svgLine
	Bars                   []svgBar
	Zero                   float64 // where zero stands on x, or outside of the field
	low, high, least, most float64
}

type mark struct {
	At    float64
	Label string
}

type svgLine struct {
	Name   string
	Series int // colour and mark
	Path   template.HTMLAttr
	Points []svgPoint
	// LegendX is where the line's name begins; 0 where none is wanted.
	LegendX float64
}

type svgPoint struct {
	X, Y  float64
	Title string
}

type svgBar struct {
	X, Y, Width, Height float64
	Title               string
}

func newDrawing(title, x, y string, low, high, least, most float64) *drawing {
	d := &drawing{
		Title: title, X: x, Y: y, Width: 380, Height: 250, Left: 60, Right: 368, Top: 34, Bottom: 208,
		low: low, high: high, least: least, most: most,
	}
	if d.low == d.high {
		d.low, d.high = d.low-0.5, d.high+0.5
	}
	if d.least == d.most {
		d.least, d.most = d.least-0.5, d.most+0.5
	}
	for _, t := range (plot.DefaultTicks{}).Ticks(d.least, d.most) {
		if t.Label != "" {
			d.YTicks = append(d.YTicks, mark{d.y(t.Value), short(t.Value)})
		}
	}
	return d
}

func (d *drawing) x(v float64) float64 {
	return round(d.Left + (v-d.low)/(d.high-d.low)*(d.Right-d.Left))
}

func (d *drawing) y(v float64) float64 {
	return round(d.Bottom - (v-d.least)/(d.most-d.least)*(d.Bottom-d.Top))
}

func round(v float64) float64 { return math.Round(100*v) / 100 }

// byEpoch draws numbers of the epochs by line; those that are not finite are left out.
func byEpoch(title, unit string, h train.History, lines map[string]func(train.Epoch) float64) *drawing {
	least, most := math.Inf(1), math.Inf(-1)
	for _, f := range lines {
		for _, e := range h {
			if y := f(e); finite(y) {
				least, most = min(least, y), max(most, y)
			}
		}
	}
	if least > most {
		least, most = 0, 0
	}
	room := (most - least) / 20
	d := newDrawing(title, "epoch", unit, 1, float64(len(h)), least-room, most+room)
	step := max(1, (len(h)+7)/8)
	for i := 0; i < len(h); i += step {
		d.XTicks = append(d.XTicks, mark{d.x(float64(h[i].Epoch)), fmt.Sprint(h[i].Epoch)})
	}
	for name, f := range sorted(lines) {
		l := svgLine{Name: name} // training is the first series, what was held out the second
		if name != "training" {
			l.Series = 1
		}
		var path strings.Builder
		for _, e := range h {
			y := f(e)
			if !finite(y) {
				continue
			}
			p := svgPoint{d.x(float64(e.Epoch)), d.y(y), fmt.Sprintf("%s, epoch %d: %s", name, e.Epoch, short(y))}
			if path.Len() == 0 {
				path.WriteString("M")
			} else {
				path.WriteString("L")
			}
			fmt.Fprintf(&path, "%g %g", p.X, p.Y)
			if len(h) <= 40 {
				l.Points = append(l.Points, p)
			}
		}
		if path.Len() == 0 {
			continue
		}
		l.Path = template.HTMLAttr(`d="` + path.String() + `"`)
		d.Lines = append(d.Lines, l)
	}
	if len(d.Lines) > 1 {
		for i := range d.Lines {
			d.Lines[i].LegendX = d.Right - float64(90*(len(d.Lines)-d.Lines[i].Series))
		}
	}
	return d
}

// bins draws a histogram.
func bins(title, x string, h Histogram) *drawing {
	most := 0
	for _, n := range h.Counts {
		most = max(most, n)
	}
	d := newDrawing(title, x, "numbers", h.Low, h.High, 0, float64(max(most, 1)))
	for _, t := range (plot.DefaultTicks{}).Ticks(d.low, d.high) {
		if t.Label != "" {
			d.XTicks = append(d.XTicks, mark{d.x(t.Value), short(t.Value)})
		}
	}
	d.YTicks = slices.DeleteFunc(d.YTicks, func(m mark) bool { return strings.Contains(m.Label, ".") }) // nothing is there half a time
	d.Zero = d.x(0)
	width := (h.High - h.Low) / float64(len(h.Counts))
	for i, n := range h.Counts {
		if n == 0 {
			continue
		}
		from, to := d.x(h.Low+float64(i)*width), d.x(h.Low+float64(i+1)*width)
		if width == 0 { // all are alike
			from, to = d.x(h.Low)-4, d.x(h.Low)+4
		}
		y := d.y(float64(n))
		d.Bars = append(d.Bars, svgBar{
			X: from, Y: y, Width: round(max(to-from-0.5, 0.5)), Height: round(d.Bottom - y),
			Title: fmt.Sprintf("%d from %s to %s", n, short(h.Low+float64(i)*width), short(h.Low+float64(i+1)*width)),
		})
	}
	return d
}

// InField reports whether zero stands within the chart.
func (d *drawing) InField() bool { return d.Zero > d.Left && d.Zero < d.Right }

// Shape is the viewBox.
func (d *drawing) Shape() template.HTMLAttr {
	return template.HTMLAttr(fmt.Sprintf(`viewBox="0 0 %g %g"`, d.Width, d.Height))
}

// Middle is half way along the axes.
func (d *drawing) Middle() mark { return mark{At: round((d.Left + d.Right) / 2)} }

// Half is half way up the field.
func (d *drawing) Half() float64 { return round((d.Top + d.Bottom) / 2) }

// short writes a number with four digits or fewer.
func short(v float64) string {
	switch a := math.Abs(v); {
	case v == 0:
		return "0"
	case a >= 10000 && v == math.Trunc(v) && a < 1e7:
		return thousandsSigned(int(v))
	case a >= 1e5 || a < 1e-3:
		return fmt.Sprintf("%.3g", v)
	}
	return fmt.Sprintf("%.4g", v)
}

func thousandsSigned(n int) string {
	if n < 0 {
		return "-" + thousands(-n)
	}
	return thousands(n)
}
