// Package tune finds out which of several lists that do the same work is the fastest on a
// device, for a class of params, and remembers it.
package tune

import (
	"crypto/sha256"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/internal/judge"
)

// Tune says whether programs compiled from now on take the variants of kernels that
// are the fastest on the device, as measured, instead of those that suit it by rule.
// Where it is not called, the environment's PUMICE_TUNE (1 or 0) decides, and without
// that GPUs tune and software adapters do not: measuring pays where programs run long.
//
// What is measured, once, is every class of params that a program has (ir.Rule.Class):
// the variants that can do it and pass their tests on the device, in turn, with samples
// of 300 ms in all; building, testing and first running each comes on top. The choice is kept for later processes in PUMICE_CACHE, or pumice in the
// user's cache folder, for the adapter, its driver and this version of Pumice, and so
// a program computes the same bits in every run; on two machines that chose differently
// it need not.
func (d *Device) Tune(on bool) {
	d.tuner.asked.Store(-1)
	if on {
		d.tuner.asked.Store(1)
	}
}

// Tunes reports whether the device tunes.
func (d *Device) Tunes() bool {
	if asked := d.tuner.asked.Load(); asked != 0 {
		return asked > 0
	}
	if v, given := os.LookupEnv("PUMICE_TUNE"); given {
		on, err := strconv.ParseBool(v)
		if err == nil {
			return on
		}
		d.tuner.odd.Do(func() { slog.Warn("pumice: PUMICE_TUNE is neither 1 nor 0, and not heeded", "got", v) })
	}
	return d.Info().Type == "discrete" || d.Info().Type == "integrated"
}

// Choice says how the variants of a kernel compare on a device, for a class of params.
type Choice struct {
	Kernel     string      `json:"kernel"`
	Class      string      `json:"class"`
	Variant    string      `json:"variant"` // plain is the kernel itself
	Reason     string      `json:"reason"`
	Candidates []Candidate `json:"candidates"`
	Texts      string      `json:"texts"` // a hash of all that the candidates run
	Cached     bool        `json:"-"`     // not measured by this device, but read
}

// Candidate is a variant that was measured, or left out. The first one is what the
// device takes where it does not tune.
type Candidate struct {
	Variant string        `json:"variant"`
	Floor   time.Duration `json:"floor_ns"`            // what it takes at the adapter's ceilings
	Median  time.Duration `json:"median_ns,omitempty"` // of the samples
	Least   time.Duration `json:"least_ns,omitempty"`
	Most    time.Duration `json:"most_ns,omitempty"`
	Samples int           `json:"samples,omitempty"`
	Left    string        `json:"left,omitempty"` // why it was not measured to the end
}

// Choices lists the choices that programs of d were compiled with, in the order of
// their first use.
func (d *Device) Choices() []Choice {
	d.tuner.Lock()
	defer d.tuner.Unlock()
	var all []Choice
	for _, c := range d.tuner.used {
		all = append(all, *c)
	}
	return all
}

// tuner is what a device knows of which variants are fast. One goroutine measures at a
// time.
type tuner struct {
	sync.Mutex
	asked    atomic.Int32 // by Tune: 0 nothing, 1 on, -1 off
	odd      sync.Once
	loaded   bool
	known    map[string]*Choice // by key
	used     []*Choice
	ceilings *ceilings
	unkept   bool // a file could not be written, which was said

	trial func(variant string, list []ir.Dispatch) (*trial, error) // of tests; nil is stand.trial
}

func (c *Choice) key() string { return c.Kernel + " " + c.Class + " " + c.Texts }

// Candidates are the ways to do a dispatch that are compared: each a list, by name.
type Candidates struct {
	Names []string
	Lists [][]ir.Dispatch
	// Zeroed is a list with what gives its tensors that start at zero their first values.
	Zeroed func(list []ir.Dispatch) []ir.Dispatch
}

// Within reports whether dispatches keep the device's limits and the loop budget.
func (d *Device) Within(list []ir.Dispatch) bool {
	for i := range list {
		w := list[i].Kernel.Entry().Workgroup
		_, err := list[i].Grid(int(d.Info().Limits.WorkgroupsPerDimension))
		if err != nil || list[i].CheckTrips() != nil || w[0]*w[1]*w[2] > int(d.Info().Limits.InvocationsPerWorkgroup) {
			return false
		}
	}
	return true
}

// Choice is the choice for x's class, or nil where it is not known and not to be
// measured. The first so many of all suit the device by rule.
func (d *Device) Choice(x ir.Dispatch, class string, all Candidates, suit int, measure bool) (*Choice, error) {
	u := &d.tuner
	u.Lock()
	defer u.Unlock()
	if !u.loaded {
		u.loaded = true
		u.known, u.ceilings = d.readTuned(u.ceilings)
	}
	fresh := &Choice{Kernel: x.Kernel.Name(), Class: class, Texts: all.hash()}
	c := u.known[fresh.key()]
	if c == nil || !slices.Contains(all.Names, c.Variant) {
		if !measure {
			return nil, nil
		}
		sure, err := d.rank(fresh, all, suit)
		if err != nil {
			return nil, err
		}
		slog.Debug("pumice: a variant was chosen", "kernel", fresh.Kernel, "class", fresh.Class, "variant", fresh.Variant, "reason", fresh.Reason)
		c = fresh
		if sure {
			c = d.keep(fresh)
		}
		u.known[c.key()] = c
	}
	if !slices.Contains(u.used, c) {
		u.used = append(u.used, c)
	}
	return c, nil
}

// hash tells the texts that the candidates run apart, and their names.
func (c Candidates) hash() string {
	sum := sha256.New()
	for i, name := range c.Names {
		fmt.Fprintln(sum, name)
		for _, d := range c.Lists[i] {
			fmt.Fprintln(sum, d.Kernel.Hash(d.Storage()))
		}
	}
	return fmt.Sprintf("%x", sum.Sum(nil)[:6])
}

// Device is a device that judges what it runs, and finds out what is fast.
type Device struct {
	*judge.Device
	tuner tuner
}

// New lets a device measure.
func New(d *judge.Device) *Device { return &Device{Device: d} }
