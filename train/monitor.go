package train

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// monitor is a measure of a history that somebody watches.
type monitor struct {
	who, name, mode string
	delta           float64
}

func nameOr(name, fallback string) string {
	if name == "" {
		return fallback
	}
	return name
}

// Value is a measure of the epoch by name: "loss", "accuracy" or another of Metrics, on
// the training set, and with "test_" before it on the set that is evaluated.
func (e Epoch) Value(name string) (v float64, ok bool) {
	switch name {
	case "loss":
		return e.Loss, true
	case "accuracy":
		return e.TrainAccuracy, true
	case "test_loss":
		return e.TestLoss, e.TestMetrics != nil
	case "test_accuracy":
		return e.TestAccuracy, e.TestMetrics != nil
	}
	if rest, ok := strings.CutPrefix(name, "test_"); ok {
		v, ok := e.TestMetrics[rest]
		return v, ok
	}
	v, ok = e.Metrics[name]
	return v, ok
}

// least reports whether less of the measure is better.
func (m monitor) least() bool {
	if m.mode != "" {
		return m.mode == "min"
	}
	return slices.Contains([]string{"loss", "mse", "mae"}, strings.TrimPrefix(m.name, "test_"))
}

// better reports whether v is better than best, which is NaN where there is none.
func (m monitor) better(v, best float64) bool {
	if math.IsNaN(best) {
		return true
	}
	if m.least() {
		return v < best-m.delta
	}
	return v > best+m.delta
}

func (m monitor) check() error {
	if !slices.Contains([]string{"", "min", "max"}, m.mode) {
		return fmt.Errorf("train: %s: Mode is %q, want min or max", m.who, m.mode)
	}
	if !(m.delta >= 0) {
		return fmt.Errorf("train: %s: MinDelta is %v, want 0 or more", m.who, m.delta)
	}
	return nil
}

// measured returns an error where a run does not measure what is watched.
func (m monitor) measured(names []string, evaluated bool) error {
	if err := m.check(); err != nil {
		return err
	}
	name, test := strings.CutPrefix(m.name, "test_")
	if test && !evaluated {
		return fmt.Errorf("train: %s: Monitor is %q, which wants a set to evaluate, and there is none", m.who, m.name)
	}
	if name != "loss" && !slices.Contains(names, name) {
		return fmt.Errorf("train: %s: Monitor is %q, want loss, %s, or one of these with test_ before it", m.who, m.name, strings.Join(names, ", "))
	}
	return nil
}

// best is the index of the epoch of a history with the best measure, -1 of none: one that
// is better than the best before it.
func (m monitor) best(h History) int {
	at, best := -1, math.NaN()
	for i, e := range h {
		if v, _ := e.Value(m.name); m.better(v, best) {
			at, best = i, v
		}
	}
	return at
}
