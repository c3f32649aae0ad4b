package main

import (
	"bytes"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/internal/engine"
)

// What is over at once is not told of; what goes on is, with both of its stages.
func TestBuilding(t *testing.T) {
	var out bytes.Buffer
	b := &building{out: &out}
	b.progress(compute.Progress{Stage: engine.Compiling, Total: 1})
	b.progress(compute.Progress{Stage: engine.Compiling, Done: 1, Total: 1, Name: "a"})
	b.tick() // as a timer may that was about to
	if out.Len() > 0 || b.timer != nil {
		t.Errorf("told %q", out.String())
	}
	b.progress(compute.Progress{Stage: engine.Compiling, Total: 15})
	b.progress(compute.Progress{Stage: engine.Compiling, Done: 6, Total: 15, Name: "b"})
	b.progress(compute.Progress{Stage: engine.Judging, Total: 12})
	b.tick()
	if got, want := out.String(), "compiling 15 kernels: 6 done, testing 12 kernels: 0 done, 0 s\n"; got != want {
		t.Errorf("told %q, want %q", got, want)
	}
	if got, want := b.text(5), "compiling 15 kernels [##---]: 6 done, testing 12 kernels [-----]: 0 done, 0 s"; got != want {
		t.Errorf("on a terminal %q, want %q", got, want)
	}
	b.progress(compute.Progress{Stage: engine.Judging, Done: 12, Total: 12})
	b.progress(compute.Progress{Stage: engine.Compiling, Done: 15, Total: 15})
	if b.timer != nil {
		t.Error("the timer goes on")
	}
}
