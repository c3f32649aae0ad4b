// Package search looks for good settings of a training run: trials with settings drawn
// at random, of which successive halving trains the better ones longer.
//
//	space, err := search.ParseSpace("lr=1e-4..1e-1,batch=32|64|128")
//	results, err := search.Run(ctx, space, search.Options{Trials: 12, Epochs: 4}, trial)
//	fmt.Println(results[0].Trial)
//
// Trial is an [Objective]: it trains to a number of epochs and tells how good that is on
// a validation set. [Loops] makes one of training loops.
package search

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/pumice-ml/pumice/train"
)

// Options of a search.
type Options struct {
	Trials int // default 12
	Epochs int // of the trials that are trained longest; default 4
	// Eta is how many times fewer trials each rung has than the one before, and how
	// many times longer it trains them; default 2. 1 trains all trials for all epochs:
	// plain random search.
	Eta  int
	Seed uint64 // of the settings
}

// Rung is a stage of successive halving: so many trials are trained until each has had
// so many epochs.
type Rung struct{ Trials, Epochs int }

// withDefaults checks the options.
func (o Options) withDefaults() (Options, error) {
	o.Trials, o.Epochs, o.Eta = cmp.Or(o.Trials, 12), cmp.Or(o.Epochs, 4), cmp.Or(o.Eta, 2)
	if o.Trials < 1 || o.Epochs < 1 || o.Eta < 1 {
		return o, fmt.Errorf("search: %d trials of %d epochs, eta %d, want 1 or more of each", o.Trials, o.Epochs, o.Eta)
	}
	return o, nil
}

// Rungs are the stages of successive halving (Jamieson and Talwalkar 2016, "Non-stochastic
// Best Arm Identification and Hyperparameter Optimization"): with n trials, E epochs
// and eta, rung k = 0 ... s has
//
//	floor(n / eta^k) trials, until each has had floor(E / eta^(s-k)) epochs
//
// where s is the most for which both are 1 or more. The best of a rung are those of the
// next one. An error says which option is out of range.
func (o Options) Rungs() ([]Rung, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if o.Eta == 1 {
		return []Rung{{o.Trials, o.Epochs}}, nil
	}
	var rungs []Rung
	for n, e := o.Trials, o.Epochs; n >= 1 && e >= 1; n, e = n/o.Eta, e/o.Eta {
		rungs = append(rungs, Rung{Trials: n})
	}
	e := o.Epochs
	for k := range slices.Backward(rungs) {
		rungs[k].Epochs = e
		e /= o.Eta
	}
	return rungs, nil
}

// Score is how good a trial is: of two, the one with the higher accuracy, or, of equal
// ones, with the lower loss.
type Score struct{ Accuracy, Loss float64 }

// Objective trains a trial until it has had so many epochs in all, going on from where
// the last call for it ended, and returns its score. Where the error wraps
// train.ErrDiverged the trial is ranked last; another one ends the search.
type Objective func(ctx context.Context, trial Trial, epochs int) (Score, error)

// Result is a trial with its last score.
type Result struct {
	Trial
	Score
	Epochs   int  // that it was trained for; those of the last rung where it diverged
	Diverged bool // and has no score
}

// Run searches. It calls the objective one trial at a time and returns all trials, the
// best first: those that were trained longer before others, then by score, and those that
// diverged last. Progress, if there is one, is called after each training. The same
// space, options and scores give the same results. An error of the objective ends the
// search; the results until then come with it.
func Run(ctx context.Context, space Space, o Options, objective Objective, progress ...func(rung int, r Result)) ([]Result, error) {
	rungs, err := o.Rungs()
	if err != nil {
		return nil, err
	}
	if err := space.Check(); err != nil {
		return nil, err
	}
	all := make([]Result, rungs[0].Trials)
	for i := range all {
		all[i] = Result{Trial: space.Trial(o.Seed, i+1)}
	}
	for k, rung := range rungs {
		for i := range min(rung.Trials, len(all)) {
			r := &all[i]
			if r.Diverged {
				continue
			}
			score, err := objective(ctx, r.Trial, rung.Epochs)
			switch {
			case err == nil && !math.IsNaN(score.Accuracy) && !math.IsNaN(score.Loss):
				r.Score, r.Epochs = score, rung.Epochs
			case err == nil || errors.Is(err, train.ErrDiverged):
				r.Score, r.Epochs, r.Diverged = Score{}, rung.Epochs, true
			default:
				slices.SortStableFunc(all, better)
				return all, fmt.Errorf("search: trial %d (%v): %w", r.Number, r.Trial, err)
			}
			for _, p := range progress {
				p(k, *r)
			}
		}
		slices.SortStableFunc(all, better)
	}
	return all, nil
}

// better orders results, the best first.
func better(a, b Result) int {
	diverged := func(r Result) int {
		if r.Diverged {
			return 1
		}
		return 0
	}
	return cmp.Or(
		diverged(a)-diverged(b), b.Epochs-a.Epochs, cmp.Compare(b.Accuracy, a.Accuracy), cmp.Compare(a.Loss, b.Loss), a.Number-b.Number,
	)
}
