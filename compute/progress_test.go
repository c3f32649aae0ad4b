package compute_test

import (
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/internal/engine"
)

// Whoever asks is told of each text that a program compiles, once, when the driver is
// through with it; of a program whose texts are there already, nothing.
func TestProgress(t *testing.T) {
	dev := devicetest.Open(t)
	told := make(chan compute.Progress, 100)
	remove := dev.OnProgress(func(p compute.Progress) {
		if p.Stage == engine.Compiling {
			told <- p
		}
	})
	defer remove()
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
	before := devicetest.Machine(dev).Pipelines()
	build()
	var last compute.Progress
	for names := 0; names < devicetest.Machine(dev).Pipelines()-before; {
		p := <-told
		if p.Done > p.Total || p.Name == "" && p.Done == p.Total {
			t.Errorf("told of %+v", p)
		}
		if p.Name != "" {
			names++
		}
		last = p
	}
	if last.Done != last.Total || last.Name != "twice_told.forward" {
		t.Errorf("the last one is %+v", last)
	}
	build()
	if n := len(told); n > 0 {
		t.Errorf("of a program without new texts: %d, the first %+v", n, <-told)
	}
}
