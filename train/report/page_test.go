package report

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pumice-ml/pumice/bench"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train"
)

// full is a report with all parts, of made-up numbers.
func full() Report {
	values := []float32{-1, 0, 0.5, 2}
	spread := Spread{"0.weight", []int{2, 2}, NewHistogram(values, 10)}
	p := photograph([]float32{0, 0.5, 0.25, 1}, 1, 2, 2)
	maps := tiled(cut([]float32{-1, 2, 3, 4, 5, 6, 7, 8}, 2, 2), Sequential)
	return Report{
		Title: "a <run>", History: epochs(3),
		Config: Config{
			Start: time.Unix(1700000000, 0), Flags: map[string]string{"lr": "0.1"}, Device: Device{Name: "a device"},
			Data: Data{Name: "pets", Train: 100, Test: 50, Shape: []int{1, 2, 2}, Classes: []string{"cat & dog", "<hen>"}}, Model: Model{Name: "mlp", Parameters: 1234},
		},
		Findings: &Findings{
			Classes: []string{"cat & dog", "<hen>"},
			Judgement: &Judgement{
				Examples: 50, Wrong: 3, Loss: 0.25, Confusion: [][]int{{24, 1}, {2, 23}}, Hits: []int{24, 23}, Truth: []int{25, 25}, Told: []int{26, 24},
				Mistakes: []Mistake{{Index: 7, Truth: 1, Told: 0, Probability: 0.75, TruthProbability: 0.25, Loss: 1.386, Picture: p}},
			},
			Chosen:  &Chosen{Index: 7, Set: "pets", Truth: "<hen>", Picture: p, Steps: []Activation{{"0 Conv2D(1, 2, 1)", []int{2, 2, 2}, maps}}, Probabilities: []float64{0.75, 0.25}},
			Filters: &Filters{"0 Conv2D(1, 2, 1)", "the kernel of an output channel", []int{2, 1, 2, 2}, tiled(cut([]float32{-1, 2, 3, 4, 5, 6, 7, 8}, 2, 2), Diverging)},
			Weights: []Spread{spread}, Gradients: []Spread{spread}, GradientExamples: 8,
			Kernels: []bench.KernelTime{{Kernel: "matmul.forward", Dispatches: 3, Milliseconds: 1.5, Share: 0.75}},
			Summary: []layers.SummaryRow{{Layer: "0 Flatten", Output: []int{1, 4}}, {Layer: "1 Linear(4, 2)", Depth: 1, Output: []int{1, 2}, Parameters: 10}},
		},
	}
}

