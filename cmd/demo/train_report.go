package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train"
	"github.com/pumice-ml/pumice/train/data"
	"github.com/pumice-ml/pumice/train/report"
)

// reportOptions are the flags of what a run shows and keeps.
type reportOptions struct {
	plain, noReport bool
	followed        int
	told            map[string]string // all flags, as they are
}

func (o *reportOptions) flags(f *pflag.FlagSet) {
	f.BoolVar(&o.plain, "plain", false, "print lines, no dashboard, on a terminal too")
	f.BoolVar(&o.noReport, "no-report", false, "write no report.html after the last epoch")
	f.IntVar(&o.followed, "report-index", -1, "number of the test example that report.html follows through the layers; -1 is the worst mistake")
}

// check wants an example that is there.
func (o *reportOptions) check(test data.Dataset) error {
	if test != nil && (o.followed < -1 || o.followed >= test.Len()) {
		return fmt.Errorf("--report-index %d, the test set has examples 0 to %d", o.followed, test.Len()-1)
	}
	return nil
}

// tell keeps the flags for config.json.
func (o *reportOptions) tell(f *pflag.FlagSet) {
	o.told = map[string]string{}
	f.VisitAll(func(f *pflag.Flag) {
		if !f.Hidden && f.Name != "help" {
			o.told[f.Name] = f.Value.String()
		}
	})
}

// recorder keeps the run folder of a loop from now on.
func (o *trainOptions) recorder(l *train.Loop, dev *compute.Device, trainSet, testSet data.Dataset) *report.Recorder {
	spec := trainSet.Spec()
	r := &report.Recorder{Dir: o.out, Config: report.Config{
		Flags: o.told, Versions: report.Versions(), Device: report.DeviceOf(dev), Seed: o.seed,
		Data:  report.Data{Name: spec.Name, Train: trainSet.Len(), Held: o.held(), Shape: spec.Shape, Classes: spec.Classes},
		Model: report.Model{Name: o.model, Parameters: layers.CountParams(l.Model)},
	}}
	if testSet != nil {
		r.Config.Data.Test = testSet.Len()
	}
	l.Callbacks = append(l.Callbacks, r.Callback())
	return r
}

// page writes report.html, unless it is not wanted, and returns its path.
func (o *trainOptions) page(ctx context.Context, r *report.Recorder, l *train.Loop, dev *compute.Device, trainSet, testSet data.Dataset) (string, error) {
	if o.noReport {
		return "", nil
	}
	found, err := report.Collect(ctx, dev, l, trainSet, testSet, report.Options{Chosen: o.followed + 1})
	if err != nil {
		return "", err
	}
	if err := r.Write(filepath.Base(filepath.Clean(o.out)), found); err != nil {
		return "", err
	}
	return filepath.Join(o.out, "report.html"), nil
}

// dashboards reports whether a terminal is there that can draw one.
func dashboards(out io.Writer) bool { return isTerminal(out) && os.Getenv("TERM") != "dumb" }

// held is what the device holds, in bytes.
func held(dev *compute.Device) func() int64 {
	return func() (sum int64) {
		for _, use := range dev.Ledger() {
			sum += use.Bytes
		}
		return sum
	}
}
