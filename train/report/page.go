package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/pumice-ml/pumice/train"
)

// Report is what a page shows.
type Report struct {
	Title    string
	Config   Config
	History  train.History
	Findings *Findings // nil where nobody looked at the model
}

//go:embed page.html
var pageText string

var page = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("report").Funcs(template.FuncMap{
		"percent": func(v float64) string {
			if math.IsNaN(v) {
				return "-"
			}
			return fmt.Sprintf("%.2f%%", 100*v)
		},
		"short": short, "thousands": thousands,
		"shape":   func(s []int) string { return fmt.Sprint(s) },
		"seconds": func(s float64) string { return strconv.FormatFloat(s, 'f', 1, 64) + " s" },
		"histogram": func(s Spread, what string) *drawing {
			return bins(s.Name+" "+shapeText(s.Shape), what, s.Histogram)
		},
		"width": func(share float64) template.CSS {
			return template.CSS(fmt.Sprintf("width:%.1f%%", 100*min(max(share, 0), 1)))
		},
		"indent": func(depth int) template.CSS {
			return template.CSS(fmt.Sprintf("padding-left:%.1frem", 0.3+float64(depth)))
		},
		"class": (*Findings).class,
	}).Parse(pageText))
})

// HTML writes the report as one page that needs nothing else: no other file, no
// script, no network. It is light or dark as the reader's system is.
func HTML(w io.Writer, r Report) error {
	if err := page().Execute(w, view{r}); err != nil {
		return fmt.Errorf("report: HTML: %w", err)
	}
	return nil
}

// view is a report with what the page draws of it.
type view struct{ Report }

// Last is the last epoch.
func (v view) Last() *train.Epoch {
	if len(v.History) == 0 {
		return nil
	}
	return &v.History[len(v.History)-1]
}

// Best is the epoch with the highest test accuracy.
func (v view) Best() train.Epoch {
	best, _ := (&Run{History: v.History}).Best()
	return best
}

// Seconds is the time of training.
func (v view) Seconds() float64 { return (&Run{History: v.History}).Seconds() }

// Classes reports whether accuracies mean anything.
func (v view) Classes() bool { return len(v.Config.Data.Classes) > 0 }

// Tested reports whether there was a set to measure on after each epoch.
func (v view) Tested() bool {
	return v.Config.Data.Test > 0 && slices.ContainsFunc(v.History, func(e train.Epoch) bool { return finite(testLossOf(e)) })
}

// Held is the name of that set.
func (v view) Held() string { return v.Config.Data.held() }

// Curves are the charts of the history.
func (v view) Curves() (all []*drawing) {
	if len(v.History) == 0 {
		return nil
	}
	pair := func(training, test func(train.Epoch) float64) map[string]func(train.Epoch) float64 {
		lines := map[string]func(train.Epoch) float64{"training": training}
		if v.Tested() {
			lines[v.Held()] = test
		}
		return lines
	}
	all = append(all, byEpoch("Loss", "mean loss of an example", v.History, pair(lossOf, testLossOf)))
	if v.Classes() {
		all = append(all, byEpoch("Accuracy", "accuracy in %", v.History, pair(accuracyOf, testAccuracyOf)))
	}
	all = append(all, v.others()...)
	all = slices.DeleteFunc(all, func(d *drawing) bool { return len(d.Lines) == 0 })
	return append(all, byEpoch("Speed", "examples per second", v.History, map[string]func(train.Epoch) float64{
		"training": func(e train.Epoch) float64 { return e.ImagesPerSecond },
	}))
}

// others are the charts of what else the epochs have: the learning rate, and other
// metrics, those of the training and the test set together.
func (v view) others() (drawings []*drawing) {
	numbers := map[int]map[string]float64{} // of an epoch, by column
	charts := map[string]map[string]func(train.Epoch) float64{}
	all := map[string]bool{}
	for _, e := range v.History {
		numbers[e.Epoch] = maps.Collect(columns(e))
		for column := range numbers[e.Epoch] {
			all[column] = true
		}
	}
	for column := range sorted(all) {
		name, set, _ := strings.Cut(tagOf(column), "/")
		if slices.Contains(leading, column) || name == "accuracy" || name == "skipped" {
			continue
		}
		if charts[name] == nil {
			charts[name] = map[string]func(train.Epoch) float64{}
		}
		line := "training"
		if set == "test" {
			line = v.Held()
		}
		charts[name][line] = func(e train.Epoch) float64 {
			if v, ok := numbers[e.Epoch][column]; ok {
				return v
			}
			return math.NaN()
		}
	}
	for name, lines := range sorted(charts) {
		drawings = append(drawings, byEpoch(strings.ReplaceAll(name, "_", " "), unitOf(name), v.History, lines))
	}
	return drawings
}

// unitOf is what the axis of a metric says.
func unitOf(name string) string {
	switch name {
	case "learning_rate":
		return "of the epoch's last update"
	case "precision", "recall", "f1":
		return "share, mean of the classes"
	}
	if strings.HasPrefix(name, "top") {
		return "share of the examples"
	}
	return "mean of an example"
}

// largestMatrix is the most classes whose counts are drawn as a matrix.
const largestMatrix = 40

// Matrix is the confusion matrix, or nil where it would be too large to read.
func (v view) Matrix() *matrix {
	if v.Findings == nil || v.Findings.Judgement == nil || len(v.Findings.Classes) > largestMatrix {
		return nil
	}
	return newMatrix(v.Findings.Judgement.Confusion, v.Findings.Classes)
}

// Without is the sentence about a part that is left out, or "".
func (v view) Without(part string) string {
	if v.Findings == nil {
		return ""
	}
	return v.Findings.Missing[part]
}

func shapeText(shape []int) string { return fmt.Sprint(shape) }
