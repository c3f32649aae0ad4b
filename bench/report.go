package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/pumice-ml/pumice/compute"
)

// Schema is the version of the JSON form of a report. A reader refuses others.
const Schema = "pumice.bench.1"

// Report is what a command measured, and on what.
type Report struct {
	Schema  string       `json:"schema"`
	Command string       `json:"command"`
	Date    time.Time    `json:"date"`
	Rounds  int          `json:"rounds"`
	System  System       `json:"system"`
	Peer    *System      `json:"peer,omitempty"`
	Rows    []Row        `json:"rows"`
	Kernels []KernelTime `json:"kernels,omitempty"`
	Clock   string       `json:"clock,omitempty"` // that kernels were timed with
	Tuned   []Tuned      `json:"tuned,omitempty"`
}

// System is what a system ran on, as it says itself.
type System struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Adapter string `json:"adapter"`
	Driver  string `json:"driver"`
	Runtime string `json:"runtime"`
}

// SystemOf describes Pumice on a device.
func SystemOf(dev *compute.Device) System {
	i := dev.Info()
	return System{
		Name: "pumice", Version: revision(), Adapter: dev.String(), Driver: i.Driver,
		Runtime: strings.TrimPrefix(fmt.Sprintf("%s, %s, %s/%s, %s", i.Binding, runtime.Version(), runtime.GOOS, runtime.GOARCH, processors()), ", "),
	}
}

// processors are how many there are, and what they are where the system has a file
// that says so.
func processors() string {
	text := fmt.Sprintf("%d processors", runtime.GOMAXPROCS(0))
	b, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(b)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			return text + ", " + strings.TrimSpace(value)
		}
	}
	return text
}

// revision is the version of the program's module, or the commit it was built from.
func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	version := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			version = s.Value
		}
	}
	return version
}

// NewReport returns a report without rows.
func NewReport(dev *compute.Device, command string, rounds int) *Report {
	return &Report{Schema: Schema, Command: command, Date: time.Now().UTC().Truncate(time.Second), Rounds: rounds, System: SystemOf(dev)}
}

// WriteJSON writes the report for ReadReport.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(r)
}

// ReadReport reads what WriteJSON wrote. Errors name the file.
func ReadReport(path string) (*Report, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("bench: report: %w", err)
	}
	defer f.Close()
	r := &Report{}
	d := json.NewDecoder(f)
	d.DisallowUnknownFields()
	if err := d.Decode(r); err != nil {
		return nil, fmt.Errorf("bench: report %s: %w", path, err)
	}
	if r.Schema != Schema {
		return nil, fmt.Errorf("bench: report %s: schema %q, want %q", path, r.Schema, Schema)
	}
	return r, nil
}

// WriteTable writes the report for reading.
func (r *Report) WriteTable(out io.Writer) error {
	fmt.Fprintf(out, "device: %s, driver %s\n%s\n", r.System.Adapter, orDash(r.System.Driver), r.System.Runtime)
	if len(r.Rows) == 0 {
		return writeTuned(out, r.Tuned)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "\tsystem\tmedian\tleast\tmost\t\trate\t\tratio\t\n")
	for _, row := range r.Rows {
		least, most, rate, ratio := "", "", "", ""
		if len(row.Samples) > 1 {
			least, most = Short(slices.Min(row.Samples)), Short(slices.Max(row.Samples))
		}
		if row.RateUnit != "" {
			rate = Short(row.Rate)
		}
		if row.Peer != "" {
			ratio = fmt.Sprintf("%.2f of %s", row.Ratio, row.Peer)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", row.Row, row.System, Short(row.Median), least, most, row.Unit, rate, row.RateUnit, ratio)
	}
	if err := w.Flush(); err != nil || len(r.Kernels) == 0 {
		return err
	}
	fmt.Fprintln(out)
	if r.Clock != "" {
		fmt.Fprintf(out, "kernels, by the %s\n", r.Clock)
	}
	fmt.Fprintf(w, "kernel\tdispatches\tms\tshare\t\n")
	for _, k := range r.Kernels {
		fmt.Fprintf(w, "%s\t%d\t%.3f\t%.1f%%\t\n", k.Kernel, k.Dispatches, k.Milliseconds, 100*k.Share)
	}
	return w.Flush()
}

// Short writes a number with three digits or more.
func Short(v float64) string {
	switch {
	case v == float64(int64(v)):
		return fmt.Sprintf("%d", int64(v))
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	case v >= 1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// blasName is the BLAS that gonum calls: its own, or the system's.
var blasName = "gonum"

// GonumSystem describes gonum as this program uses it.
func GonumSystem() System {
	s := System{
		Name: blasName, Version: "unknown", Adapter: processors(),
		Runtime: fmt.Sprintf("%s, %s/%s", runtime.Version(), runtime.GOOS, runtime.GOARCH),
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			if d.Path == "gonum.org/v1/gonum" {
				s.Version = d.Version
			}
		}
	}
	return s
}
