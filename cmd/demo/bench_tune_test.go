package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/bench"
)

func TestBenchTune(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PUMICE_CACHE", dir)
	path := filepath.Join(dir, "report.json")
	var chosen string
	for _, from := range []string{"measured", "cache"} {
		out := must(t, "bench", "tune", "--op", "matmul", "--sizes", "7", "--json", path)
		r, err := bench.ReadReport(path)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Tuned) != 1 || r.Tuned[0].Row != "matmul/7" || r.Tuned[0].From != from || len(r.Tuned[0].Candidates) < 2 {
			t.Fatalf("%s: tuned %+v", from, r.Tuned)
		}
		c := r.Tuned[0]
		if chosen == "" {
			chosen = c.Variant
		}
		for _, want := range []string{"device: ", "matmul/7: matmul.forward Batch:1 M:7", "\n* " + chosen + " ", chosen + " (" + from + "): " + c.Reason, "cache: " + dir, "wrote " + path} {
			if !strings.Contains(out, want) {
				t.Errorf("%s: no %q in %s", from, want, out)
			}
		}
	}
}

func TestBenchTuneFlags(t *testing.T) {
	for args, want := range map[string]string{
		"--op pool":          `--op "pool", want matmul, conv, linear or all`,
		"--sizes 8,x":        "is no size",
		"--device nowhere":   "no adapter matches",
		"--device reference": "no variants",
		"extra":              "extra",
	} {
		if _, err := demo(t, append([]string{"bench", "tune"}, strings.Fields(args)...)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("bench tune %s: error %v, want %q", args, err, want)
		}
	}
	for op, want := range map[string]int{"matmul": 2, "conv": 12, "linear": 3, "all": 17} {
		if names, err := tunedRows(op, "8,9"); len(names) != want || err != nil {
			t.Errorf("%s: rows %v, %v, want %d", op, names, err, want)
		}
	}
}
