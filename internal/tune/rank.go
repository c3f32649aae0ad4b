package tune

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"time"

	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/internal/judge"
)

// contender is a candidate while it is measured.
type contender struct {
	Candidate
	suits   bool // by rule
	list    []ir.Dispatch
	trial   *trial
	first   time.Duration
	took    time.Duration // by the last sample
	samples []time.Duration
}

// race is the measuring of a class's candidates.
type race struct {
	dev        *Device
	stand      *stand
	contenders []*contender
	spent      time.Duration
	best       *contender // by the first samples
	zeroed     func(list []ir.Dispatch) []ir.Dispatch
}

const (
	// tuneBudget is how long the candidates of a class are sampled. First runs, in which
	// drivers compile, and those that say how many fill a sample come on top.
	tuneBudget = 300 * time.Millisecond
	// tuneRounds is how many samples of each are enough, and tuneFewest how many are too
	// few to say more than the rules do.
	tuneRounds, tuneFewest = 9, 3
	// slowest is how many times the best first sample another one's may be at most.
	slowest = 2
	// longestTried is the longest run of the best one with which those are tried that suit the
	// device by no rule: they may take fifty times as long, and a second is the most
	// that a GPU may be busy on some systems.
	longestTried = 20 * time.Millisecond
)

// rank measures the candidates for a choice, and makes it. It reports whether anything
// could be measured.
func (d *Device) rank(c *Choice, all Candidates, suit int) (sure bool, err error) {
	r := &race{dev: d, zeroed: all.Zeroed}
	if r.stand, err = d.newStand(); err != nil {
		return false, err
	}
	defer r.close()
	limits, err := d.ceilings(r.stand)
	if err != nil {
		return false, err
	}
	for i, list := range all.Lists {
		x := &contender{Candidate: Candidate{Variant: all.Names[i]}, suits: i < suit, list: list}
		if w, err := d.works(list); err != nil {
			x.Left = err.Error()
		} else {
			x.Floor = limits.floor(w)
		}
		r.contenders = append(r.contenders, x)
	}
	if err := r.first(); err != nil {
		return false, err
	}
	if err := r.rounds(); err != nil {
		return false, err
	}
	for _, x := range r.contenders {
		x.sum()
		c.Candidates = append(c.Candidates, x.Candidate)
	}
	c.Variant, c.Reason, sure = decide(c.Candidates)
	return sure, nil
}

func (r *race) close() {
	for _, x := range r.contenders {
		if x.trial != nil {
			x.trial.close()
		}
	}
	r.stand.close()
}

// first takes a sample of each candidate: of the first one, then of the others, those
// that could be the fastest first. It leaves out those that cannot win even at the
// ceilings, those that compute wrong numbers, those for which half the budget is not
// enough, and those that are far behind.
func (r *race) first() error {
	cannot := func(x *contender) bool {
		// Ceilings that the best one broke through say nothing.
		if b := r.best; x.Left == "" && b != nil && x.Floor > b.first && b.Floor <= b.first {
			x.Left = fmt.Sprintf("takes %v at the adapter's ceilings, %s %v", round(x.Floor), b.Variant, round(b.first))
		}
		return x.Left != ""
	}
	for _, part := range [][]*contender{r.contenders[:1], r.contenders[1:]} {
		part = slices.DeleteFunc(slices.Clone(part), cannot)
		slices.SortStableFunc(part, func(a, b *contender) int { return int(a.Floor - b.Floor) })
		if err := r.dev.leaveOutWrong(part); err != nil {
			return err
		}
		for _, x := range part {
			if cannot(x) {
				continue
			}
			if r.spent > tuneBudget/2 {
				x.Left = "no time was left to measure it"
				continue
			}
			if r.best != nil && r.best.first > longestTried && !x.suits {
				x.Left = fmt.Sprintf("is not for this kind of adapter, and not tried where %s takes %v", r.best.Variant, round(r.best.first))
				continue
			}
			t, err := r.sample(x)
			if err != nil {
				return err
			}
			if x.Left != "" {
				continue
			}
			x.first = t
			if r.best == nil || t < r.best.first {
				r.best = x
			}
		}
	}
	for _, x := range r.contenders[1:] { // the first one is what the others are compared with
		behind := func() bool { return x.Left == "" && x.first > slowest*r.best.first }
		if behind() && x.took < 5*sampleTime { // which may be bad luck
			t, err := r.sample(x)
			if err != nil {
				return err
			}
			x.first = min(x.first, t)
		}
		if behind() {
			x.Left = fmt.Sprintf("took %v at first, %s %v", round(x.first), r.best.Variant, round(r.best.first))
		}
	}
	return nil
}

