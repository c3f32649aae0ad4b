package report

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/pumice-ml/pumice/train"
)

// Run is a run folder as it was found.
type Run struct {
	Dir     string
	Config  Config
	History train.History
}

// Open reads a run folder. One that has no epoch yet has an empty history.
func Open(dir string) (*Run, error) {
	c, err := readConfig(dir)
	if err != nil {
		return nil, err
	}
	lines, err := readLines(filepath.Join(dir, linesName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	r := &Run{Dir: dir, Config: c}
	for _, l := range lines {
		r.History = append(r.History, l.Epoch)
	}
	return r, nil
}

// maxDepth is how far below a folder Find looks.
const maxDepth = 4

// Find returns the runs in a folder and in those below it, the latest first. What
// has the name of a run's settings and is none is in the error, beside the runs.
func Find(root string) ([]*Run, error) {
	var all []*Run
	var wrong error
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && path == root:
			return err
		case err != nil:
			wrong = errors.Join(wrong, err)
			return fs.SkipDir
		case d.IsDir() && path != root:
			within, _ := filepath.Rel(root, path)
			if strings.HasPrefix(d.Name(), ".") || strings.Count(within, string(filepath.Separator)) >= maxDepth {
				return fs.SkipDir
			}
		case !d.IsDir() && d.Name() == configName:
			r, err := Open(filepath.Dir(path))
			if err != nil {
				wrong = errors.Join(wrong, err)
				return nil
			}
			all = append(all, r)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("report: Find: %w", err)
	}
	slices.SortStableFunc(all, func(a, b *Run) int { return b.Config.Start.Compare(a.Config.Start) })
	return all, wrong
}

// Best is the epoch with the highest accuracy on the set that was measured after each, the
// first of several; ok is false where no epoch has one.
func (r *Run) Best() (best train.Epoch, ok bool) {
	for _, e := range r.History {
		if finite(testShareOf(e)) && (!ok || e.TestAccuracy > best.TestAccuracy) {
			best, ok = e, true
		}
	}
	return best, ok
}

// Seconds is the time of training, without that of evaluations.
func (r *Run) Seconds() (sum float64) {
	for _, e := range r.History {
		sum += e.Seconds
	}
	return sum
}

// WriteRuns writes a table of runs.
func WriteRuns(w io.Writer, runs []*Run) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	held := heldOf(runs)
	fmt.Fprintf(t, "run\tstarted\tdata\tmodel\tdevice\tepochs\tbest %s %%\tin epoch\tseconds\n", held)
	for _, r := range runs {
		c := r.Config
		accuracy, in := "-", "-"
		if best, ok := r.Best(); ok {
			accuracy, in = fmt.Sprintf("%.2f", 100*best.TestAccuracy), fmt.Sprint(best.Epoch)
			if own := c.Data.held(); own != held {
				accuracy += " " + own
			}
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\t%.1f\n", r.Dir, c.Start.Format("2006-01-02 15:04"), c.Data.Name, c.Model.Name,
			c.Device.Name, len(r.History), accuracy, in, r.Seconds())
	}
	return t.Flush()
}

// heldOf is the name of what runs measured after each epoch.
func heldOf(runs []*Run) string {
	held := ""
	for _, r := range runs {
		switch own := r.Config.Data.held(); held {
		case "", own:
			held = own
		default:
			return "held-out"
		}
	}
	return held
}

// Difference is a setting, or a number, that two or more runs do not share.
type Difference struct {
	Name   string
	Values []string // of each run; "" where a run has none
}

// Compare returns what differs between the settings of runs, and, side by side, the
// numbers of each epoch. When they began is no setting, nor is --out.
func Compare(runs []*Run) (settings, epochs []Difference) {
	all := make([]map[string]string, len(runs))
	var names []string
	for i, r := range runs {
		all[i] = map[string]string{}
		for _, s := range r.Config.Settings() {
			if _, ok := all[i][s[0]]; ok {
				all[i][s[0]] += ", " + s[1] // resumed more than once
				continue
			}
			all[i][s[0]] = s[1]
			if !slices.Contains(names, s[0]) {
				names = append(names, s[0])
			}
		}
	}
	for _, name := range names {
		d := Difference{Name: name}
		different := map[string]bool{}
		for i := range runs {
			d.Values = append(d.Values, all[i][name])
			different[all[i][name]] = true
		}
		if len(different) > 1 && name != "--out" && name != "start" {
			settings = append(settings, d)
		}
	}
	return settings, compareEpochs(runs)
}

func compareEpochs(runs []*Run) (all []Difference) {
	last, held := 0, heldOf(runs)
	for _, r := range runs {
		last = max(last, len(r.History))
	}
	for _, c := range []struct {
		name, format string
		of           func(train.Epoch) float64
	}{
		{"loss", "%.4f", lossOf},
		{"train %", "%.2f", accuracyOf},
		{held + " loss", "%.4f", testLossOf},
		{held + " %", "%.2f", testAccuracyOf},
		{"seconds", "%.1f", func(e train.Epoch) float64 { return e.Seconds }},
	} {
		for epoch := range last {
			d := Difference{Name: fmt.Sprintf("epoch %d %s", epoch+1, c.name)}
			has := false
			for _, r := range runs {
				text := ""
				if epoch < len(r.History) {
					if v := c.of(r.History[epoch]); finite(v) {
						text, has = fmt.Sprintf(c.format, v), true
					}
				}
				d.Values = append(d.Values, text)
			}
			if has {
				all = append(all, d)
			}
		}
	}
	return all
}

// WriteComparison writes what differs between the settings of runs, and their
// numbers side by side.
func WriteComparison(w io.Writer, runs []*Run) error {
	settings, epochs := Compare(runs)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	head := func(name string) {
		fmt.Fprint(t, name)
		for _, r := range runs {
			fmt.Fprint(t, "\t", r.Dir)
		}
		fmt.Fprintln(t)
	}
	rows := func(all []Difference) {
		for _, d := range all {
			fmt.Fprint(t, d.Name)
			for _, v := range d.Values {
				if v == "" {
					v = "-"
				}
				fmt.Fprint(t, "\t", v)
			}
			fmt.Fprintln(t)
		}
	}
	head("setting")
	rows(settings)
	if err := t.Flush(); err != nil {
		return err
	}
	if len(settings) == 0 {
		fmt.Fprintln(w, "(no setting differs)")
	}
	fmt.Fprintln(w)
	head("result")
	rows(epochs)
	best := Difference{Name: "best " + heldOf(runs) + " %"}
	took := Difference{Name: "seconds in all"}
	for _, r := range runs {
		v := ""
		if e, ok := r.Best(); ok {
			v = fmt.Sprintf("%.2f", 100*e.TestAccuracy)
		}
		best.Values, took.Values = append(best.Values, v), append(took.Values, fmt.Sprintf("%.1f", r.Seconds()))
	}
	rows([]Difference{best, took})
	return t.Flush()
}

// names are those of runs in a legend: the last parts of their paths that differ.
func names(runs []*Run) []string {
	all := make([]string, len(runs))
	seen := map[string]int{}
	for i, r := range runs {
		all[i] = filepath.Base(r.Dir)
		seen[all[i]]++
	}
	for i, r := range runs {
		if seen[all[i]] > 1 {
			all[i] = r.Dir
		}
	}
	return all
}