func written(t *testing.T, r Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := HTML(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestHTML wants every part on the page, and nothing that is not in it.
func TestHTML(t *testing.T) {
	text := written(t, full())
	for _, want := range []string{
		"<title>a &lt;run&gt;</title>", "80.00%", "3 of 50 test examples are told wrong", "cat &amp; dog", "number 7", "told <b>cat &amp; dog</b>, 75.00%",
		"0 Conv2D(1, 2, 1)", "2 maps", "0.weight [2 2]", "matmul.forward", "1.500", "1 Linear(4, 2)", "a device", "--lr", `name="viewport"`, "prefers-color-scheme: dark",
		"2 of 25 examples of &lt;hen&gt; were taken for cat &amp; dog", "viewBox", "1,234",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in the page", want)
		}
	}
	for _, bad := range []string{"ZgotmplZ", "<script", "http://", "https://", "<link", "@import", "<hen>", "NaN", "%!"} {
		if at := strings.Index(text, bad); at >= 0 {
			t.Errorf("%q in the page: %q", bad, text[max(0, at-60):min(len(text), at+60)])
		}
	}
	for _, m := range regexp.MustCompile(`(?:src|href|url)[=(]"?([^" )]*)`).FindAllStringSubmatch(text, -1) {
		if !strings.HasPrefix(m[1], "data:image/png;base64,") {
			t.Errorf("the page refers to %.80q", m[1])
		}
	}
	if n := strings.Count(text, `src="data:image/png;base64,`); n != 4 {
		t.Errorf("%d pictures, want 4", n)
	}
}

// TestOthers wants numbers that no bin has to be counted on the page.
func TestOthers(t *testing.T) {
	r := full()
	r.Findings.Weights[0].Histogram = NewHistogram([]float32{1, nan, nan, 2}, 4)
	if text := written(t, r); strings.Count(text, "<p class=\"about\">2 more are NaN or infinite.</p>") != 1 {
		t.Error("two numbers are nowhere")
	}
}

// TestHTMLParts wants a sentence in the place of what is left out.
func TestHTMLParts(t *testing.T) {
	r := full()
	r.Findings = &Findings{Missing: map[string]string{}}
	for _, part := range []string{PartConfusion, PartMistakes, PartActivations, PartFilters, PartGradients, PartKernels} {
		r.Findings.Missing[part] = "Nothing of " + part + "."
	}
	r.Config.Data.Classes, r.Config.Data.Test = nil, 0
	text := written(t, r)
	for part, why := range r.Findings.Missing {
		if strings.Count(text, why) != 1 {
			t.Errorf("the sentence about %s is there %d times", part, strings.Count(text, why))
		}
	}
	if strings.Contains(text, "test accuracy") || strings.Contains(text, "ccuracy in %") {
		t.Error("there is an accuracy without classes")
	}
	if text := written(t, Report{Title: "new", Config: Config{Start: time.Unix(0, 0)}}); !strings.Contains(text, "No epoch has ended yet") || strings.Contains(text, "Confusion") {
		t.Error("a run without epochs has no such page")
	}
}

// TestMatrix wants names that can be told apart and are within the drawing, which is
// shown no larger than it is.
func TestMatrix(t *testing.T) {
	for _, names := range [][]string{
		{"class_a", "class_b", "class_c"}, {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"},
		{"a very long name of one", "a very long name of another", "short"}, strings.Fields(strings.Repeat("longer ", 40)),
	} {
		counts := make([][]int, len(names))
		for i := range counts {
			counts[i] = make([]int, len(names))
			counts[i][i] = 1000
		}
		m := newMatrix(counts, names)
		var width, height, most float64
		if _, err := fmt.Sscanf(strings.ReplaceAll(string(m.Shape()), "px", ""), `viewBox="0 0 %g %g" style="max-width:%g"`, &width, &height, &most); err != nil || most != width || width > 481 || height < m.Top+m.Size {
			t.Errorf("%v: %s, %v", names[0], m.Shape(), err)
		}
		for _, axis := range [][]mark{m.Rows, m.Columns} {
			seen := map[string]bool{}
			for _, l := range axis {
				if seen[l.Label] || len([]rune(l.Label)) > 14 {
					t.Errorf("%v: the name %q", names[0], l.Label)
				}
				seen[l.Label] = true
			}
			if len(names) <= 10 && len(axis) != len(names) {
				t.Errorf("%v: %d names of %d", names[0], len(axis), len(names))
			}
		}
		if m.Rows[0].Label != clip(names[0], 14) && !strings.HasSuffix(m.Rows[0].Label, " 1") {
			t.Errorf("%q is called %q", names[0], m.Rows[0].Label)
		}
		if m.Numbers != (len(names) <= 10) || len(names) == 3 && m.Cell < 40 {
			t.Errorf("%v: cells of %v, numbers %v", names[0], m.Cell, m.Numbers)
		}
		if m.Turned != (len(names[0]) > 7 || len(names) == 40) || m.Left < 6*longest([]string{m.Rows[0].Label}) {
			t.Errorf("%v: turned %v, %v to the left", names[0], m.Turned, m.Left)
		}
	}
}

// TestManyClasses wants a page that is no longer than one can read.
func TestManyClasses(t *testing.T) {
	const n = 20000
	r := full()
	j := newJudgement(3*n, n)
	if j.Confusion != nil {
		t.Errorf("%d classes are counted by pair", n)
	}
	probabilities := make([]float64, n)
	names := make([]string, n)
	for i := range n {
		names[i] = fmt.Sprintf("class%d", i)
		probabilities[i] = float64(i) / (n * (n - 1) / 2)
		for range 2 {
			j.count(i, i)
		}
		told := i
		if i%1000 == 7 {
			told = (i + 1) % n
		} else if i == 11 {
			told = n // no class
		}
		j.count(i, told)
	}
	r.Config.Data.Classes, r.Findings.Classes, r.Findings.Judgement = names, names, j
	r.Findings.Chosen.Probabilities = probabilities
	text := written(t, r)
	if len(text) > 200000 {
		t.Errorf("a page of %d bytes", len(text))
	}
	for _, want := range []string{
		"<td>class7</td><td>3</td><td>100.00%</td><td>66.67%</td><td>80.00%</td>", "<td>class11</td>", "19,960 more are not listed", "<td>class19999</td>", "<td>class19988</td>", "19,988 more are not listed",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in the page", want)
		}
	}
	if strings.Contains(text, "<td>class19987</td>") {
		t.Error("13 probabilities are on the page")
	}
	if c := j.PerClass()[8]; c.Examples != 3 || c.Precision != 0.75 || c.Recall != 1 {
		t.Errorf("class 8: %+v", c)
	}
}

// TestValidation wants what was measured on a validation set to be called so.
func TestValidation(t *testing.T) {
	r := full()
	r.Config.Data.Held = "validation"
	text := written(t, r)
	for _, want := range []string{"</b>validation accuracy, at the end", "</b>validation loss, at the end", "<th>validation loss</th>", "<th>validation</th>", ">validation</text>", "3 of 50 test examples"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in the page", want)
		}
	}
	for _, bad := range []string{"</b>test accuracy", "<th>test", ">test</text>"} {
		if strings.Contains(text, bad) {
			t.Errorf("%q in the page", bad)
		}
	}
	a, b := &Run{Dir: "a", Config: r.Config, History: r.History}, &Run{Dir: "b", History: r.History}
	for want, runs := range map[string][]*Run{"best validation %": {a, a}, "best test %": {b, b}, "best held-out %": {a, b}} {
		var list, compared bytes.Buffer
		if err := errors.Join(WriteRuns(&list, runs), WriteComparison(&compared, runs)); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(list.String(), want) || !strings.Contains(compared.String(), want) || strings.Contains(list.String(), "80.00 validation") != (want == "best held-out %") {
			t.Errorf("no %q in\n%s\n%s", want, list.String(), compared.String())
		}
	}
}

