package compute_test

import (
	"context"
	"fmt"
	"log"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/internal/compiler"
	"github.com/pumice-ml/pumice/layers"
)

// ExampleProgram_Profile finds the dispatch that takes the time of a program.
func ExampleProgram_Profile() {
	ctx := context.Background()
	dev, err := compute.Open(ctx) // which writes timestamps where its adapter can
	if err != nil {
		log.Fatal(err)
	}
	defer dev.Close()
	t := compute.NewTape(dev)
	x, y := t.Input("x", compute.F32, 256, 256), t.Zeros(256, 256)
	layers.MatMul(x, x, y, layers.MatMulOptions{})
	t.Keep(layers.Softmax{}.Forward(t, y))
	p, err := t.Compile()
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	steps, err := devicetest.Steps(p)
	if err != nil {
		log.Fatal(err)
	}
	profile, err := (*compiler.Program)(p).Profile(ctx, 3)
	if err != nil {
		log.Fatal(err)
	}
	most := 0
	for i, d := range profile.Times {
		if d > profile.Times[most] {
			most = i
		}
	}
	fmt.Println("a time for each dispatch:", len(profile.Times) == len(steps))
	fmt.Println("most of it goes to a kernel with a name:", steps[most].Kernel != "") // matmul, where nothing else runs
	// Output:
	// a time for each dispatch: true
	// most of it goes to a kernel with a name: true
}
