// Package devicetest gives tests a GPU device and checks what they did with it.
package devicetest

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/internal/compiler"
	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/internal/judge"
	"github.com/pumice-ml/pumice/internal/tune"
)

var open = sync.OnceValues(func() (*compute.Device, error) {
	dev, err := compute.Open(context.Background(), compute.Want{
		Name:          os.Getenv("PUMICE_ADAPTER"),
		DefaultLimits: os.Getenv("PUMICE_LIMITS") == "default",
	})
	if err == nil {
		dev.Tune(false)
	}
	return dev, err
})

// Open returns the GPU device that the tests of one process share: the best
// adapter, or the one whose name holds PUMICE_ADAPTER, with the guaranteed
// minimum of limits where PUMICE_LIMITS is default. It does not tune, so that what a
// test runs does not depend on what was measured. No adapter is a failure.
func Open(t testing.TB) *compute.Device {
	t.Helper()
	dev, err := open()
	if err != nil {
		t.Fatalf("%v\nmake test installs a software driver", err)
	}
	return dev
}

// Fresh returns a device of the test's own on the adapter of Open's, with all of its limits,
// which remembers nothing where PUMICE_CACHE is empty, does not tune, and is closed when the
// test ends.
func Fresh(t testing.TB) *compute.Device {
	t.Helper()
	dev, err := compute.Open(context.Background(), compute.Want{Name: Open(t).Info().Name})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dev.Close() })
	dev.Tune(false)
	return dev
}

// Full reports whether tests run the shapes and variants too that they else leave to the
// conformance cases, as PUMICE_TESTS=full says.
func Full() bool { return os.Getenv("PUMICE_TESTS") == "full" }

// NoLeaks fails the test where, at its end, the device holds more buffers than
// at the call, those of parameters among them.
func NoLeaks(t testing.TB, dev *compute.Device) {
	t.Helper()
	count := func() (n int) {
		for _, use := range dev.Ledger() {
			n += use.Buffers
		}
		return n
	}
	before := count()
	t.Cleanup(func() {
		if after := count(); after > before {
			t.Errorf("%d buffers leaked: %+v", after-before, dev.Ledger())
		}
	})
}

// Passes are those of the compiler, by name, in their order.
func Passes() (names []string) {
	for _, p := range ir.Passes() {
		names = append(names, string(p))
	}
	return names
}

// Machine is what a device does its work by.
func Machine(dev *compute.Device) *tune.Device { return (*compiler.Device)(dev).Machine() }

// Verify is Tape.Verify that returns the worst element of each tensor written.
func Verify(t *compute.Tape, inputs func(p *compute.Program) error, without ...string) ([]judge.Deviation, error) {
	return compiler.Verify(context.Background(), (*ir.Tape)(t), func(p *compiler.Program) error {
		if inputs == nil {
			return nil
		}
		return inputs((*compute.Program)(p))
	}, passes(without)...)
}

func passes(names []string) (all []ir.Pass) {
	for _, name := range names {
		all = append(all, ir.Pass(name))
	}
	return all
}

// Get64 copies a tensor of a program on the reference device, and Set64 sets one.
func Get64(p *compute.Program, x *compute.Tensor) []float64 {
	return (*compiler.Program)(p).Get64((*ir.Tensor)(x))
}

func Set64(p *compute.Program, x *compute.Tensor, data []float64) {
	(*compiler.Program)(p).Set64((*ir.Tensor)(x), data)
}

// Dispatches are those that a tape has recorded, and Lowered those that it compiles to,
// without the named passes and before any are merged.
func Dispatches(t *compute.Tape) []ir.Dispatch { return (*ir.Tape)(t).Dispatches() }

func Lowered(t *compute.Tape, without ...string) []ir.Dispatch {
	return compiler.Lowered((*ir.Tape)(t), passes(without)...)
}

// Runs reports whether dispatches are of a kernel.
func Runs(list []ir.Dispatch, k *compute.Kernel) bool {
	return slices.ContainsFunc(list, func(d ir.Dispatch) bool { return d.Kernel == (*ir.Kernel)(k) })
}

// RunsOn reports whether a device has what a kernel needs.
func RunsOn(k *compute.Kernel, dev *compute.Device) bool {
	return (*ir.Kernel)(k).RunsOn((*compiler.Device)(dev))
}

// Steps describes a program, dispatch by dispatch.
func Steps(p *compute.Program) ([]ir.Step, error) { return (*compiler.Program)(p).Steps() }

// Check fails the test for each deviation that is not legal, and where there
// are none at all.
func Check(t testing.TB, deviations []judge.Deviation, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if len(deviations) == 0 {
		t.Fatal("no dispatch was verified")
	}
	for _, d := range deviations {
		if !d.Legal {
			t.Error(d)
		}
	}
}

// Main runs a package's tests and then fails where a kernel that the package
// declares ran on no GPU in any of them. Call it from TestMain.
func Main(m *testing.M, pkg string) {
	code := m.Run()
	if code == 0 && flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.fuzz").Value.String() == "" && flag.Lookup("test.list").Value.String() == "" && flag.Lookup("test.skip").Value.String() == "" {
		for _, k := range ir.Kernels() {
			if dev, err := open(); err == nil && !k.RunsOn((*compiler.Device)(dev)) {
				continue
			}
			if strings.HasSuffix(k.Package(), pkg) && k.GPURuns() == 0 {
				fmt.Printf("kernel %s of %s ran in no test\n", k.Name(), k.Package())
				code = 1
			}
		}
	}
	os.Exit(code)
}
