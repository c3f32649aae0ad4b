package main

import (
	"bytes"
	"strconv"
	"strings"
	"testing"
)

// Importing the packages of this module costs next to nothing: fewer than 2,000
// allocations in all of them together, as the trace of the binary's start says. What that
// takes is printed; it should be below 5 ms.
func TestImportCost(t *testing.T) {
	run := child("--help") // of the test's binary, which imports more than the program
	run.Env = append(run.Env, "GODEBUG=inittrace=1")
	var trace bytes.Buffer
	run.Stderr = &trace
	if err := run.Run(); err != nil {
		t.Fatal(err)
	}
	packages, allocs, ms := 0, 0, 0.0
	for line := range strings.Lines(trace.String()) {
		// init PACKAGE @TIME ms, TIME ms clock, N bytes, N allocs
		f := strings.Fields(line)
		if len(f) != 11 || f[0] != "init" || !strings.HasPrefix(f[1], "github.com/pumice-ml/pumice/") {
			continue
		}
		n, err := strconv.Atoi(f[9])
		took, err2 := strconv.ParseFloat(f[4], 64)
		if err != nil || err2 != nil {
			t.Fatalf("%q", line)
		}
		packages, allocs, ms = packages+1, allocs+n, ms+took
		t.Logf("%6d allocations  %7.3f ms  %s", n, took, f[1])
	}
	if packages < 5 || allocs >= 2000 {
		t.Errorf("%d allocations in %d packages, want fewer than 2000 in 5 or more", allocs, packages)
	}
	t.Logf("%d allocations, %.3f ms", allocs, ms)
}
