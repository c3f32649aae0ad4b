package conform

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"strings"
	"time"
)

// Expectations are failures that are known, as data: a report counts them as
// Expected, and lists those that are expired or that nothing needed.
type Expectations struct {
	Entries []Expectation

	now time.Time
}

// Expectation is a known failure of adapters.
type Expectation struct {
	Adapter string // a part of the adapter's name or driver, without case
	Case    string // a path.Match pattern, element by element of the case's name
	Reason  string
	Link    string // a report of the fault
	Expires string // the last day it holds, as 2027-01-31

	used bool
}

// ReadExpectations reads a JSON array of expectations. Each must have all of its
// fields; now is the time that expiry is judged at.
func ReadExpectations(file string, now time.Time) (*Expectations, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("conform: expectations: %w", err)
	}
	e := &Expectations{now: now}
	if err := json.Unmarshal(b, &e.Entries); err != nil {
		return nil, fmt.Errorf("conform: expectations %s: %w", file, err)
	}
	for i, x := range e.Entries {
		fail := func(format string, args ...any) error {
			return fmt.Errorf("conform: expectations %s: entry %d: %s", file, i, fmt.Sprintf(format, args...))
		}
		if x.Adapter == "" || x.Case == "" || x.Reason == "" || x.Link == "" {
			return nil, fail("Adapter %q, Case %q, Reason %q, Link %q: want none empty", x.Adapter, x.Case, x.Reason, x.Link)
		}
		if _, err := time.Parse(time.DateOnly, x.Expires); err != nil {
			return nil, fail("Expires %q, want a day as 2027-01-31", x.Expires)
		}
		if _, err := path.Match(x.Case, ""); err != nil {
			return nil, fail("Case %q: %v", x.Case, err)
		}
	}
	return e, nil
}

func (x *Expectation) expired(now time.Time) bool {
	day, err := time.Parse(time.DateOnly, x.Expires)
	return err != nil || now.After(day.AddDate(0, 0, 1))
}

func (x *Expectation) fits(f Fingerprint) bool {
	return strings.Contains(strings.ToLower(f.Adapter+" "+f.Driver), strings.ToLower(x.Adapter))
}

// apply turns a failure that is expected into one.
func (e *Expectations) apply(f Fingerprint, r *Result) {
	if e == nil || !r.Verdict.bad() {
		return
	}
	for i := range e.Entries {
		x := &e.Entries[i]
		if x.fits(f) && !x.expired(e.now) && matches(x.Case, r.Name) {
			x.used = true
			r.Verdict, r.Reason = Expected, x.Reason+" ("+x.Link+")"
			return
		}
	}
}

// unmet lists the expectations for this adapter that are expired, and those that
// a case of the report was there for, but did not need.
func (e *Expectations) unmet(r *Report) (list []string) {
	if e == nil {
		return nil
	}
	for i := range e.Entries {
		x := &e.Entries[i]
		if !x.fits(r.Fingerprint) {
			continue
		}
		switch {
		case x.expired(e.now):
			list = append(list, fmt.Sprintf("%s: expired on %s: %s", x.Case, x.Expires, x.Reason))
		case !x.used && r.ran(x.Case):
			list = append(list, fmt.Sprintf("%s: not needed any more: %s", x.Case, x.Reason))
		}
	}
	return list
}

func (r *Report) ran(pattern string) bool {
	for _, c := range r.Cases {
		if matches(pattern, c.Name) {
			return true
		}
	}
	return false
}
