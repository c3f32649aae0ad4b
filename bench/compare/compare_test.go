package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/bench"
	"github.com/pumice-ml/pumice/compute/devicetest"
)

// TestMain is one of the systems compared where the test binary is started as such.
func TestMain(m *testing.M) {
	if slices.Contains(os.Args, "--system") {
		main()
		return
	}
	os.Exit(m.Run())
}

func compare(args ...string) (string, error) {
	var out bytes.Buffer
	cmd := command(&out)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(context.Background())
	return out.String(), err
}

func TestGonum(t *testing.T) {
	devicetest.Open(t)
	md := filepath.Join(t.TempDir(), "gonum.md")
	out, err := compare("--peer", "gonum", "--rows", "linear/*", "--rounds", "2", "--sample", "1ms", "--device", os.Getenv("PUMICE_ADAPTER"), "--out", md)
	if err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(md)
	if err != nil || string(written) != out {
		t.Errorf("%v: the file is not what was printed:\n%s", err, written)
	}
	for _, want := range []string{"# Pumice and gonum", "Medians of 2 rounds", "| linear/dx |", "GFLOP/s", "Control"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	r, err := bench.ReadReport(strings.TrimSuffix(md, ".md") + ".json")
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Rows) != 7 || r.System.Name != "pumice" || r.Peer.Name != "gonum" || len(r.Rows[6].Samples) != 2 {
		t.Errorf("report %+v", r)
	}
	for i := 0; i < 6; i += 2 {
		ours, peer := r.Rows[i], r.Rows[i+1]
		if ours.Row != peer.Row || ours.System != "pumice" || ours.Peer != "gonum" || !(ours.Ratio > 0) || len(ours.Samples) != 2 || len(peer.Samples) != 2 {
			t.Errorf("rows %+v and %+v", ours, peer)
		}
	}
}

// TestSkipped compares with a system that has only some of the rows.
func TestSkipped(t *testing.T) {
	devicetest.Open(t)
	o := options{rows: "", device: os.Getenv("PUMICE_ADAPTER")}
	ours, err := o.self("pumice")
	if err != nil {
		t.Fatal(err)
	}
	peer, err := o.self("gonum")
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	c := &comparison{ours: ours, peer: peer, sample: 1e6, limit: 1e12, log: &log}
	if err := c.run(context.Background(), groups([]string{"linear/y", "step/mlp"}), 2); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.rows, []string{"linear/y"}) || c.skipped["step/mlp"] == "" || strings.Count(log.String(), "step/mlp") != 1 {
		t.Errorf("rows %v, skipped %v\n%s", c.rows, c.skipped, &log)
	}
}

func TestAgrees(t *testing.T) {
	sums := func(a, b, c float64) line { return line{Row: "r", Sums: &bench.Sums{a, b, c}} }
	loss := func(l float64) line { return line{Row: "r", Loss: &l} }
	for _, c := range []struct {
		a, b line
		want bool
	}{
		{sums(1, 2, 3), sums(1, 2, 3), true}, {sums(1, 2, 3), sums(1, 2.1, 3), false}, {sums(1, 2, 3), line{}, false},
		{loss(2), loss(2.001), true}, {loss(2), loss(2.1), false}, {loss(2), sums(1, 2, 3), false},
	} {
		if err := c.a.agrees(c.b); (err == nil) != c.want {
			t.Errorf("%+v and %+v: %v", c.a, c.b, err)
		}
	}
	if err := sums(1, 2, 3).agrees(sums(9, 2, 3)); !errors.Is(err, bench.ErrNumbers) {
		t.Errorf("error %v", err)
	}
}

func TestFlags(t *testing.T) {
	for args, want := range map[string]string{
		"":                           `--peer "", want tfjs`,
		"--peer caffe":               `--peer "caffe"`,
		"--peer gonum --rounds 0":    "--rounds 0, want 1 or more",
		"--peer gonum --sample 0s":   "--sample 0s",
		"--peer gonum --rows step/*": `--rows "step/*" fits none`,
		"--peer gonum --rows [":      `--rows "["`,
		"--peer gonum --out a.txt":   `--out "a.txt", want a name that ends in .md`,
		"--peer gonum --rows linear/y --device nowhere":                     "no adapter matches",
		"--peer tfjs --rows linear/y --node ./none --rounds 1 --sample 1ms": "./none",
	} {
		if _, err := compare(strings.Fields(args)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("compare %s: error %v, want %q", args, err, want)
		}
	}
}

// TestTyped wants the command that a table names to build and run the same program.
func TestTyped(t *testing.T) {
	tagged := &debug.BuildInfo{Settings: []debug.BuildSetting{{Key: "-compiler", Value: "gc"}, {Key: "-tags", Value: "cogentcore,openblas"}}}
	for _, c := range []struct {
		build   *debug.BuildInfo
		drivers string
		args    []string
		want    string
	}{
		{nil, "", nil, "go run ./bench/compare"},
		{&debug.BuildInfo{}, "", []string{"--rows", "step/*"}, "go run ./bench/compare --rows 'step/*'"},
		{tagged, "", []string{"--peer", "torch"}, "go run -tags cogentcore,openblas ./bench/compare --peer torch"},
		{tagged, "/my drivers/x.json", nil, "VK_DRIVER_FILES='/my drivers/x.json' go run -tags cogentcore,openblas ./bench/compare"},
	} {
		if got := typed(c.build, c.drivers, c.args); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}
