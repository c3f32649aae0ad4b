package search

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train"
	"github.com/pumice-ml/pumice/train/data"
)

func TestRungs(t *testing.T) {
	for _, c := range []struct {
		o    Options
		want []Rung
	}{
		{Options{}, []Rung{{12, 1}, {6, 2}, {3, 4}}},
		{Options{Trials: 27, Epochs: 27, Eta: 3}, []Rung{{27, 1}, {9, 3}, {3, 9}, {1, 27}}},
		{Options{Trials: 4, Epochs: 64}, []Rung{{4, 16}, {2, 32}, {1, 64}}},
		{Options{Trials: 5, Epochs: 5}, []Rung{{5, 1}, {2, 2}, {1, 5}}},
		{Options{Trials: 9, Epochs: 1}, []Rung{{9, 1}}},
		{Options{Trials: 1, Epochs: 7}, []Rung{{1, 7}}},
		{Options{Trials: 6, Epochs: 7, Eta: 1}, []Rung{{6, 7}}},
	} {
		if got, err := c.o.Rungs(); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%+v: rungs %v, %v, want %v", c.o, got, err, c.want)
		}
	}
	for _, o := range []Options{{Trials: -1}, {Epochs: -1}, {Eta: -2}} {
		if _, err := o.Rungs(); err == nil || !strings.Contains(err.Error(), "want 1 or more of each") {
			t.Errorf("%+v: got %v", o, err)
		}
	}
}

// TestRun searches where the score is known: the larger x the better, but trial 2
// diverges at once and trial 5 in the second rung.
func TestRun(t *testing.T) {
	space, err := ParseSpace("x=0..1,kind=a|b")
	if err != nil {
		t.Fatal(err)
	}
	var calls []string
	told := 0
	results, err := Run(context.Background(), space, Options{Trials: 8, Epochs: 4, Seed: 3}, func(_ context.Context, trial Trial, epochs int) (Score, error) {
		calls = append(calls, fmt.Sprintf("%d:%d", trial.Number, epochs))
		if trial.Number == 2 {
			return Score{}, fmt.Errorf("as planned: %w", train.ErrDiverged)
		}
		if trial.Number == 5 {
			if epochs > 1 {
				return Score{Loss: math.NaN()}, nil
			}
			return Score{Accuracy: 2}, nil
		}
		return Score{Accuracy: 0.5, Loss: 1 - trial.Float("x")}, nil
	}, func(int, Result) { told++ })
	if err != nil {
		t.Fatal(err)
	}
	var x []float64
	for i := range 8 {
		if n := i + 1; n != 2 && n != 5 {
			x = append(x, space.Trial(3, n).Float("x"))
		}
	}
	slices.Sort(x)
	slices.Reverse(x)
	for i, want := range x {
		r := results[i]
		// Rungs of 8, 4 and 2, of which the second holds trial 5.
		if epochs := []int{4, 4, 2, 1, 1, 1}[i]; r.Diverged || r.Float("x") != want || r.Epochs != epochs {
			t.Errorf("place %d: %+v, want x=%v after %d epochs", i+1, r, want, epochs)
		}
	}
	for i, want := range []struct{ number, epochs int }{{5, 2}, {2, 1}} {
		if r := results[6+i]; !r.Diverged || r.Number != want.number || r.Epochs != want.epochs {
			t.Errorf("place %d: %+v, want trial %d, diverged in epoch %d", 7+i, r, want.number, want.epochs)
		}
	}
	if len(calls) != 8+4+2 || told != len(calls) {
		t.Errorf("%d trainings %v, %d told, want 14", len(calls), calls, told)
	}
}

func TestRunEnds(t *testing.T) {
	space := Space{{Name: "x", High: 1}}
	broken := errors.New("the device is lost")
	results, err := Run(context.Background(), space, Options{Trials: 3}, func(_ context.Context, trial Trial, _ int) (Score, error) {
		if trial.Number == 2 {
			return Score{}, broken
		}
		return Score{Accuracy: 1}, nil
	})
	if !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "search: trial 2 (x=0.") {
		t.Errorf("got %v", err)
	}
	if len(results) != 3 || results[0].Number != 1 || results[1].Epochs != 0 {
		t.Errorf("results %+v", results)
	}
}

