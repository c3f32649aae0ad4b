package compute_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/pumice-ml/pumice/compute"
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
	steps, err := p.Steps()
	if err != nil {
		log.Fatal(err)
	}
	profile, err := p.Profile(ctx, 3)
	if err != nil {
		log.Fatal(err)
	}
	most := 0
	for i, d := range profile.Times {
		if d > profile.Times[most] {
			most = i
		}
	}
	kernel, _, _ := strings.Cut(steps[most].Kernel, "_") // of which devices choose variants
	fmt.Println("most of the time goes to", strings.TrimSuffix(kernel, ".forward"))
	// Output: most of the time goes to matmul
}
