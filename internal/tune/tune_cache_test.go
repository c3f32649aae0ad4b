package tune_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/internal/tune"
)

// logs collects what is logged.
func logs(t *testing.T) *bytes.Buffer {
	before, logged := slog.Default(), &bytes.Buffer{}
	slog.SetDefault(slog.New(slog.NewTextHandler(logged, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	return logged
}

// TestTuneBroken wants a file that is not this device's own choices to be none, which
// is logged, and to be written anew.
func TestTuneBroken(t *testing.T) {
	cache(t)
	times := map[string]int{"plain": 9, "one": 8, "two": 7}
	dev, _ := tuning(t, times)
	file := devicetest.Machine(dev).TuneFile()
	shifts(t, dev, 3)
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	edit := func(old, new string) string {
		if !strings.Contains(string(good), old) {
			t.Fatalf("%s is not in %s", old, good)
		}
		return strings.Replace(string(good), old, new, 1)
	}
	for name, c := range map[string]struct {
		text   string
		logged string
	}{
		"empty":              {"", "unexpected end"},
		"truncated":          {string(good[:len(good)/2]), "unexpected end"},
		"no JSON":            {"\x00\x01", "invalid character"},
		"two":                {string(good) + string(good), "after top-level value"},
		"another schema":     {edit("pumice.tune.1", "pumice.tune.0"), "want \\\"pumice.tune.1\\\""},
		"another version":    {edit(`"version": "`, `"version": "v0.0.1`), "it is for"},
		"other shaders":      {edit(`"shaders": "`, `"shaders": "0`), "it is for"},
		"another adapter":    {edit(`"name": "`, `"name": "not `), "it is for"},
		"a ceiling of 0":     {edit(`"flops_per_second": 1000000000`, `"flops_per_second": 0`), "want positive"},
		"a choice of null":   {edit(`"choices": [`, `"choices": [null,`), "null"},
		"an unknown variant": {edit(`"variant": "two"`, `"variant": "three"`), ""},
		"other texts":        {edit(`"texts": "`, `"texts": "0`), ""},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(file, []byte(c.text), 0o644); err != nil {
				t.Fatal(err)
			}
			logged := logs(t)
			dev, samples := tuning(t, times)
			if got := shifts(t, dev, 3); got != "shift_two" || len(samples) == 0 {
				t.Errorf("%s, samples %v, want it measured again", got, samples)
			}
			if c.logged == "" && strings.Contains(logged.String(), file) || !strings.Contains(logged.String(), c.logged) || c.logged != "" && !strings.Contains(logged.String(), file) {
				t.Errorf("logged %q, want %s and %q", logged, file, c.logged)
			}
			again, samples := tuning(t, times)
			if got := shifts(t, again, 3); got != "shift_two" || len(samples) > 0 {
				t.Errorf("after that: %s, samples %v, want none", got, samples)
			}
		})
	}
}

// TestTuneRefused wants a variant that was chosen before, and is wrong now, refused, and
// the device's own choice in its place.
func TestTuneRefused(t *testing.T) {
	cache(t)
	times := map[string]int{"plain": 9, "one": 8, "two": 7}
	dev, _ := tuning(t, times)
	shifts(t, dev, 3)
	text, err := os.ReadFile(devicetest.Machine(dev).TuneFile())
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte(`"variant": "two"`), []byte(`"variant": "not"`), 1)
	if err := os.WriteFile(devicetest.Machine(dev).TuneFile(), text, 0o644); err != nil {
		t.Fatal(err)
	}
	again, samples := tuning(t, times)
	if got := shifts(t, again, 3); got != "shift_one" || len(samples) > 0 || len(again.Refused()) != 1 || devicetest.Machine(again).Choices()[0].Variant != "not" {
		t.Errorf("%s, samples %v, refused %+v, choices %+v", got, samples, again.Refused(), devicetest.Machine(again).Choices())
	}
}

// TestTuneUnkept wants a program where nothing can be written, and one line of log.
func TestTuneUnkept(t *testing.T) {
	_, dir := cache(t)
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PUMICE_CACHE", file) // no folder
	logged := logs(t)
	dev, samples := tuning(t, map[string]int{"plain": 9, "one": 8, "two": 7})
	for _, rows := range []int{3, 4, 3, 4} {
		if got := shifts(t, dev, rows); got != "shift_two" {
			t.Errorf("the program is %s", got)
		}
	}
	if samples["two"] != 20 {
		t.Errorf("samples %v, want those of two classes", samples)
	}
	if n := strings.Count(logged.String(), "cannot be kept"); n != 1 {
		t.Errorf("%d lines in %q, want 1", n, logged)
	}
}

// TestTuneTogether wants processes that measure at the same time, and goroutines of
// one, to go on with one choice.
func TestTuneTogether(t *testing.T) {
	cache(t)
	a, samples := tuning(t, map[string]int{"plain": 9, "one": 8, "two": 7})
	b, _ := tuning(t, map[string]int{"plain": 7, "one": 8, "two": 9})
	shifts(t, b, 5) // has read the file, of which there is none
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if got, err := shiftsOr(a, 3); got != "shift_two" || err != nil {
				t.Errorf("the first: %s, %v", got, err)
			}
		})
	}
	wg.Wait()
	if want := map[string]int{"plain": 10, "one": 10, "two": 10}; !maps.Equal(samples, want) {
		t.Errorf("samples %v, want %v", samples, want)
	}
	if got := shifts(t, b, 3); got != "shift_two" || !devicetest.Machine(b).Choices()[1].Cached {
		t.Errorf("the second, which came later: %s, %+v", got, devicetest.Machine(b).Choices())
	}
	c, none := tuning(t, nil)
	if first, second := shifts(t, c, 5), shifts(t, c, 3); first != "shift" || second != "shift_two" || len(none) > 0 {
		t.Errorf("the third: %s, %s, samples %v", first, second, none)
	}
	var kept struct{ Choices []tune.Choice }
	text, err := os.ReadFile(devicetest.Machine(c).TuneFile())
	if err != nil || json.Unmarshal(text, &kept) != nil || len(kept.Choices) != 2 {
		t.Errorf("kept %s, %v", text, err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(devicetest.Machine(c).TuneFile()), "*")); len(left) != 1 {
		t.Errorf("files %v, want one", left)
	}
}