// TestCurvesFit wants points where the axes say.
func TestCurvesFit(t *testing.T) {
	d := byEpoch("t", "u", epochs(3), map[string]func(train.Epoch) float64{"training": lossOf, "test": testLossOf})
	if len(d.Lines) != 2 || d.Lines[0].Name != "test" || d.Lines[0].Series != 1 || d.Lines[1].Series != 0 {
		t.Fatalf("lines %+v", d.Lines)
	}
	for _, l := range d.Lines {
		for i, p := range l.Points {
			if want := d.Left + float64(i)*(d.Right-d.Left)/2; p.X != want || p.Y < d.Top || p.Y > d.Bottom {
				t.Errorf("%s: point %d at %v, %v, want x %v", l.Name, i, p.X, p.Y, want)
			}
		}
		if l.Points[0].Y >= l.Points[2].Y {
			t.Errorf("%s falls, its line does not: %+v", l.Name, l.Points)
		}
	}
	for _, axis := range [][]mark{d.XTicks, d.YTicks} {
		if len(axis) < 2 {
			t.Errorf("ticks %v", axis)
		}
	}
	// One epoch, and numbers that are all the same, are drawn too.
	one := byEpoch("t", "u", epochs(1), map[string]func(train.Epoch) float64{"training": func(train.Epoch) float64 { return 2 }})
	if p := one.Lines[0].Points[0]; math.IsNaN(p.X+p.Y) || p.X < one.Left || p.X > one.Right {
		t.Errorf("one point at %+v", p)
	}
}

func TestHistogram(t *testing.T) {
	h := NewHistogram([]float32{0, 1, 2, 3, 4, 4, float32(math.Inf(-1)), nan}, 4)
	if fmt.Sprint(h.Counts) != "[1 1 1 3]" || h.Others != 2 || h.Low != 0 || h.High != 4 || math.Abs(h.Mean-14.0/6) > 1e-12 {
		t.Errorf("%+v", h)
	}
	if want := math.Sqrt((46 - 14.0*14/6) / 6); math.Abs(h.Deviation-want) > 1e-12 {
		t.Errorf("deviation %v, want %v", h.Deviation, want)
	}
	for name, values := range map[string][]float32{"none": nil, "alike": {3, 3, 3}, "no number": {nan}} {
		d := bins(name, "weight", NewHistogram(values, 5))
		for _, b := range d.Bars {
			if math.IsNaN(b.X+b.Y+b.Width+b.Height) || b.Height < 0 || b.Width <= 0 {
				t.Errorf("%s: bar %+v", name, b)
			}
		}
		if name == "alike" && len(d.Bars) != 1 {
			t.Errorf("%s: %d bars", name, len(d.Bars))
		}
	}
}
