package main

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/pumice-ml/pumice/train/search"
)

func TestFindRate(t *testing.T) {
	dir := t.TempDir()
	out := must(t, "find-rate", "--images", "500", "--model", "mlp", "--steps", "60", "--out", dir)
	if !strings.Contains(out, "suggestion: --lr ") {
		t.Errorf("find-rate prints %q", out)
	}
	if n := count(readPNG(t, filepath.Join(dir, "find-rate.png")), orange); n < 100 {
		t.Errorf("%d pixels of the suggestion's colour", n)
	}
	if out := must(t, "find-rate", "--images", "500", "--model", "mlp", "--steps", "10", "--high", "1.01e-6", "--optimizer", "sgd", "--device", "reference", "--out", dir); !strings.Contains(out, "10 of 10 steps, all of them") {
		t.Errorf("find-rate prints %q", out)
	}
	for want, args := range map[string][]string{
		"train: FindRate: rates from 1 to 1, want a range":       {"--low", "1", "--high", "1"},
		"train: FindRate: 3 steps, want 10 or more":              {"--steps", "3"},
		`train: optimizer "lion", want sgd, adam`:                {"--optimizer", "lion"},
		"batch of 5000 examples, want 1 to 500, the size of the": {"--batch", "5000"},
	} {
		if _, err := demo(t, append([]string{"find-rate", "--images", "500", "--out", dir}, args...)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("find-rate %v: got %v, want %s", args, err, want)
		}
	}
}

// TestSearchNext wants the command for the best trial to be one that a shell and train
// take.
func TestSearchNext(t *testing.T) {
	f := pflag.NewFlagSet("search", pflag.ContinueOnError)
	f.Bool("normalize", false, "")
	f.String("data", "", "")
	f.String("lr", "", "")
	if err := f.Parse([]string{"--normalize", "--data", "a folder/it's", "--lr", "1"}); err != nil {
		t.Fatal(err)
	}
	o := searchOptions{trainOptions: trainOptions{epochs: 4}}
	f.Visit(func(f *pflag.Flag) { o.onLine = append(o.onLine, f) })
	got := o.next(search.Trial{Values: []search.Value{{Name: "lr", Value: "1e-3"}}})
	if want := `demo train --epochs=4 --lr=1e-3 '--data=a folder/it'\''s' --normalize=true`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestFewDocuments wants what suits the text that comes with Pumice in a search, and where
// a rate is looked for, as in train.
func TestFewDocuments(t *testing.T) {
	var o searchOptions
	o.data, o.epochs = "text", 4
	one, loop, err := o.trial(search.Trial{})
	if err != nil || loop.Batch != 20 || loop.Optimizer.LearningRate() != 0.01 || one.epochs != 4 {
		t.Errorf("a trial of %+v, %v", loop, err)
	}
	if _, loop, err = o.trial(search.Trial{Values: []search.Value{{Name: "batch", Value: "7"}, {Name: "lr", Value: "0.5"}}}); err != nil || loop.Batch != 7 || loop.Optimizer.LearningRate() != 0.5 {
		t.Errorf("a trial of %+v, %v", loop, err)
	}
	if out := must(t, "find-rate", "--data", "text", "--steps", "10", "--device", "reference", "--out", t.TempDir()); !strings.Contains(out, "in batches of 20\n") {
		t.Errorf("find-rate prints %q", out)
	}
}

func TestSearch(t *testing.T) {
	dir := t.TempDir()
	args := []string{"search", "--images", "300", "--model", "mlp", "--trials", "4", "--epochs", "2", "--device", "reference", "--space", "lr=1e-3|1e-2|1e30,batch=25|50,optimizer=sgd"}
	out := must(t, append(args, "--out", dir, "--seed", "4")...)
	for _, want := range []string{
		"250 images to train on, 50 to judge by", "rung 1 of 2: 4 trials, until each has had 1 epochs", "rung 2 of 2: 2 trials, until each has had 2 epochs",
		"diverged", "next: demo train --epochs=2 --lr=1e-",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("search prints no %q:\n%s", want, out)
		}
	}
	first, err := os.ReadFile(filepath.Join(dir, "search.csv"))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(string(first))).ReadAll()
	if err != nil || len(rows) != 5 || !slices.Equal(rows[0], []string{"place", "trial", "lr", "batch", "optimizer", "epochs", "validation_loss", "validation_accuracy", "diverged"}) {
		t.Fatalf("search.csv: %v, %v", rows, err)
	}
	if rows[1][5] != "2" || rows[1][8] != "false" || rows[4][2] != "1e30" || rows[4][8] != "true" || rows[4][6] != "" {
		t.Errorf("search.csv: %v, want one that was trained longest first, and the rate that diverges last", rows)
	}
	must(t, append(args, "--out", dir, "--seed", "4")...)
	if again, err := os.ReadFile(filepath.Join(dir, "search.csv")); err != nil || string(again) != string(first) {
		t.Errorf("the same search again: %v\n%s, want\n%s", err, again, first)
	}
	if _, err := demo(t, append(args, "--out", dir, "--space", "lr=1e30")...); err == nil || !strings.Contains(err.Error(), "every trial diverged") {
		t.Errorf("a search that diverges: %v", err)
	}
	for want, space := range map[string]string{
		`--space: search: "lr", want name=low..high or name=one|another`:       "lr",
		`--space: train has no setting "rate", it has `:                        "rate=1..2",
		"--space: epochs are what successive halving chooses":                  "epochs=1|2",
		`--space: batch=x: invalid argument "x" for "--batch" flag`:            "lr=1e-3..1,batch=32|x",
		`train: optimizer "lion", want sgd, adam`:                              "optimizer=sgd|lion",
		"--space: batch=251: a batch of 251, there are 250 images to train on": "batch=251",
		"--space: lr=-1: learning rate -1, want a positive number":             "lr=-1",
		"--space: split is of the data set, which is read once":                "lr=1e-3,split=0.1|0.2",
		"--space: features is of the data set":                                 "features=ids|counts",
	} {
		if _, err := demo(t, append(args, "--out", dir, "--space", space)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("--space %s: got %v, want %s", space, err, want)
		}
	}
}
