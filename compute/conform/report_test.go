package conform_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pumice-ml/pumice/compute/conform"
	"github.com/pumice-ml/pumice/compute/devicetest"
)

func TestExpectations(t *testing.T) {
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	read := func(text string) (*conform.Expectations, error) {
		file := filepath.Join(t.TempDir(), "expect.json")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return conform.ReadExpectations(file, now)
	}
	adapter := devicetest.Open(t).Info().Name
	e, err := read(`[
		{"Adapter": "` + adapter + `", "Case": "scale.rough/*/*/*", "Reason": "rough", "Link": "https://example.com/1", "Expires": "2026-06-01"},
		{"Adapter": "` + adapter + `", "Case": "scale.forward/*/*/*", "Reason": "mended", "Link": "https://example.com/2", "Expires": "2027-01-01"},
		{"Adapter": "` + adapter + `", "Case": "scale.short/*/*/*", "Reason": "late", "Link": "https://example.com/3", "Expires": "2026-05-31"},
		{"Adapter": "another", "Case": "scale.over/*/*/*", "Reason": "elsewhere", "Link": "https://example.com/4", "Expires": "2027-01-01"}]`)
	if err != nil {
		t.Fatal(err)
	}
	r := run(t, conform.Options{Expected: e}, conform.KernelOp(right), conform.KernelOp(wrong["rough"]), conform.KernelOp(wrong["short"]), conform.KernelOp(wrong["over"]))
	for _, c := range r.Cases {
		rough := strings.HasPrefix(c.Name, "scale.rough/")
		if (c.Verdict == conform.Expected) && (!rough || !strings.Contains(c.Reason, "rough (https://example.com/1)")) || rough && c.Verdict == conform.Illegal {
			t.Errorf("%s: %s %s", c.Name, c.Verdict, c.Reason)
		}
	}
	if unmet := strings.Join(r.Unmet, "\n"); len(r.Unmet) != 2 || !strings.Contains(unmet, "not needed any more: mended") || !strings.Contains(unmet, "expired on 2026-05-31: late") {
		t.Errorf("unmet: %q", r.Unmet)
	}
	for text, want := range map[string]string{
		"{": "unexpected", `[{"Adapter": "x"}]`: "entry 0",
		`[{"Adapter": "x", "Case": "y", "Reason": "z", "Link": "l", "Expires": "soon"}]`:       "want a day",
		`[{"Adapter": "x", "Case": "[", "Reason": "z", "Link": "l", "Expires": "2027-01-01"}]`: "pattern",
	} {
		if _, err := read(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}

// TestReports writes a report that has everything in every form, and reads it again.
func TestReports(t *testing.T) {
	r := run(t, conform.Options{}, conform.KernelOp(right), conform.KernelOp(wrong["rough"]), conform.KernelOp(broken))
	file := filepath.Join(t.TempDir(), "r.json")
	written := map[string]string{}
	for name, write := range map[string]func(io.Writer) error{"json": r.WriteJSON, "junit": r.WriteJUnit, "html": r.WriteHTML, "table": r.WriteTable} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		written[name] = b.String()
	}
	if err := os.WriteFile(file, []byte(written["json"]), 0o644); err != nil {
		t.Fatal(err)
	}
	again, err := conform.ReadReport(file)
	if err != nil {
		t.Fatal(err)
	}
	if changes := conform.Diff(r, again); len(changes) > 0 || again.Summary() != r.Summary() || len(again.Fingerprint.Shaders) < 30 {
		t.Errorf("read again: %v, %s", changes, again.Summary())
	}
	var suite struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Errors   int `xml:"errors,attr"`
		Cases    []struct {
			Failure *struct{} `xml:"failure"`
		} `xml:"testcase"`
	}
	if err := xml.Unmarshal([]byte(written["junit"]), &suite); err != nil || suite.Tests != len(r.Cases) || suite.Failures != r.Count(conform.Illegal) || suite.Errors != r.Count(conform.Failed) || len(suite.Cases) != suite.Tests {
		t.Errorf("JUnit: %v, %d tests, %d failures, %d errors; %s", err, suite.Tests, suite.Failures, suite.Errors, r.Summary())
	}
	for _, name := range []string{"html", "table"} {
		for _, want := range []string{"scale.forward", "scale.rough", r.Fingerprint.Adapter, "illegal"} {
			if !strings.Contains(written[name], want) {
				t.Errorf("%s has no %q", name, want)
			}
		}
	}
	for _, link := range []string{"http://", "https://", "src=", "@import"} {
		if strings.Contains(written["html"], link) {
			t.Errorf("the page refers to something else: %s", link)
		}
	}
	better := run(t, conform.Options{}, conform.KernelOp(right))
	better.Fingerprint.Driver = "2.0"
	better.Cases[0].Verdict = conform.Illegal
	var b bytes.Buffer
	if err := conform.WriteDiff(&b, conform.Diff(r, better)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"  driver: ", "-> 2.0", "! " + better.Cases[0].Name + ": ", "illegal -> not run"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the difference has no %q:\n%s", want, b.String())
		}
	}
	for text, want := range map[string]string{"{}": `schema ""`, "[": "unexpected", `{"Schema": "pumice.conform.9"}`: "pumice.conform.9"} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := conform.ReadReport(file); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), file) {
			t.Errorf("report %q: got %v, want %q", text, err, want)
		}
	}
}

func TestNumber(t *testing.T) {
	for _, text := range []string{"1.5", `"NaN"`, `"+Inf"`, `"-Inf"`, "-0", "1e-45"} {
		var n conform.Number
		if err := json.Unmarshal([]byte(text), &n); err != nil {
			t.Fatal(err)
		}
		if b, err := json.Marshal(n); err != nil || string(b) != text {
			t.Errorf("%s becomes %s, %v", text, b, err)
		}
	}
}

// TestPractice wants what is unusual to be told apart from what is illegal.
func TestPractice(t *testing.T) {
	r := run(t, conform.Options{}, conform.KernelOp(right))
	p := conform.Practise(r, r)
	share := p.Shares["scale.forward"]
	if len(p.Adapters) != 2 || !strings.Contains(p.Adapters[0], r.Fingerprint.Adapter) || share < r.Kernels[0].Worst.Share || share == 0 {
		t.Errorf("%+v", p)
	}
	k := r.Kernels[0]
	for practical, want := range map[conform.Number]bool{0: false, share: false, k.Worst.Share - 0.05: false, k.Worst.Share - 0.2: true} {
		if k.Practical = practical; k.Unusual() != want {
			t.Errorf("worst %v, in practice %v: unusual %v, want %v", k.Worst.Share, practical, !want, want)
		}
	}
	k.Worst.Share, k.Practical = 1.5, 0.1
	if k.Unusual() {
		t.Error("what is illegal is called unusual")
	}
}