// sample takes a sample of x, or leaves x out where that fails. The error is of a device
// with which nothing more can be done.
func (r *race) sample(x *contender) (t time.Duration, err error) {
	if x.trial == nil {
		x.trial, err = r.stand.start(x.Variant, r.zeroed(x.list))
	}
	if err == nil {
		t, x.took, err = x.trial.sample()
		r.spent += x.took
	}
	if err != nil {
		x.Left = err.Error()
	}
	return t, hard(err)
}

// leaveOutWrong leaves out candidates that compute wrong numbers.
func (d *Device) leaveOutWrong(contenders []*contender) error {
	var all []ir.Dispatch
	for _, x := range contenders {
		all = append(all, x.list...)
	}
	wrong, err := d.Wrong(all)
	if err != nil {
		return err
	}
	for _, x := range contenders {
		if one, reason := judge.Refused(x.list, wrong); one != nil {
			x.Left = "computes wrong numbers: " + reason
			if x.Variant != ir.Plain {
				d.Warn(one.Name(), x.Variant, reason)
			}
		}
	}
	return nil
}

// rounds samples those that are left in turn, until there are enough samples or the
// budget is spent.
func (r *race) rounds() error {
	in := slices.DeleteFunc(slices.Clone(r.contenders), func(x *contender) bool { return x.Left != "" })
	for range tuneRounds {
		for _, x := range in {
			if len(in) < 2 || r.spent > tuneBudget || x.Left != "" {
				continue
			}
			t, err := r.sample(x)
			if err != nil {
				return err
			}
			if x.Left == "" {
				x.samples = append(x.samples, t)
			}
		}
	}
	return nil
}

// sum sums up x's samples: those of the rounds, or else the first one.
func (x *contender) sum() {
	if len(x.samples) == 0 && x.first > 0 {
		x.samples = []time.Duration{x.first}
	}
	n := len(x.samples)
	if n == 0 {
		return
	}
	slices.Sort(x.samples)
	x.Samples, x.Least, x.Most = n, x.samples[0], x.samples[n-1]
	x.Median = (x.samples[(n-1)/2] + x.samples[n/2]) / 2
}

// decide takes the candidate of the least median, unless there are too few samples, or
// that is no less than what the first one has reached: what is not clearly faster is not
// worth other bits. It reports whether there was one.
func decide(all []Candidate) (variant, reason string, sure bool) {
	best := -1
	for i, x := range all {
		if x.Left == "" && x.Samples > 0 && (best < 0 || x.Median < all[best].Median) {
			best = i
		}
	}
	switch first := all[0]; {
	case best < 0:
		return first.Variant, "none could be measured", false
	case best == 0:
		return first.Variant, "the fastest, and the device's own choice", true
	case first.Left == "" && min(first.Samples, all[best].Samples) < tuneFewest:
		return first.Variant, fmt.Sprintf("the device's own choice; no time was left for %d samples of it and of %s", tuneFewest, all[best].Variant), true
	case first.Left == "" && all[best].Median >= first.Least:
		return first.Variant, fmt.Sprintf("the device's own choice; the median of %s, %v, is not below its least time, %v", all[best].Variant, round(all[best].Median), round(first.Least)), true
	case first.Samples == 0:
		return all[best].Variant, fmt.Sprintf("the fastest; %s %s", first.Variant, first.Left), true
	default:
		return all[best].Variant, fmt.Sprintf("the fastest: %.2f times as fast as %s", float64(first.Median)/float64(all[best].Median), first.Variant), true
	}
}

// ceilings are the device's, measured where they are not known.
func (d *Device) ceilings(s *stand) (ceilings, error) {
	if d.tuner.ceilings != nil {
		return *d.tuner.ceilings, nil
	}
	c, err := probe(d, s.least)
	if err == nil {
		d.tuner.ceilings = &c
		return c, nil
	}
	slog.Warn("pumice: the adapter's ceilings are not known: every variant is measured", "adapter", d.Info().Name, "reason", err)
	return ceilings{Flops: math.Inf(1), Bytes: math.Inf(1)}, hard(err)
}

// hard is err where nothing more can be done with the device, else nil.
func hard(err error) error {
	if errors.Is(err, ir.ErrClosed) || errors.Is(err, ir.ErrDeviceLost) {
		return fmt.Errorf("compute: tuning: %w", err)
	}
	return nil
}

// round is t with three digits.
func round(t time.Duration) time.Duration {
	unit := time.Nanosecond
	for t/unit >= 1000 {
		unit *= 10
	}
	return t.Round(unit)
}
