//go:build !js

package browsertest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// tail is how many of the last lines stand below what belongs to the failed tests: they
// say why a program ended that had not run all its tests.
const tail = 30

// failures reads what a test binary printed with -test.v=test2json. It returns how many
// tests passed, and what those printed that failed or did not end, with the last lines.
func failures(printed string) (passed int, text string, err error) {
	convert := exec.Command("go", "tool", "test2json")
	convert.Stdin = strings.NewReader(printed)
	events, err := convert.Output()
	if err != nil {
		return 0, "", fmt.Errorf("test2json: %w", err)
	}
	var names, last []string // names in the order in which the tests began
	ended, output := map[string]string{}, map[string]string{}
	for d := json.NewDecoder(bytes.NewReader(events)); ; {
		var e struct{ Action, Test, Output string }
		if err := d.Decode(&e); err == io.EOF {
			break
		} else if err != nil {
			return 0, "", fmt.Errorf("test2json: %w", err)
		}
		switch e.Action {
		case "output":
			output[e.Test] += e.Output
			last = append(last, e.Output)
		case "run":
			names = append(names, e.Test)
		case "pass", "fail", "skip":
			ended[e.Test] = e.Action
			if e.Action == "pass" && e.Test != "" {
				passed++
			}
		}
	}
	// The binary says nothing at the end of a test that did not end, test2json that it failed.
	var b strings.Builder
	for _, name := range names {
		if ended[name] != "pass" && ended[name] != "skip" {
			b.WriteString(output[name])
		}
	}
	fmt.Fprintf(&b, "the last lines:\n%s", strings.Join(last[max(0, len(last)-tail):], ""))
	return passed, b.String(), nil
}

func TestFailures(t *testing.T) {
	const mark = "\x16"
	begun := strings.Repeat("=== RUN   TestMany\nof many\n"+mark+"--- PASS: TestMany (0.00s)\n", 40)
	begun = strings.ReplaceAll(begun, "=== RUN", mark+"=== RUN")
	failed := strings.ReplaceAll(`^=== RUN   TestGood
of good
^--- PASS: TestGood (0.00s)
^=== RUN   TestBad
of bad
^=== RUN   TestBad/one
of one
^=== RUN   TestBad/two
    x_test.go:3: of two
^=== NAME  TestBad
^--- FAIL: TestBad (0.00s)
    ^--- PASS: TestBad/one (0.00s)
    ^--- FAIL: TestBad/two (0.00s)
`, "^", mark)
	hangs := mark + "=== RUN   TestHangs\nof hangs\n"
	for name, c := range map[string]struct {
		printed    string
		passed     int
		want, none []string
	}{
		"fails":        {failed + begun + mark + "FAIL\n", 42, []string{"of bad", "of two", "--- FAIL: TestBad/two", "FAIL"}, []string{"of good", "of one"}},
		"does not end": {begun + hangs + strings.Repeat("panic: why\n", 3), 40, []string{"of hangs", "panic: why"}, nil},
		"nothing":      {"", 0, nil, nil},
		"no program":   {"CompileError\n", 0, []string{"CompileError"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			passed, text, err := failures(c.printed)
			if err != nil || passed != c.passed {
				t.Errorf("%d passed, %v, want %d", passed, err, c.passed)
			}
			missing := slices.ContainsFunc(c.want, func(s string) bool { return !strings.Contains(text, s) })
			extra := slices.ContainsFunc(c.none, func(s string) bool { return strings.Contains(text, s) })
			if missing || extra || strings.Count(text, "of many") > tail {
				t.Errorf("want %q and no %q in\n%s", c.want, c.none, text)
			}
		})
	}
}
