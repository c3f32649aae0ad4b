package conform

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"sync"
)

//go:embed report.html
var page string

var pageTemplate = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("report").Funcs(template.FuncMap{
		"percent": percent, "short": short,
		"bars":  func(k *Kernel) []bar { return k.bars() },
		"lines": func(c *Result) []string { return c.lines() },
		"worst": func(c *Result) *Check { return c.worst() },
		"rate": func(k *Kernel) string {
			return percent(Number(float64(k.Correct) / max(float64(k.Elements), 1)))
		},
		"bound": func(k *Kernel) string {
			if k.Worst == nil {
				return "-"
			}
			return percent(k.Worst.Share)
		},
	}).Parse(page))
})

// WriteHTML writes the report as one page that needs nothing else: histograms of the
// errors of each kernel, the worst elements, and all cases with a filter.
func (r *Report) WriteHTML(w io.Writer) error {
	if err := pageTemplate().Execute(w, r); err != nil {
		return fmt.Errorf("conform: WriteHTML: %w", err)
	}
	return nil
}

// bar is one bar of a histogram.
type bar struct {
	X, Y, Height int
	Kind, Title  string
}

// bars draw Shares in 120 by 32, on a logarithmic scale: a single illegal element
// must be seen beside millions.
func (k *Kernel) bars() []bar {
	most := 1.0
	for _, n := range k.Shares {
		most = max(most, math.Log1p(float64(n)))
	}
	var all []bar
	for i, n := range k.Shares {
		if n == 0 {
			continue
		}
		h := max(2, int(math.Log1p(float64(n))/most*32))
		b := bar{X: i * 10, Y: 32 - h, Height: h, Kind: "within", Title: fmt.Sprintf("%d elements off by up to %d%% of what is legal", n, i*10)}
		switch i {
		case 0:
			b.Kind, b.Title = "rounded", fmt.Sprintf("%d elements correctly rounded", n)
		case len(k.Shares) - 1:
			b.Kind, b.Title = "illegal", fmt.Sprintf("%d elements illegal", n)
		}
		all = append(all, b)
	}
	return all
}
