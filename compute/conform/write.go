package conform

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// WriteTable writes a line for each kernel and for each case that is illegal, for
// people.
func (r *Report) WriteTable(w io.Writer) error {
	f := r.Fingerprint
	fmt.Fprintf(w, "%s (%s, %s), driver %s\n%s on %s, Pumice %s, seed %d\n\n", f.Adapter, f.Backend, f.Type, orDash(f.Driver), f.Binding, f.System, f.Library, r.Seed)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "kernel\telements\trounded\twithin\tillegal\tworst\tULP\t")
	for _, k := range r.Kernels {
		share, ulp := "-", "-"
		if k.Worst != nil {
			share, ulp = percent(k.Worst.Share), short(k.Worst.ULP)
		}
		fmt.Fprintf(t, "%s\t%d\t%s\t%d\t%d\t%s\t%s\t\n", k.Name, k.Elements, percent(Number(float64(k.Correct)/max(float64(k.Elements), 1))), k.Within, k.Illegal, share, ulp)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w, "\nworst: how much of what is legal the worst element is off by; ULP: the same in units in its last place")
	for _, c := range r.Bad() {
		fmt.Fprintf(w, "\n%s: %s\n", c.Verdict, c.Name)
		for _, line := range c.lines() {
			fmt.Fprintln(w, "  "+line)
		}
	}
	for _, d := range r.Drifts {
		fmt.Fprintln(w, "\n"+d.String())
	}
	for _, k := range r.Kernels {
		if k.Unusual() {
			fmt.Fprintf(w, "\nunusual: %s is off by %s of what is legal, on other adapters by at most %s\n", k.Name, percent(k.Worst.Share), percent(k.Practical))
		}
	}
	for _, u := range r.Unmet {
		fmt.Fprintln(w, "\nexpectation", u)
	}
	_, err := fmt.Fprintf(w, "\n%s\n", r.Summary())
	return err
}

// Summary is the report in a line.
func (r *Report) Summary() string {
	var elements int64
	for _, k := range r.Kernels {
		elements += k.Elements
	}
	s := fmt.Sprintf("%d cases, %d kernels, %d elements in %.1f s: %d illegal", len(r.Cases), len(r.Kernels), elements, r.Seconds, r.Count(Illegal))
	if n := r.Count(Failed); n > 0 {
		s += fmt.Sprintf(", %d could not be run", n)
	}
	if n := r.Count(Expected); n > 0 {
		s += fmt.Sprintf(", %d expected to be", n)
	}
	return s
}

// lines say what is wrong with a case.
func (r *Result) lines() (lines []string) {
	if r.Error != "" {
		lines = append(lines, r.Error)
	}
	for _, c := range r.Checks {
		if c.Illegal == 0 {
			continue
		}
		line := fmt.Sprintf("dispatch %d, %s %s: %s: %d of %d elements illegal", c.Dispatch, c.Kernel, c.Params, c.Tensor, c.Illegal, c.Elements)
		if c.Beyond {
			line += ", and something behind the end was written"
		}
		lines = append(lines, line)
		if c.Worst != nil && c.Worst.Share > 1 {
			lines = append(lines, "  worst "+c.Worst.String())
		}
	}
	for _, d := range r.Differences {
		lines = append(lines, "two runs differ: "+d)
	}
	return lines
}

func (e *Element) String() string {
	s := fmt.Sprintf("[%d]: got %v, want %v, legal from %v to %v, off by %s ULP", e.Index, e.Got, e.Want, e.Low, e.High, short(e.ULP))
	for _, in := range e.Inputs {
		s += fmt.Sprintf(", %s %v", in.Name, in.Value)
	}
	return s
}

func (d Drift) String() string {
	s := fmt.Sprintf("training of %s, %d steps, loss %s to %s: off by at most %s, in step %d, of %s", d.Name, d.Steps, short(d.First), short(d.Last), short(d.Worst), d.Step, short(Number(d.Band)))
	if !d.OK() {
		s += ": TOO FAR"
	}
	return s
}

func (n Number) String() string { return fmt.Sprintf("%.9g", float64(n)) }

func short(n Number) string { return fmt.Sprintf("%.3g", float64(n)) }

func percent(n Number) string { return fmt.Sprintf("%.1f%%", 100*float64(n)) }

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// WriteJUnit writes the report as JUnit XML, a test case for each case.
func (r *Report) WriteJUnit(w io.Writer) error {
	type failure struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
	type testcase struct {
		Name    string   `xml:"name,attr"`
		Class   string   `xml:"classname,attr"`
		Seconds string   `xml:"time,attr"`
		Failure *failure `xml:"failure,omitempty"`
		Error   *failure `xml:"error,omitempty"`
		Skipped *failure `xml:"skipped,omitempty"`
	}
	type testsuite struct {
		XMLName  xml.Name   `xml:"testsuite"`
		Name     string     `xml:"name,attr"`
		Tests    int        `xml:"tests,attr"`
		Failures int        `xml:"failures,attr"`
		Errors   int        `xml:"errors,attr"`
		Skipped  int        `xml:"skipped,attr"`
		Seconds  string     `xml:"time,attr"`
		Cases    []testcase `xml:"testcase"`
	}
	s := testsuite{
		Name: "conformance of " + r.Fingerprint.Adapter, Tests: len(r.Cases), Failures: r.Count(Illegal), Errors: r.Count(Failed),
		Skipped: r.Count(Expected), Seconds: fmt.Sprintf("%.3f", r.Seconds),
	}
	for _, c := range r.Cases {
		op, _, _ := strings.Cut(c.Name, "/")
		t := testcase{Name: c.Name, Class: "conform." + op, Seconds: fmt.Sprintf("%.3f", c.Seconds)}
		f := &failure{Message: string(c.Verdict), Text: strings.Join(c.lines(), "\n")}
		switch c.Verdict {
		case Illegal:
			t.Failure = f
		case Failed:
			t.Error = f
		case Expected:
			f.Message = c.Reason
			t.Skipped = f
		}
		s.Cases = append(s.Cases, t)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", " ")
	return e.Encode(s)
}
