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
// where another has one that it lacks.
func WriteCSV(w io.Writer, h train.History) error {
	names, _ := columns(train.Epoch{})
	rows := make([]map[string]float64, len(h))
	for i, e := range h {
		more, values := columns(e)
		rows[i] = map[string]float64{}
		for j, name := range more {
			if rows[i][name] = values[j]; !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
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

// leading are the columns that every epoch has, in their order.
var leading = []string{"epoch", "loss", "train_accuracy", "test_loss", "test_accuracy", "seconds", "images_per_second"}

// columns are the numbers of an epoch, by the names of its JSON form, so that a table
// holds what a line of history.jsonl does.
func columns(e train.Epoch) (names []string, values []float64) {
	b, err := json.Marshal(e)
	if err != nil {
		return nil, nil // NaN, which a loop never puts in its history
	}
	var all map[string]any
	if err := json.Unmarshal(b, &all); err != nil {
		panic(err) // it was just written
	}
	return flat(all)
}

// flat orders numbers by name, the leading ones first. Those of metrics and
// test_metrics get train_ and test_ before their names.
func flat(all map[string]any) (names []string, values []float64) {
	add := func(name string, v any) {
		if x, ok := v.(float64); ok && !slices.Contains(names, name) {
			names, values = append(names, name), append(values, x)
		}
	}
	for _, name := range leading {
		add(name, all[name])
	}
	for name, v := range sorted(all) {
		within, ok := v.(map[string]any)
		if !ok {
			add(name, v)
			continue
		}
		prefix := map[string]string{"metrics": "train_", "test_metrics": "test_"}[name]
		for inner, v := range sorted(within) {
			add(prefix+inner, v)
		}
	}
	return names, values
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
