package tune_test

import (
	"context"
	"runtime"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/internal/rule"
)

var ctx = context.Background()

// cache makes the user's cache folder an empty one, and gives a device of its own.
func cache(t *testing.T) (*compute.Device, string) {
	t.Helper()
	if runtime.GOOS == "js" {
		t.Skip("a browser has no files")
	}
	dir := t.TempDir()
	t.Setenv("PUMICE_CACHE", dir)
	return devicetest.Fresh(t), dir
}

// as is a rule by which another kernel does the work of one.
func as(of, k *compute.Kernel) ir.Rule {
	return rule.New(k.Name(), []*compute.Kernel{of}, func(_ *compute.Tape, runs []rule.Run, _ bool) bool {
		k.Run(runs[0].Params, runs[0].Tensors...)
		return true
	})
}

func never(compute.Info) bool { return false }

func suitsOf(suits func(compute.Info) bool) func(ir.Info) bool {
	if suits == nil {
		return nil
	}
	return rule.Suits(suits)
}
