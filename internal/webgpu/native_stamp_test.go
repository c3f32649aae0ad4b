//go:build cgo && !js

package webgpu

import (
	"bytes"
	"errors"
	"slices"
	"testing"
)

// openStamped opens the first adapter with timestamps, or skips the test.
func openStamped(t *testing.T) *Device {
	t.Helper()
	list, err := Adapters()
	if err != nil || len(list) == 0 {
		t.Fatalf("no adapter: %v", err)
	}
	if !slices.Contains(list[0].Features(), TimestampQuery) {
		t.Skipf("no timestamps here: %v", list[0].Features())
	}
	d, err := list[0].Open("test", DefaultLimits, []string{TimestampQuery})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Release)
	return d
}

// TestStampLeaksNothing is TestSubmitLeaksNothing with timestamps.
func TestStampLeaksNothing(t *testing.T) {
	d := openStamped(t)
	j := newJob(t, d, 8)
	defer j.release()
	to, err := d.NewBuffer("timestamps", 32, resolved)
	stage, err2 := d.NewBuffer("timestamps read-back", 32, Staging)
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	defer to.Release()
	defer stage.Release()
	leaksNothing(t, 3000, func() error {
		_, err := d.submitStamped(j.plan, 0, 2, to, stage)
		return errors.Join(err, d.Wait(ctx))
	})
}

// TestStamp wants of each dispatch when it began and ended, in the order of the plan,
// and the results of a submission without timestamps.
func TestStamp(t *testing.T) {
	d := openStamped(t)
	const n = 1000
	j := newJob(t, d, n)
	defer j.release()
	once := Command{Pipeline: j.p, Bindings: j.g, Groups: [3]uint32{(n + 63) / 64, 1, 1}}
	back := Command{Src: j.y, Dst: j.x, Size: 4 * n} // so that the next dispatch doubles it again
	commands := append(slices.Repeat([]Command{once, back}, stampsAtOnce/2), once, Command{Src: j.y, Dst: j.stage, Size: 4 * n})
	plan, err := d.NewPlan(commands)
	if err != nil {
		t.Fatal(err)
	}
	defer plan.Release()
	if err := d.Write(j.x, 0, words(slices.Repeat([]uint32{3}, n)...)); err != nil {
		t.Fatal(err)
	}
	// more commands than a query set is for, from the second dispatch but ten to the end
	from := len(commands) - 22
	for _, part := range [][2]int{{0, from}, {from, len(commands)}} {
		spans, err := d.Stamp(ctx, plan, part[0], part[1])
		if err != nil || len(spans) != part[1]-part[0] {
			t.Fatalf("%d spans of %d commands, %v", len(spans), part[1]-part[0], err)
		}
		last := Span{}
		for i, s := range spans {
			if commands[part[0]+i].Pipeline == nil {
				if s != (Span{}) {
					t.Errorf("command %d is a copy, with the span %v", part[0]+i, s)
				}
				continue
			}
			if s.Begin == 0 || s.End < s.Begin || s.Begin < last.Begin {
				t.Fatalf("command %d has the span %v, after %v", part[0]+i, s, last)
			}
			last = s
		}
		if part[1] == from { // 3 doubled so often is 0
			if err := d.Write(j.x, 0, words(slices.Repeat([]uint32{3}, n)...)); err != nil {
				t.Fatal(err)
			}
		}
	}
	got := make([]byte, 4*n)
	if err := d.Read(ctx, j.stage, got); err != nil || !bytes.Equal(got, words(slices.Repeat([]uint32{3 << 11}, n)...)) {
		t.Errorf("%v: got % x, want 3 * 2^11", err, got[:8])
	}
	if spans, err := d.Stamp(ctx, plan, 1, 2); err != nil || !slices.Equal(spans, []Span{{}}) {
		t.Errorf("a copy alone: %v, %v", spans, err)
	}
	if _, err := d.Stamp(ctx, plan, 0, len(commands)+1); !errors.Is(err, ErrInvalid) {
		t.Errorf("too many commands: %v", err)
	}
	plan.Release()
	if _, err := d.Stamp(ctx, plan, 0, 1); !errors.Is(err, ErrInvalid) {
		t.Errorf("a released plan: %v", err)
	}
}
