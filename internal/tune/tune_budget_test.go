package tune_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/internal/ir"
)

// TestTuneBudget wants no sample once those before took 300 ms.
func TestTuneBudget(t *testing.T) {
	for _, c := range []struct {
		took    time.Duration
		samples int
		want    string
	}{
		{160 * time.Millisecond, 1, "shift_one"}, // a first one
		{100 * time.Millisecond, 4, "shift_one"}, // first ones of one and two, and again
		{35 * time.Millisecond, 9, "shift_one"},  // two rounds of three
		{30 * time.Millisecond, 11, "shift_two"},
		{time.Millisecond, 30, "shift_two"},
	} {
		cache(t)
		dev, samples := devicetest.Fresh(t), 0
		dev.Tune(true)
		devicetest.Machine(dev).Fake(func(variant string) (time.Duration, time.Duration, error) {
			samples++
			return map[string]time.Duration{"one": 9000, "plain": 8000, "two": 7000}[variant], c.took, nil
		}, 1e9, 1e12)
		if got := shifts(t, dev, 3); got != c.want || samples != c.samples {
			t.Errorf("samples of %v: %s after %d, want %s after %d", c.took, got, samples, c.want, c.samples)
		}
		if c.samples == 1 && devicetest.Machine(dev).Choices()[0].Candidates[4].Left != "no time was left to measure it" {
			t.Errorf("%+v", devicetest.Machine(dev).Choices())
		}
	}
}

// TestTuneLong wants variants that do not suit a device tried where runs are short.
func TestTuneLong(t *testing.T) {
	for us, want := range map[int]string{20_000: "shift_two", 20_001: "shift_one"} {
		cache(t)
		dev, _ := tuning(t, map[string]int{"one": us, "two": 1, "plain": 1000})
		if got := shifts(t, dev, 3); got != want {
			t.Errorf("%d us: %s, want %s", us, got, want)
		}
		if left := devicetest.Machine(dev).Choices()[0].Candidates[1].Left; us > 20_000 && left != "is not for this kind of adapter, and not tried where one takes 20ms" {
			t.Errorf("left out because it %q", left)
		}
	}
}

// TestTuneClose wants the device's own choice where others are not clearly faster.
func TestTuneClose(t *testing.T) {
	cache(t)
	dev, n := devicetest.Fresh(t), 0
	dev.Tune(true)
	devicetest.Machine(dev).Fake(func(variant string) (time.Duration, time.Duration, error) {
		n++
		t := map[string]time.Duration{"one": 9000, "plain": 9500, "two": 8000}[variant]
		if variant == "one" && n > 10 && n < 14 {
			t = 7900
		}
		return t, time.Millisecond, nil
	}, 1e9, 1e12)
	if got := shifts(t, dev, 3); got != "shift_one" {
		t.Errorf("the program is %s: %+v", got, devicetest.Machine(dev).Choices())
	}
	if r := devicetest.Machine(dev).Choices()[0].Reason; r != "the device's own choice; the median of two, 8µs, is not below its least time, 7.9µs" {
		t.Errorf("reason %q", r)
	}
}

// TestTuneFails wants a variant that cannot be measured left out, and a device that is
// lost to be an error.
func TestTuneFails(t *testing.T) {
	cache(t)
	dev := devicetest.Fresh(t)
	dev.Tune(true)
	fails := map[string]error{"one": compute.ErrOutOfMemory}
	devicetest.Machine(dev).Fake(func(variant string) (time.Duration, time.Duration, error) {
		return 9000, time.Millisecond, fails[variant]
	}, 1e9, 1e12)
	if got := shifts(t, dev, 3); got != "shift_two" || devicetest.Machine(dev).Choices()[0].Candidates[0].Left != compute.ErrOutOfMemory.Error() {
		t.Errorf("%s, %+v", got, devicetest.Machine(dev).Choices())
	}
	for _, variant := range []string{"plain", "two", "much"} {
		fails[variant] = compute.ErrOutOfMemory
	}
	if got := shifts(t, dev, 4); got != "shift_one" || devicetest.Machine(dev).Choices()[1].Reason != "none could be measured" {
		t.Errorf("%s, %+v", got, devicetest.Machine(dev).Choices())
	}
	fails["one"] = compute.ErrDeviceLost
	if name, err := shiftsOr(dev, 6); !errors.Is(err, compute.ErrDeviceLost) {
		t.Errorf("on a lost device: %s, %v", name, err)
	}
}

// TestTuneMeasures measures, on any adapter, and wants every candidate measured or
// left out, and nothing left of it in memory.
func TestTuneMeasures(t *testing.T) {
	cache(t)
	dev := devicetest.Fresh(t)
	devicetest.NoLeaks(t, dev)
	dev.Tune(true)
	shifts(t, dev, 1000)
	choices := devicetest.Machine(dev).Choices()
	if len(choices) != 1 || len(choices[0].Candidates) != 5 {
		t.Fatalf("choices %+v", choices)
	}
	c := choices[0]
	for _, x := range c.Candidates {
		if x.Floor <= 0 || x.Samples == 0 && x.Left == "" || x.Samples > 0 && !(0 < x.Least && x.Least <= x.Median && x.Median <= x.Most) {
			t.Errorf("%+v", x)
		}
		if x.Variant == c.Variant && x.Samples == 0 {
			t.Errorf("chosen without a sample: %+v", c)
		}
	}
	flops, bytes, dispatch, err := devicetest.Machine(dev).Ceilings()
	if err != nil || flops < 1e6 || bytes < 1e6 || dispatch <= 0 {
		t.Errorf("ceilings: %v flops and %v bytes a second, %v a dispatch, %v", flops, bytes, dispatch, err)
	}
}

// TestCeilings judges the kernels that measure ceilings.
func TestCeilings(t *testing.T) {
	cache(t)
	dev := devicetest.Fresh(t)
	var all []*ir.Kernel
	for _, k := range ir.Kernels() {
		if strings.HasPrefix(k.Name(), "ceiling.") {
			all = append(all, k)
		}
	}
	before := all[0].GPURuns()
	if wrong, err := devicetest.Machine(dev).Check(all...); len(all) != 2 || len(wrong) > 0 || err != nil || all[0].GPURuns() == before {
		t.Errorf("%d kernels, %v, %v", len(all), wrong, err)
	}
}
