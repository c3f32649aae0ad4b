package main

import (
	"encoding/json"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFailedPage wants a run whose page cannot be written to tell what it gave.
func TestFailedPage(t *testing.T) {
	dir := t.TempDir()
	args := []string{"train", "--device", "reference", "--images", "50", "--batch", "10", "--epochs", "1", "--model", "mlp", "--json", "--out", dir}
	must(t, append(args, "--no-report")...)
	if err := os.Mkdir(filepath.Join(dir, "report.html"), 0o755); err != nil {
		t.Fatal(err)
	}
	out, err := demo(t, append(args, "--resume")...)
	if err == nil || !strings.Contains(err.Error(), "train: report.html: ") {
		t.Errorf("got %v", err)
	}
	if all := lines(t, out); all[len(all)-1]["event"] != "done" || all[len(all)-1]["weights_sha256"] == nil {
		t.Errorf("printed %s", out)
	}
}

// TestRuns trains twice and wants both listed and compared.
func TestRuns(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	must(t, "train", "--device", "reference", "--images", "300", "--epochs", "2", "--model", "mlp", "--lr", "0.01", "--out", a, "--no-report")
	must(t, "train", "--device", "reference", "--images", "300", "--epochs", "1", "--model", "mlp", "--seed", "2", "--out", b)
	out := must(t, "runs", dir)
	for _, want := range []string{a, b, "digits", "mlp", "reference"} {
		if !strings.Contains(out, want) {
			t.Errorf("runs prints\n%s\nwithout %s", out, want)
		}
	}
	drawn := filepath.Join(dir, "both.png")
	out = must(t, "runs", a, b, "--png", drawn)
	for _, want := range []string{"--lr", "0.01", "--seed", "epoch 2 test %", "best test %", "wrote " + drawn} {
		if !strings.Contains(out, want) {
			t.Errorf("runs A B prints\n%s\nwithout %s", out, want)
		}
	}
	if strings.Contains(out, "--batch") {
		t.Errorf("runs A B prints a setting that both have\n%s", out)
	}
	f, err := os.Open(drawn)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := png.Decode(f); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(a, "report.html")); err == nil {
		t.Error("--no-report left a report")
	}
	page, err := os.ReadFile(filepath.Join(b, "report.html"))
	if err != nil || !strings.Contains(string(page), "What the network sees") {
		t.Errorf("report.html: %v", err)
	}
	text, err := os.ReadFile(filepath.Join(b, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		Flags map[string]string
		Seed  int
		Data  struct{ Train, Test int }
	}
	if err := json.Unmarshal(text, &c); err != nil || c.Flags["model"] != "mlp" || c.Seed != 2 || c.Data.Train != 300 || c.Data.Test != 60 {
		t.Errorf("config.json %s: %v", text, err)
	}
	if events, err := filepath.Glob(filepath.Join(b, "events.out.tfevents.*")); err != nil || len(events) != 1 {
		t.Errorf("events %v, %v", events, err)
	}
	if out := must(t, "runs", t.TempDir()); !strings.Contains(out, "no runs in") {
		t.Errorf("runs of nothing prints %q", out)
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no folder": {[]string{"runs", filepath.Join(dir, "none")}, "none"},
		"no run":    {[]string{"runs", a, dir}, dir + " is no run folder"},
		"no place":  {[]string{"runs", a, b, "--png", filepath.Join(dir, "none", "x.png")}, "--png"},
		"no image":  {[]string{"train", "--images", "300", "--report-index", "60", "--out", filepath.Join(dir, "c")}, "--report-index 60, the test set has examples 0 to 59"},
	} {
		if out, err := demo(t, c.args...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q\n%s", name, err, c.want, out)
		}
	}
}
