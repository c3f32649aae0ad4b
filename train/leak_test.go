package train

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/layers"
)

// held is what a process holds.
type held struct {
	ledger     []compute.Usage
	goroutines int
	resident   int // bytes of memory; 0 where the system does not say
}

// measure counts once everything that can be given back was.
func measure(t *testing.T, dev *compute.Device) (h held) {
	t.Helper()
	if err := dev.Wait(context.Background()); err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	debug.FreeOSMemory()
	h.ledger, h.goroutines = dev.Ledger(), runtime.NumGoroutine()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return h
	}
	for line := range strings.Lines(string(status)) {
		if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &h.resident); err == nil {
			h.resident *= 1024
			return h
		}
	}
	t.Fatalf("no VmRSS in %s", status)
	return h
}

// TestLeaks trains for 2,000 steps after a warm-up, or as many as PUMICE_LEAK_STEPS says,
// with all that goes on beside them: sums are read, the model is evaluated, checkpoints
// are written. The device must then hold the same buffers, the process the same
// goroutines and less than 1 MiB more of memory.
func TestLeaks(t *testing.T) {
	const steps, warm = 100, 20 // of an epoch; epochs
	epochs := warm + 20
	if text := os.Getenv("PUMICE_LEAK_STEPS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < steps {
			t.Fatalf("PUMICE_LEAK_STEPS is %q, want a number of %d or more", text, steps)
		}
		epochs = warm + n/steps
	}
	dev := devicetest.Open(t)
	devicetest.NoLeaks(t, dev)
	var before, after held
	l := Loop{
		Model: small(), Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &AdamW{}, Batch: 4, Epochs: epochs, Seed: 1,
		Checkpoint: t.TempDir() + "/c.safetensors", Interval: 500 * time.Millisecond,
		Progress: func(Progress) {},
		Finished: func(e Epoch, _ int) {
			switch e.Epoch {
			case warm:
				before = measure(t, dev)
			case epochs:
				after = measure(t, dev)
			}
		},
	}
	defer forget(dev, l.Model)
	if _, err := l.Run(context.Background(), dev, stripes(4*steps, 1), stripes(20, 2)); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(before.ledger, after.ledger) || before.goroutines != after.goroutines {
		t.Errorf("after warm-up %+v, %d steps later %+v", before, (epochs-warm)*steps, after)
	}
	grown := after.resident - before.resident
	t.Logf("%d steps: %d bytes resident, %d more than before; %d goroutines; %+v", (epochs-warm)*steps, after.resident, grown, after.goroutines, after.ledger)
	if grown >= 1<<20 {
		t.Errorf("%d bytes more are resident after %d steps, want less than 1 MiB", grown, (epochs-warm)*steps)
	}
}
