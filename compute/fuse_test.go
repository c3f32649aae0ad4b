package compute_test

import (
	"slices"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/internal/rule"
)

// Kernels of which the first absorbs the second.
var (
	doubledFirst = double("double_first", "2.0 * x[id.x]")
	doubledThen  = double("double_then", "2.0 * x[id.x]")
)

var doubledTwice = rule.New("twice", []*compute.Kernel{doubledFirst, doubledThen}, func(_ *compute.Tape, runs []rule.Run, _ bool) bool {
	doubledFirst.Run(runs[0].Params, runs[0].Tensors[0], runs[1].Tensors[1]) // the test looks at the list alone
	return true
})

// TestFuse wants two runs to become one only where nobody else sees what stands
// between them.
func TestFuse(t *testing.T) {
	dev := devicetest.Fresh(t)
	p := doubleParams{5}
	for name, c := range map[string]struct {
		record func(tape *compute.Tape, x, y, z *compute.Tensor)
		want   []string
	}{
		"alone": {func(_ *compute.Tape, x, y, z *compute.Tensor) {
			doubledFirst.Run(p, x, y)
			doubledThen.Run(p, y, z)
		}, []string{"double_first.forward"}},
		"kept": {func(tape *compute.Tape, x, y, z *compute.Tensor) {
			doubledFirst.Run(p, x, y)
			doubledThen.Run(p, y, z)
			tape.Keep(y)
		}, []string{"double_first.forward", "double_then.forward"}},
		"read twice": {func(tape *compute.Tape, x, y, z *compute.Tensor) {
			other := tape.New(5)
			tape.Keep(other)
			doubledFirst.Run(p, x, y)
			doubledThen.Run(p, y, z)
			doubledThen.Run(p, y, other)
		}, []string{"double_first.forward", "double_then.forward", "double_then.forward"}},
		"other kernel": {func(_ *compute.Tape, x, y, z *compute.Tensor) {
			doubledThen.Run(p, x, y)
			doubledFirst.Run(p, y, z)
		}, []string{"double_then.forward", "double_first.forward"}},
		"input written between": {func(tape *compute.Tape, _, y, z *compute.Tensor) {
			w := tape.New(5)
			x := tape.Input("x2", compute.F32, 5)
			doubledThen.Run(p, x, w)
			doubledFirst.Run(p, w, y)
			doubledThen.Run(p, x, w)
			doubledThen.Run(p, y, z)
			tape.Keep(w)
		}, []string{"double_then.forward", "double_first.forward", "double_then.forward"}}, // for it stands before that
		"a parameter": {func(tape *compute.Tape, x, _, z *compute.Tensor) {
			w := tape.Param(compute.NewParam("w", 5))
			doubledFirst.Run(p, x, w)
			doubledThen.Run(p, w, z)
		}, []string{"double_first.forward", "double_then.forward"}},
	} {
		t.Run(name, func(t *testing.T) {
			tape := compute.NewTape(dev)
			rule.Use(tape, doubledTwice)
			x, y, z := tape.Input("x", compute.F32, 5), tape.New(5), tape.New(5)
			tape.Keep(z)
			c.record(tape, x, y, z)
			names := func(without ...string) (all []string) {
				for _, d := range devicetest.Lowered(tape, without...) {
					all = append(all, d.Kernel.Name())
				}
				return all
			}
			if got := names(); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
			if got := names("fuse"); len(got) != len(devicetest.Dispatches(tape)) {
				t.Errorf("without fusion: %v", got)
			}
		})
	}
}
