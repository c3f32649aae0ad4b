//go:build !js

package main

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/NimbleMarkets/ntcharts/canvas"
	"github.com/NimbleMarkets/ntcharts/linechart"
	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/lipgloss"
)

// The colours of the curves, for dark and light terminals (Okabe and Ito 2008).
var (
	trainColour = lipgloss.AdaptiveColor{Light: "#0072b2", Dark: "#56b4e9"}
	testColour  = lipgloss.AdaptiveColor{Light: "#d55e00", Dark: "#e69f00"}
	soft        = lipgloss.NewStyle().Faint(true)
	bold        = lipgloss.NewStyle().Bold(true)
)

// board is the dashboard's model, as bubbletea wants it.
type board struct {
	caption
	trace
	width, height int
	gone          bool
}

// Init does nothing.
func (b board) Init() tea.Cmd { return nil }

// Update takes what happened.
func (b board) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch m := msg.(type) {
	case tea.WindowSizeMsg:
		b.width, b.height = m.Width, m.Height
	case sample:
		b.add(m)
	case point:
		b.test = append(b.test, m)
	case gone:
		b.gone = true
		return b, tea.Quit
	}
	return b, nil
}

// View draws what fits into the terminal: the curves are left out where it is low.
func (b board) View() string {
	if b.gone || b.last.Steps == 0 {
		return ""
	}
	width, height := b.width, b.height
	if width < 1 || height < 1 {
		width, height = 80, 24 // unknown
	}
	width = min(width, 160)
	side := width >= 80 && b.classes
	lines := []string{cut(bold.Render(b.run), width), cut(soft.Render(b.device), width)}
	foot := b.foot(width)
	charts := 2
	if side || !b.classes {
		charts = 1
	}
	room := (height - 1 - len(lines) - len(foot) - charts) / charts // a title each
	if rows := min(room, 11); rows >= 5 && len(b.train) > 1 && width >= 30 {
		w := width
		if side {
			w = (width - 2) / 2
		}
		loss := b.chart("loss", w, rows, func(p point) float64 { return p.loss })
		switch {
		case !b.classes:
			lines = append(lines, loss)
		case side:
			lines = append(lines, lipgloss.JoinHorizontal(lipgloss.Top, loss, "  ", b.chart("accuracy in %", w, rows, percentOf)))
		default:
			lines = append(lines, loss, b.chart("accuracy in %", w, rows, percentOf))
		}
	}
	return strings.Join(append(lines, foot...), "\n")
}

func percentOf(p point) float64 { return 100 * p.accuracy }

// chart draws a curve of what is trained, and the points of the test set, by epoch.
func (b board) chart(title string, width, height int, of func(point) float64) string {
	low, high := math.Inf(1), math.Inf(-1)
	for _, p := range append(append([]point(nil), b.train...), b.test...) {
		if v := of(p); !math.IsNaN(v) && !math.IsInf(v, 0) {
			low, high = min(low, v), max(high, v)
		}
	}
	if low > high {
		low, high = 0, 1
	}
	room := max((high-low)/20, 1e-6*math.Abs(high), 1e-9)
	if low >= 0 { // neither a loss nor an accuracy is drawn below what there is
		low = max(low-room, 0)
	} else {
		low -= room
	}
	high += room
	from, to := b.train[0].epoch, b.train[len(b.train)-1].epoch
	if len(b.test) > 0 {
		from, to = min(from, b.test[0].epoch), max(to, b.test[len(b.test)-1].epoch)
	}
	if from >= to {
		to = from + 1
	}
	digits := 2
	if high-low >= 10 {
		digits = 0
	} else if high-low >= 2 {
		digits = 1
	} else if high-low < 0.05 {
		digits = 4
	}
	c := linechart.New(width, height, from, to, low, high, linechart.WithXYSteps(max(8, width/5), max(2, height/4)),
		linechart.WithStyles(soft, soft, lipgloss.NewStyle()),
		linechart.WithXLabelFormatter(func(_ int, v float64) string { return fmt.Sprintf("%.1f", v) }),
		linechart.WithYLabelFormatter(func(_ int, v float64) string { return fmt.Sprintf("%.*f", digits, v) }))
	c.DrawXYAxisAndLabel()
	draw := func(all []point, colour lipgloss.TerminalColor) {
		style := lipgloss.NewStyle().Foreground(colour)
		for i := 1; i < len(all); i++ {
			c.DrawBrailleLineWithStyle(canvas.Float64Point{X: all[i-1].epoch, Y: of(all[i-1])}, canvas.Float64Point{X: all[i].epoch, Y: of(all[i])}, style)
		}
	}
	draw(b.train, trainColour)
	for _, p := range b.test {
		c.DrawRuneWithStyle(canvas.Float64Point{X: p.epoch, Y: of(p)}, '◆', lipgloss.NewStyle().Foreground(testColour))
	}
	head := bold.Render(title) + soft.Render(" by epoch ") + lipgloss.NewStyle().Foreground(trainColour).Render("⠒ train")
	if len(b.test) > 0 {
		head += " " + lipgloss.NewStyle().Foreground(testColour).Render("◆ "+b.held)
	}
	return lipgloss.NewStyle().Width(width).Render(cut(head, width)) + "\n" + c.View()
}

// foot is the state in numbers, in as many lines as it takes.
func (b board) foot(width int) []string {
	s := b.last
	part := min(max(float64(s.Step)/float64(s.Steps), 0), 1)
	items := []string{fmt.Sprintf("step %d/%d", s.Step, s.Steps)}
	if b.rate > 0 {
		items = append(items, fmt.Sprintf("%.0f %s/s", b.rate, b.unit))
	}
	eta := "ETA -"
	if d, ok := b.left(); ok {
		eta = "ETA " + d.Round(time.Second).String()
	}
	items = append(items, eta, fmt.Sprintf("loss %.4f", s.Loss))
	if b.classes {
		items = append(items, fmt.Sprintf("accuracy %.2f%%", 100*s.Accuracy))
	}
	items = append(items, fmt.Sprintf("device memory %.1f MB", float64(s.memory)/1e6))
	head := fmt.Sprintf("epoch %d/%d ", s.Epoch, s.Epochs)
	bar := max(min(width-len(head)-5, 60), 0)
	full := int(part*float64(bar) + 0.5)
	lines := []string{cut(head+lipgloss.NewStyle().Foreground(trainColour).Render(strings.Repeat("█", full))+soft.Render(strings.Repeat("░", bar-full))+fmt.Sprintf(" %3.0f%%", 100*part), width)}
	line := ""
	for _, item := range items {
		switch {
		case line == "":
			line = item
		case lipgloss.Width(line)+3+len(item) <= width:
			line += " · " + item
		default:
			lines = append(lines, cut(line, width))
			line = item
		}
	}
	return append(lines, cut(line, width))
}

// cut is as much of a line as fits.
func cut(s string, width int) string { return lipgloss.NewStyle().MaxWidth(width).Render(s) }
