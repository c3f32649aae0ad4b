package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestConform(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.json"), filepath.Join(dir, "b.json")
	html, junit := filepath.Join(dir, "a.html"), filepath.Join(dir, "a.xml")
	out := must(t, "conform", "--kernel", "leaky_relu.*", "--passes=false", "--variants=false", "--json", a, "--html", html, "--junit", junit)
	if !strings.Contains(out, "leaky_relu.backward") || !strings.Contains(out, ": 0 illegal") {
		t.Errorf("conform prints %q", out)
	}
	for line := range strings.Lines(out) {
		if strings.Contains(line, ".forward") && !strings.Contains(line, "leaky_relu") {
			t.Errorf("conform prints %q, want runs with leaky_relu alone", line)
		}
	}
	for _, path := range []string{a, html, junit} {
		if info, err := os.Stat(path); err != nil || info.Size() < 1000 {
			t.Errorf("%s: %v", path, err)
		}
	}
	must(t, "conform", "--kernel", "leaky_relu.*", "--passes=false", "--variants=false", "--limits", "default", "--json", b)
	if out := must(t, "conform", "diff", a, b); !strings.Contains(out, "limit StorageBuffersPerStage") || strings.Contains(out, "!") {
		t.Errorf("diff prints %q", out)
	}
	if out := must(t, "conform", "--case", "linear/rows=2,in=5,out=3/cancel/seed=9"); !strings.Contains(out, "1 cases") {
		t.Errorf("one case: %q", out)
	}
	state := filepath.Join(dir, "state.json")
	measure := []string{"conform", "--functions", "--kernel", "builtins.root", "--state", state}
	first := must(t, measure...)
	if again := must(t, measure...); !strings.Contains(first, "sqrt (built in)") || again != first {
		t.Errorf("functions: %q, then from the file %q", first, again)
	}
	if _, err := demo(t, "conform", "--exhaustive", "--kernel", "builtins.root", "--state", state); err == nil || !strings.Contains(err.Error(), "every 100 inputs") {
		t.Errorf("another run's state: got %v", err)
	}
	for want, args := range map[string][]string{
		"--device reference":       {"--device", "reference"},
		`matches no kernel`:        {"--kernel", "lion.*", "--passes=false", "--variants=false", "--f16=false"},
		`no op "lion"`:             {"--case", "lion/n=1/uniform/seed=1"},
		"syntax error in pattern":  {"--kernel", "["},
		"no adapter matches":       {"--device", "quantum"},
		"missing.json":             {"diff", a, filepath.Join(dir, "missing.json")},
		"expectations":             {"--expect", filepath.Join(dir, "missing.json")},
		"none/a.json: there is no": {"--kernel", "fill.*", "--passes=false", "--json", filepath.Join(dir, "none", "a.json")},
	} {
		if out, err := demo(t, append([]string{"conform"}, args...)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v, want an error with %q\n%s", args, err, want, out)
		}
	}
}
