package report

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"unicode/utf8"
)

// matrix is a confusion matrix as the page draws it, in pixels.
type matrix struct {
	Size, Cell, Left, Top float64
	Numbers               bool // there is room for them
	Turned                bool // the columns' names are, by 45 degrees
	Cells                 []matrixCell
	Rows, Columns         []mark
	right                 float64 // of the last column, for its name
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
	const widest, letter = 480, 6.2 // of the drawing, and of an average letter
	n := float64(len(classes))
	rows, columns := labels(classes, 14), labels(classes, 10)
	down, across := letter*longest(rows), letter*longest(columns)
	m := &matrix{Left: 30 + down, Top: 30, right: 4}
	cell := func() float64 { return math.Floor(10*min(56, (widest-m.Left-m.right)/n)) / 10 }
	m.Cell = cell()
	if m.Turned = across > m.Cell; m.Turned {
		m.right, m.Top = 4+across*math.Sqrt2/2, 16+across*math.Sqrt2/2
		m.Cell = cell()
	}
	m.Size = m.Cell * n
	most, largest := 0, 0 // of the mistakes, and of all
	for i, row := range counts {
		for j, c := range row {
			if largest = max(largest, c); i != j {
				most = max(most, c)
			}
		}
	}
	m.Numbers = float64(7*len(strconv.Itoa(largest))+3) <= m.Cell
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
	step := int(math.Ceil(12 / m.Cell)) // from a name to the next
	for i := 0; i < len(classes); i += step {
		at := float64(i)*m.Cell + m.Cell/2
		m.Rows = append(m.Rows, mark{round(m.Top + at + 4), rows[i]})
		m.Columns = append(m.Columns, mark{round(m.Left + at), columns[i]})
	}
	return m
}

// labels are names of at most n characters, numbered where they would be alike.
func labels(names []string, n int) []string {
	all, alike, number := make([]string, len(names)), map[string]int{}, map[string]int{}
	for i, name := range names {
		all[i] = clip(name, n)
		alike[all[i]]++
	}
	for i, short := range all {
		if alike[short] > 1 {
			number[short]++
			end := fmt.Sprintf(" %d", number[short])
			all[i] = clip(names[i], n-len(end)) + end
		}
	}
	return all
}

// longest is the most characters of a name.
func longest(names []string) (n float64) {
	for _, name := range names {
		n = max(n, float64(utf8.RuneCountInString(name)))
	}
	return n
}

// clip is at most n characters of a name.
func clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:max(n-1, 1)]) + "…"
	}
	return s
}

// Shape is the viewBox, which is not drawn larger.
func (m *matrix) Shape() template.HTMLAttr {
	width := math.Ceil(m.Left + m.Size + m.right)
	return template.HTMLAttr(fmt.Sprintf(`viewBox="0 0 %g %g" style="max-width:%gpx"`, width, round(m.Top+m.Size+34), width))
}

// Turn stands the name of a column at an angle where there is no room for it.
func (m *matrix) Turn(at float64) template.HTMLAttr {
	if !m.Turned {
		return template.HTMLAttr(fmt.Sprintf(`class="tick middle" x="%g" y="%g"`, at, round(m.Top-6)))
	}
	return template.HTMLAttr(fmt.Sprintf(`class="tick" transform="translate(%g %g) rotate(-45)"`, at+4, round(m.Top-5)))
}

// Foot is where the name of the lower axis stands.
func (m *matrix) Foot() mark { return mark{At: round(m.Top + m.Size + 24)} }

// Middle is half way along the columns, Half along the rows.
func (m *matrix) Middle() float64 { return round(m.Left + m.Size/2) }

// Half is half way down the rows.
func (m *matrix) Half() float64 { return round(m.Top + m.Size/2) }

// Inner is the width of a cell less the line between two.
func (m *matrix) Inner() float64 { return round(m.Cell - 1) }
