package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/pumice-ml/pumice/safetensors"
	"github.com/pumice-ml/pumice/train"
)

// line is one line of history.jsonl.
type line struct {
	train.Epoch
	Time time.Time `json:"time"` // of the epoch's end
}

// maxHistory bounds the files that readLines takes.
const maxHistory = 256 << 20

// errDamaged is of a line that is no epoch, or not the next one.
var errDamaged = errors.New("damaged")

// readLines reads history.jsonl. The process may have died while it wrote the last
// line: one without its end is left out. Beside errDamaged are the lines before it.
func readLines(path string) ([]line, error) {
	b, err := readBounded(path, maxHistory)
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	if i := bytes.LastIndexByte(b, '\n'); i >= 0 {
		b = b[:i+1]
	} else {
		b = nil
	}
	var all []line
	number := 0
	for text := range bytes.Lines(b) {
		number++
		var l line
		if err := json.Unmarshal(text, &l); err != nil {
			return all, fmt.Errorf("report: %s: line %d: %w: %w", path, number, errDamaged, err)
		}
		if l.Epoch.Epoch != number {
			return all, fmt.Errorf("report: %s: line %d is of epoch %d, want %d: %w", path, number, l.Epoch.Epoch, number, errDamaged)
		}
		all = append(all, l)
	}
	return all, nil
}

func writeLines(path string, lines []line) error {
	return safetensors.WriteDurable(path, func(w io.Writer) error {
		e := json.NewEncoder(w)
		for _, l := range lines {
			if err := e.Encode(l); err != nil {
				return err
			}
		}
		return nil
	})
}

// WriteCSV writes a line for each epoch, after one of names. An epoch has no number
// where another has one that it lacks, or where its own is not finite.
func WriteCSV(w io.Writer, h train.History) error {
	var more []string
	has := map[string]bool{}
	rows := make([]map[string]float64, len(h))
	for i, e := range h {
		rows[i] = map[string]float64{}
		for name, v := range columns(e) {
			if !has[name] && !slices.Contains(leading, name) {
				more = append(more, name)
			}
			rows[i][name], has[name] = v, true
		}
	}
	names := slices.DeleteFunc(slices.Clone(leading), func(name string) bool { return len(h) > 0 && !has[name] })
	names = append(names, more...)
	table := [][]string{names}
	for _, row := range rows {
		line := make([]string, len(names))
		for i, name := range names {
			if v, ok := row[name]; ok {
				line[i] = strconv.FormatFloat(v, 'g', 8, 64)
			}
		}
		table = append(table, line)
	}
	if err := csv.NewWriter(w).WriteAll(table); err != nil {
		return fmt.Errorf("report: WriteCSV: %w", err)
	}
	return nil
}

// leading are the columns that come first, in their order.
var leading = []string{"epoch", "loss", "train_accuracy", "test_loss", "test_accuracy", "seconds", "images_per_second"}

// columns yields the numbers of an epoch that are finite, each name once: those of its
// JSON form, and the metrics, with train_ and test_ before their names. Accuracies of
// targets that are no classes, and numbers of a set that was not there, are left out.
func columns(e train.Epoch) iter.Seq2[string, float64] {
	return func(yield func(string, float64) bool) {
		seen, more := map[string]bool{}, true
		add := func(name string, v float64) {
			if more && !seen[name] && finite(v) {
				seen[name], more = true, yield(name, v)
			}
		}
		add("epoch", float64(e.Epoch))
		add("loss", e.Loss)
		add("train_accuracy", shareOf(e))
		add("test_loss", testLossOf(e))
		add("test_accuracy", testShareOf(e))
		add("seconds", e.Seconds)
		add("images_per_second", e.ImagesPerSecond)
		add("learning_rate", e.LearningRate)
		for name, v := range sorted(e.Metrics) {
			add("train_"+name, v)
		}
		if e.Skipped > 0 {
			add("skipped", float64(e.Skipped))
		}
		for name, v := range sorted(e.TestMetrics) {
			add("test_"+name, v)
		}
	}
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// The numbers of an epoch, NaN where it has none: of targets that are no classes there is
// no accuracy, and without a set to measure on nothing of that.

func lossOf(e train.Epoch) float64         { return e.Loss }
func accuracyOf(e train.Epoch) float64     { return 100 * shareOf(e) }
func testAccuracyOf(e train.Epoch) float64 { return 100 * testShareOf(e) }

func shareOf(e train.Epoch) float64 { return share(e.TrainAccuracy, e.Metrics) }

func testShareOf(e train.Epoch) float64 { return share(e.TestAccuracy, e.TestMetrics) }

func share(accuracy float64, metrics map[string]float64) float64 {
	if _, ok := metrics["accuracy"]; !ok && accuracy == 0 {
		return math.NaN()
	}
	return accuracy
}

func testLossOf(e train.Epoch) float64 {
	if e.TestMetrics == nil && e.TestLoss == 0 {
		return math.NaN()
	}
	return e.TestLoss
}

// sound is an epoch without metrics that are not finite, which JSON has no form of.
func sound(e train.Epoch) train.Epoch {
	for _, m := range []*map[string]float64{&e.Metrics, &e.TestMetrics} {
		*m = maps.Clone(*m)
		maps.DeleteFunc(*m, func(_ string, v float64) bool { return !finite(v) })
	}
	return e
}

// sorted yields a map in the order of its keys.
func sorted[V any](m map[string]V) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if !yield(k, m[k]) {
				return
			}
		}
	}
}

// thousands writes n with commas.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
