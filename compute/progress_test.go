package compute_test

import (
	"slices"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
)

// Whoever asks is told of each kernel that a program compiles, once; of a program whose
// kernels are there already, nothing.
func TestProgress(t *testing.T) {
	dev := devicetest.Open(t)
	var all []compute.Progress
	remove := dev.OnProgress(func(p compute.Progress) { all = append(all, p) })
	twice := double("twice_told", "2.0 * x[id.x]")
	build := func() {
		tape := compute.NewTape(dev)
		x := tape.Input("x", compute.F32, 67)
		y := tape.New(67)
		twice.Run(doubleParams{67}, x, y)
		tape.Keep(y)
		p, err := tape.Compile()
		if err != nil {
			t.Fatal(err)
		}
		p.Close()
	}
	build()
	var names []string
	for i, p := range all {
		if p.Done > p.Total || p.Name == "" && p.Done == p.Total {
			t.Errorf("report %d: %+v", i, p)
		}
		if p.Stage == compute.Compiling && p.Name != "" {
			names = append(names, p.Name)
		}
	}
	if last := all[len(all)-1]; last.Done != last.Total || !slices.Contains(names, "twice_told.forward") {
		t.Errorf("the last report is %+v, of kernels %v", last, names)
	}
	told := len(all)
	build()
	if len(all) != told {
		t.Errorf("a program without new kernels is told of: %+v", all[told:])
	}
	remove()
}
