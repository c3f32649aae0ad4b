package main

import (
	"time"

	"github.com/pumice-ml/pumice/train"
)

// caption is what a dashboard shows of a run that does not change.
type caption struct {
	device, run string // its name; what is trained on what
	classes     bool   // accuracies mean something
	held        string // what is measured after each epoch: test or validation
	unit        string // what a set has of: images, documents, rows
}

// sample is where a run stands at a moment.
type sample struct {
	train.Progress
	at     time.Time
	memory int64 // bytes that the device holds
}

// point is what an evaluation found.
type point struct{ epoch, loss, accuracy float64 }

// gone ends a dashboard.
type gone struct{}

// trace turns samples into curves: each sample counts what happened since the last.
type trace struct {
	train, test []point
	last        sample
	first       sample  // of the epoch
	rate        float64 // examples per second, smoothed
}

// add takes a sample. The sums of an epoch begin anew with it.
func (t *trace) add(s sample) {
	before := t.last
	if s.Epoch != before.Epoch || s.Images <= before.Images {
		before = sample{at: before.at}
		t.first = s
	}
	images := float64(s.Images - before.Images)
	if images > 0 {
		mean := func(now, then float64) float64 { return (now*float64(s.Images) - then*float64(before.Images)) / images }
		t.train = append(t.train, point{
			epoch: float64(s.Epoch-1) + float64(s.Step)/float64(max(s.Steps, 1)),
			loss:  mean(s.Loss, before.Loss), accuracy: mean(s.Accuracy, before.Accuracy),
		})
	}
	if seconds := s.at.Sub(t.last.at).Seconds(); before.Images > 0 && seconds > 0 {
		now := images / seconds
		if t.rate == 0 {
			t.rate = now
		}
		t.rate += 0.2 * (now - t.rate)
	}
	t.last = s
	if len(t.train) > 2000 {
		t.train = thinned(t.train)
	}
}

// thinned is the mean of each pair of points.
func thinned(all []point) (half []point) {
	for i := 0; i+1 < len(all); i += 2 {
		a, b := all[i], all[i+1]
		half = append(half, point{b.epoch, (a.loss + b.loss) / 2, (a.accuracy + b.accuracy) / 2})
	}
	return half
}

// left is the time that the steps to come take at the present rate, evaluations not
// counted; ok is false while there is no rate.
func (t *trace) left() (d time.Duration, ok bool) {
	s := t.last
	if t.rate <= 0 || s.Step == 0 {
		return 0, false
	}
	perStep := float64(s.Images) / float64(s.Step)
	steps := (s.Epochs-s.Epoch)*s.Steps + s.Steps - s.Step
	return time.Duration(float64(steps) * perStep / t.rate * float64(time.Second)), true
}
