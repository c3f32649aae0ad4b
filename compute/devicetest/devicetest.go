// Package devicetest gives tests a GPU device and checks what they did with it.
package devicetest

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/pumice-ml/pumice/compute"
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

// Check fails the test for each deviation that is not legal, and where there
// are none at all.
func Check(t testing.TB, deviations []compute.Deviation, err error) {
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
		for _, k := range compute.Kernels() {
			if dev, err := open(); err == nil && !k.RunsOn(dev) {
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
