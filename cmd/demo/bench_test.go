package main

import (
	"encoding/json"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/bench"
	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
)

func TestBench(t *testing.T) {
	dir := t.TempDir()
	curve := filepath.Join(dir, "curve.png")
	adapters, err := compute.Adapters(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, a := range adapters {
		names[a.Name] = true
	}
	systems := len(names) + 2 // the reference device and gonum
	for _, c := range []struct {
		args    string
		rows    int
		kernels bool
	}{
		{"matmul --sizes 5,33", 4, false},
		{"step --model mlp --batch 4", 9, true},
		{"dispatch --count 3", 5, false},
		{"memory --numbers 1000", 4, false},
		{"curve --sizes 4,8 --out " + curve, 2 * systems, false},
		{"curve --sizes 4 --device reference --out " + filepath.Join(dir, "reference.png"), 2, false},
		{"conv", 15, false},
	} {
		t.Run(c.args, func(t *testing.T) {
			if c.args == "conv" && !devicetest.Full() {
				t.Skip("the driver compiles fifteen large kernels: PUMICE_TESTS=full")
			}
			path := filepath.Join(dir, "report.json")
			args := append(strings.Fields("bench "+c.args), "--rounds", "2", "--sample", "1us", "--json", path)
			if out := must(t, args...); !strings.Contains(out, "device: ") || !strings.Contains(out, "wrote "+path) {
				t.Errorf("printed %q", out)
			}
			r, err := bench.ReadReport(path)
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Rows) != c.rows || (len(r.Kernels) > 0) != c.kernels || r.Rounds != 2 || !strings.HasPrefix(r.Command, "demo bench "+strings.Fields(c.args)[0]+" --") {
				t.Errorf("%d rows, %d kernels, %d rounds of %q", len(r.Rows), len(r.Kernels), r.Rounds, r.Command)
			}
		})
	}
	f, err := os.Open(curve)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := png.DecodeConfig(f); err != nil {
		t.Error(err)
	}
	if csv, err := os.ReadFile(filepath.Join(dir, "curve.csv")); err != nil || strings.Count(string(csv), "\n") != 1+2*systems {
		t.Errorf("curve.csv: %v, %q", err, csv)
	}
}

func TestBenchStdout(t *testing.T) {
	var r bench.Report
	out := must(t, "bench", "matmul", "--sizes", "3", "--rounds", "1", "--sample", "1us", "--json", "-")
	if err := json.Unmarshal([]byte(out), &r); err != nil || r.Schema != bench.Schema {
		t.Errorf("%v: %q", err, out)
	}
}

func TestBenchFlags(t *testing.T) {
	for args, want := range map[string]string{
		"matmul --sizes 8,x":      `--sizes "8,x": "x" is no size`,
		"matmul --sizes 0":        "is no size",
		"matmul --rounds 0":       "--rounds 0, want 1 or more",
		"matmul --sample -1s":     "--sample -1s",
		"matmul --device nowhere": "no adapter matches",
		"step --model vgg":        `model "vgg", want mlp or cnn`,
		"step --batch 0":          "--batch 0, want 1 or more",
		"dispatch --count 0":      "0 dispatches",
		"memory --numbers 0":      "--numbers 0, want 1 or more",
		"curve --out a.jpg":       `--out "a.jpg", want a name that ends in .png`,
		"matmul extra":            "extra",
		"nothing":                 "nothing",
	} {
		if _, err := demo(t, append([]string{"bench"}, strings.Fields(args)...)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("bench %s: error %v, want %q", args, err, want)
		}
	}
}
