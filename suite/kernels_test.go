package suite

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/layers"
)

// kernelsPerProgram are random kernels between random layers.
const kernelsPerProgram = 20

// environment is a number of the environment, or another one.
func environment(t *testing.T, name string, otherwise int) int {
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		t.Fatalf("%s=%s, want a number", name, text)
	}
	return n
}

// program is what a seed records.
type program struct {
	seed    uint64
	divides bool
	kernels []*random
	params  []layers.Layer // by the order in which they were first used
}

// layer is the layer of a place in the program, the same in each recording.
func (p *program) layer(at int, make func() layers.Layer) layers.Layer {
	for len(p.params) <= at {
		l := make()
		layers.Initialize(l, uint32(p.seed)+uint32(at))
		p.params = append(p.params, l)
	}
	return p.params[at]
}

// record records random operations and the kernels, and returns what is kept.
func (p *program) record(t *compute.Tape) (input *compute.Tensor, kept []*compute.Tensor) {
	r := rand.New(rand.NewPCG(p.seed, 1<<40))
	input = t.Input("input", compute.F32, 2, 3, 6, 6)
	all := []*compute.Tensor{input}
	at := 0
	for n := 0; n < len(p.kernels); {
		x := all[max(r.IntN(len(all)), r.IntN(len(all)))] // rather a late one
		if r.IntN(3) == 0 {
			if y := p.operation(t, r, &at, all, x); y != nil {
				all = append(all, y)
			}
			continue
		}
		k := p.kernels[n]
		n++
		var same []*compute.Tensor
		for _, z := range all {
			if z.Len() == x.Len() {
				same = append(same, z)
			}
		}
		z := same[r.IntN(len(same))]
		var y *compute.Tensor
		for _, old := range same { // sometimes over what is there
			if old != input && old != x && old != z && r.IntN(8) == 0 {
				y = old
			}
		}
		switch {
		case y != nil:
		case k.whole() && r.IntN(2) == 0:
			y = t.New(x.Shape()...)
		default:
			y = t.Zeros(x.Shape()...)
		}
		var tensors []*compute.Tensor
		for _, role := range k.roles {
			tensors = append(tensors, map[string]*compute.Tensor{"x": x, "y": y, "z": z}[role])
		}
		k.Run(pointParams{uint32(x.Len()), float32(r.IntN(9)-4) / 4}, tensors...)
		if !slices.Contains(all, y) {
			all = append(all, y)
		}
	}
	for i, y := range all[1:] {
		if r.IntN(4) == 0 || i == len(all)-2 {
			kept = append(kept, y)
		}
	}
	t.Keep(kept...)
	return input, kept
}

// operation records one of the layers on x, or nothing where it does not suit.
func (p *program) operation(t *compute.Tape, r *rand.Rand, at *int, all []*compute.Tensor, x *compute.Tensor) *compute.Tensor {
	activations := []layers.Layer{layers.ReLU{}, layers.Tanh{}, layers.Sigmoid{}, layers.GELU{}, layers.SiLU{}, layers.LeakyReLU{}, layers.ELU{}, layers.Softplus{}}
	switch r.IntN(6) {
	case 0, 1:
		return activations[r.IntN(len(activations))].Forward(t, x)
	case 2:
		z := all[r.IntN(len(all))]
		if !slices.Equal(z.Shape(), x.Shape()) {
			return nil
		}
		if r.IntN(2) == 0 {
			return layers.Add(t, x, z)
		}
		return layers.Mul(t, layers.Tanh{}.Forward(t, x), z)
	case 3:
		if len(x.Shape()) != 4 || x.Dim(2) < 2 {
			return nil
		}
		pools := []layers.Layer{layers.MaxPool2D{Size: 2}, layers.AvgPool2D{Size: 2}, layers.GlobalAvgPool{}}
		if !p.divides {
			pools = pools[:1]
		}
		return pools[r.IntN(len(pools))].Forward(t, x)
	case 4:
		if len(x.Shape()) != 4 || x.Dim(2) < 3 {
			return nil
		}
		*at++
		return p.layer(*at-1, func() layers.Layer { return layers.NewConv2D(x.Dim(1), 3, 3) }).Forward(t, x)
	default:
		if len(x.Shape()) != 2 {
			return nil
		}
		*at++
		return p.layer(*at-1, func() layers.Layer { return layers.NewLinear(x.Dim(1), 5) }).Forward(t, x)
	}
}

