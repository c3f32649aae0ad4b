package report

import (
	"fmt"
	"html/template"
	"math"
)

// matrix is a confusion matrix as the page draws it.
type matrix struct {
	Size, Cell, Left, Top float64
	Numbers               bool // there is room for them
	Cells                 []matrixCell
	Rows, Columns         []mark
}

type matrixCell struct {
	X, Y, Middle, Base float64
	Count              int
	Right, Strong      bool
	Opacity            template.HTMLAttr
	Title              string
}

// newMatrix draws right answers by their share of the row, and mistakes by their
// number, the square root of its share of the largest, so that few are still seen.
func newMatrix(counts [][]int, classes []string) *matrix {
	n := float64(len(classes))
	m := &matrix{Left: 58, Top: 30, Cell: math.Floor(10*min(34, 330/n)) / 10, Numbers: n <= 12}
	m.Size = m.Cell * n
	most := 0
	for i, row := range counts {
		for j, c := range row {
			if i != j {
				most = max(most, c)
			}
		}
	}
	for i, row := range counts {
		sum := 0
		for _, c := range row {
			sum += c
		}
		for j, c := range row {
			share := 0.0
			if i == j && sum > 0 {
				share = float64(c) / float64(sum)
			} else if i != j && most > 0 {
				share = math.Sqrt(float64(c) / float64(most))
			}
			x, y := m.Left+float64(j)*m.Cell, m.Top+float64(i)*m.Cell
			m.Cells = append(m.Cells, matrixCell{
				X: round(x), Y: round(y), Middle: round(x + m.Cell/2), Base: round(y + m.Cell/2 + 4), Count: c,
				Right: i == j, Strong: share > 0.5,
				Opacity: template.HTMLAttr(fmt.Sprintf(`fill-opacity="%.3f"`, share)),
				Title:   fmt.Sprintf("%d of %d examples of %s were taken for %s", c, sum, classes[i], classes[j]),
			})
		}
	}
	for i, name := range classes {
		name = clip(name, 7)
		if n > 20 && i%2 == 1 {
			name = ""
		}
		at := round(float64(i)*m.Cell + m.Cell/2)
		m.Rows = append(m.Rows, mark{round(m.Top + at + 4), name})
		m.Columns = append(m.Columns, mark{round(m.Left + at), clip(name, max(1, int(m.Cell/7)))})
	}
	return m
}

// clip is at most n characters of a name.
func clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:max(n-1, 1)]) + "…"
	}
	return s
}

// Shape is the viewBox.
func (m *matrix) Shape() template.HTMLAttr {
	return template.HTMLAttr(fmt.Sprintf(`viewBox="0 0 %g %g"`, m.Left+m.Size+4, m.Top+m.Size+34))
}

// Foot is where the name of the lower axis stands.
func (m *matrix) Foot() mark { return mark{At: round(m.Top + m.Size + 24)} }

// Middle is half way along the columns, Half along the rows.
func (m *matrix) Middle() float64 { return round(m.Left + m.Size/2) }

// Half is half way down the rows.
func (m *matrix) Half() float64 { return round(m.Top + m.Size/2) }

// Inner is the width of a cell less the line between two.
func (m *matrix) Inner() float64 { return round(m.Cell - 1) }