func TestSpace(t *testing.T) {
	space, err := ParseSpace("lr=1e-4..1e-1, drop=0..0.5,decay=uniform:0.1..0.9,optimizer=adam|sgd,batch=32|64|128,model=cnn")
	if err != nil {
		t.Fatal(err)
	}
	const n = 4000
	counts := map[string]int{}
	var lr, drop []float64
	for i := range n {
		trial := space.Trial(7, i)
		if again := space.Trial(7, i); again.String() != trial.String() {
			t.Fatalf("trial %d is %v and %v", i, trial, again)
		}
		for _, d := range space {
			if len(d.Choices) > 0 {
				counts[d.Name+"="+trial.Value(d.Name)]++
			} else if v := trial.Float(d.Name); !(v >= d.Low && v <= d.High) {
				t.Fatalf("%s is %v, want %v to %v", d.Name, v, d.Low, d.High)
			}
		}
		lr, drop = append(lr, trial.Float("lr")), append(drop, trial.Float("drop"))
	}
	// A share of n draws is within 5 standard deviations of its probability.
	near := func(what string, got int, p float64) {
		if off := math.Abs(float64(got) - n*p); off > 5*math.Sqrt(n*p*(1-p)) {
			t.Errorf("%s: %d of %d, want about %v", what, got, n, n*p)
		}
	}
	for _, c := range []struct {
		choice string
		p      float64
	}{{"optimizer=adam", 1. / 2}, {"optimizer=sgd", 1. / 2}, {"batch=32", 1. / 3}, {"batch=64", 1. / 3}, {"batch=128", 1. / 3}} {
		near(c.choice, counts[c.choice], c.p)
	}
	below := func(v []float64, limit float64) (c int) {
		for _, x := range v {
			if x < limit {
				c++
			}
		}
		return c
	}
	near("lr below 1e-3", below(lr, 1e-3), 1./3)
	near("lr below 1e-2", below(lr, 1e-2), 2./3)
	near("drop below 0.1", below(drop, 0.1), 1./5)
	if counts["model=cnn"] != n {
		t.Errorf("%d trials with the only model, want %d", counts["model=cnn"], n)
	}
	if space[0].Log != true || space[1].Log || space[2].Log {
		t.Errorf("scales %+v", space[:3])
	}
	for text, want := range map[string]string{
		"":                  `search: "", want name=low..high or name=one|another`,
		"lr":                `search: "lr", want name=low..high or name=one|another`,
		"lr=":               `search: "lr=", want name=low..high or name=one|another`,
		"lr=1..x":           `search: "lr=1..x", want two numbers with .. between them`,
		"lr=1..0.5":         "search: setting lr: from 1 to 0.5, want a range of finite numbers, the lower one first",
		"lr=0.1..Inf":       "search: setting lr: from 0.1 to +Inf, want a range of finite numbers, the lower one first",
		"lr=NaN..1":         "search: setting lr: from NaN to 1, want a range of finite numbers, the lower one first",
		"a=1|2,a=3|4":       "search: setting a is there twice",
		"a=1||2":            "search: setting a: choice 2 is empty",
		"lr=1e-3..1e-1,,x=": `search: "", want name=low..high or name=one|another`,
	} {
		if _, err := ParseSpace(text); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
	if err := (Space{{Name: "x", Low: -1, High: 1, Log: true}}).Check(); err == nil {
		t.Error("a logarithmic scale from -1 passes")
	}
}

// TestContinues trains one trial by three rungs and in one go: the weights are the same,
// bit for bit.
// TestSpaceNarrow wants numbers of a range that differs from the fifth digit on to differ.
func TestSpaceNarrow(t *testing.T) {
	for _, text := range []string{"x=1..1.0001", "x=1.00001..1.00002", "x=uniform:100..101", "x=-3.0001..-3"} {
		s, err := ParseSpace(text)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for i := range 50 {
			trial := s.Trial(1, i+1)
			if v := trial.Float("x"); !(v >= s[0].Low && v <= s[0].High) {
				t.Errorf("%s: %v is out of range", text, v)
			}
			seen[trial.Value("x")] = true
		}
		if len(seen) < 45 {
			t.Errorf("%s: %d of 50 values differ, want nearly all", text, len(seen))
		}
	}
}

func TestContinues(t *testing.T) {
	ctx := context.Background()
	trainSet, held := data.Digits(data.DigitsOptions{Train: 200, Test: 50})
	build := func(trial Trial) (*train.Loop, error) {
		m := layers.Sequential{layers.Flatten{}, layers.NewLinear(784, 12), layers.ReLU{}, layers.Dropout{P: 0.2}, layers.NewLinear(12, 10)}
		layers.Initialize(m, 3)
		return &train.Loop{
			Model: m, Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &train.AdamW{LR: trial.Float("lr")}, Schedule: train.Linear{},
			Batch: 25, Epochs: 4, Seed: 9,
		}, nil
	}
	trial := Trial{Number: 1, Values: []Value{{"lr", "0.01"}}}
	for _, dev := range []*compute.Device{compute.Reference(), devicetest.Open(t)} {
		t.Run(dev.Info().Backend, func(t *testing.T) {
			devicetest.NoLeaks(t, dev)
			l := &Loops{Device: dev, Build: build, Train: trainSet, Validation: held, Folder: t.TempDir()}
			var score Score
			for _, epochs := range []int{1, 2, 4} {
				var err error
				if score, err = l.Objective(ctx, trial, epochs); err != nil {
					t.Fatal(err)
				}
			}
			whole, err := build(trial)
			if err != nil {
				t.Fatal(err)
			}
			whole.Checkpoint = filepath.Join(t.TempDir(), "whole.safetensors")
			history, err := whole.Run(ctx, dev, trainSet, held)
			for _, p := range layers.Params(whole.Model) {
				dev.Forget(p)
			}
			if err != nil {
				t.Fatal(err)
			}
			if last := history[3]; score != (Score{last.TestAccuracy, last.TestLoss}) {
				t.Errorf("score %+v, want that of %+v", score, last)
			}
			rungs, err := build(trial)
			if err != nil {
				t.Fatal(err)
			}
			if err := train.LoadModel(l.Checkpoint(trial), rungs.Model); err != nil {
				t.Fatal(err)
			}
			got := map[string][]float32{}
			for name, p := range layers.Params(rungs.Model) {
				got[name] = p.Data
			}
			for name, p := range layers.Params(whole.Model) {
				if !slices.Equal(got[name], p.Data) {
					t.Errorf("%s differs from that of a run in one go", name)
				}
			}
		})
	}
}

// TestLoopsEnd tells a loop that diverges, one that is stopped and one that is too short
// from each other.
func TestLoopsEnd(t *testing.T) {
	dev := compute.Reference()
	defer dev.Close()
	trainSet, held := data.Digits(data.DigitsOptions{Train: 40, Test: 10})
	epochs := 2
	l := &Loops{Device: dev, Train: trainSet, Validation: held, Folder: t.TempDir(), Build: func(trial Trial) (*train.Loop, error) {
		m := layers.Sequential{layers.Flatten{}, layers.NewLinear(784, 10)}
		return &train.Loop{Model: m, Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &train.SGD{LR: trial.Float("lr")}, Batch: 20, Epochs: epochs}, nil
	}}
	ctx, stop := context.WithCancel(context.Background())
	if _, err := l.Objective(ctx, Trial{1, []Value{{"lr", "1e38"}}}, 1); !errors.Is(err, train.ErrDiverged) {
		t.Errorf("a loop that diverges: %v", err)
	}
	if _, err := l.Objective(ctx, Trial{2, []Value{{"lr", "0.1"}}}, 3); err == nil || err.Error() != "a loop of 2 epochs, want the 3 of the last rung" {
		t.Errorf("a short loop: %v", err)
	}
	stop()
	if _, err := l.Objective(ctx, Trial{3, []Value{{"lr", "0.1"}}}, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("with a cancelled context: %v", err)
	}
	if left := dev.Ledger(); len(left) > 0 {
		t.Errorf("the device holds %+v", left)
	}
}

func FuzzParseSpace(f *testing.F) {
	f.Add("lr=1e-4..1e-1,batch=32|64,x=uniform:0..1")
	f.Fuzz(func(t *testing.T, text string) {
		space, err := ParseSpace(text)
		if err != nil {
			return
		}
		for i := range 3 {
			trial := space.Trial(1, i)
			for _, d := range space {
				if v := trial.Float(d.Name); len(d.Choices) == 0 && !(v >= d.Low && v <= d.High) {
					t.Errorf("%q: %s is %v", text, d.Name, v)
				}
			}
		}
	})
}