// run compiles and runs the program, twice, and returns what is kept, and how many
// launches it takes.
func (p *program) run(dev *compute.Device, without ...string) (kept [][]float32, launches int, err error) {
	ctx := context.Background()
	tape := compute.NewTape(dev)
	input, tensors := p.record(tape)
	c, err := tape.Compile(without...)
	if err != nil {
		return nil, 0, err
	}
	defer c.Close()
	steps, err := devicetest.Steps(c)
	if err != nil {
		return nil, 0, err
	}
	r := rand.New(rand.NewPCG(p.seed, 1<<41))
	in := make([]float32, input.Len())
	for i := range in {
		in[i] = float32(r.NormFloat64())
	}
	if err := c.Write(input, in); err != nil {
		return nil, 0, err
	}
	for range 2 {
		if err := c.Run(ctx); err != nil {
			return nil, 0, err
		}
		for _, x := range tensors {
			out := make([]float32, x.Len())
			if err := c.Read(ctx, x, out); err != nil {
				return nil, 0, err
			}
			kept = append(kept, out)
		}
	}
	return kept, len(steps), nil
}

// TestKernels wants programs of random kernels, in random spelling, between random layers
// to compute the same compiled as uncompiled, bit for bit. PUMICE_KERNELS is how many
// kernels, PUMICE_SEED the first program's seed.
func TestKernels(t *testing.T) {
	t.Setenv("PUMICE_CACHE", t.TempDir())
	dev := devicetest.Open(t)
	first := environment(t, "PUMICE_SEED", 1)
	compiled, plain, programs := 0, 0, 0
	for n := 0; n < environment(t, "PUMICE_KERNELS", 100); n += kernelsPerProgram {
		seed := uint64(first + n/kernelsPerProgram)
		p := &program{seed: seed, divides: seed%3 > 0}
		for k := range kernelsPerProgram {
			p.kernels = append(p.kernels, newRandom(p.seed, k, p.divides))
		}
		// Choose takes kernels that add in another order, and Specialise makes params
		// constants, which drivers fold and divide by in another way.
		same, without := []string{"choose"}, devicetest.Passes()
		if seed%2 == 0 {
			same, without = nil, slices.DeleteFunc(without, func(p string) bool { return p == "choose" })
		}
		without = slices.DeleteFunc(without, func(p string) bool { return p == "specialise" })
		got, few, err := p.run(dev, same...)
		if err != nil {
			t.Errorf("PUMICE_SEED=%d: compiled: %v", p.seed, err)
			continue
		}
		want, many, err := p.run(dev, append(without, "check")...)
		if err != nil {
			t.Errorf("PUMICE_SEED=%d: uncompiled: %v", p.seed, err)
			continue
		}
		compiled, plain, programs = compiled+few, plain+many, programs+1
		if problem := differs(got, want); problem != "" {
			t.Errorf("PUMICE_SEED=%d: %s", p.seed, problem)
		}
	}
	t.Logf("%d programs of %d kernels: %d launches compiled, %d uncompiled", programs, kernelsPerProgram, compiled, plain)
	if programs > 0 && compiled >= plain {
		t.Errorf("%d launches compiled, %d uncompiled: no pass has done anything", compiled, plain)
	}
}

func differs(got, want [][]float32) string {
	for i, w := range want {
		for j := range w {
			if math.Float32bits(got[i][j]) != math.Float32bits(w[j]) {
				return fmt.Sprintf("kept tensor %d of %d, element %d of %d: compiled %v, uncompiled %v", i, len(want), j, len(w), got[i][j], w[j])
			}
		}
	}
	return ""
}
