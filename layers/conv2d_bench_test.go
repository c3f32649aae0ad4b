package layers

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/internal/tapeoption"
)

// BenchmarkConv2D reports GFLOP/s, padding taps counted, of the layers of a
// small network for digits (a, b), of two common sizes (c, d), of one tap (e, f), and,
// on GPUs alone, of larger ones (g to j, j with a group for each channel).
func BenchmarkConv2D(b *testing.B) {
	reference := compute.Reference()
	defer reference.Close()
	for _, s := range []struct {
		name                                  string
		n, in, size, out, kernel, pad, groups int
	}{
		{"a", 64, 1, 28, 8, 5, 0, 1}, {"b", 64, 8, 12, 16, 5, 0, 1}, {"c", 32, 16, 14, 32, 3, 1, 1}, {"d", 8, 32, 28, 64, 3, 1, 1},
		{"e", 8, 64, 28, 64, 1, 0, 1}, {"f", 8, 256, 14, 64, 1, 0, 1},
		{"g", 64, 64, 56, 64, 3, 1, 1}, {"h", 64, 256, 14, 256, 3, 1, 1}, {"i", 64, 3, 224, 64, 7, 3, 1}, {"j", 64, 256, 28, 256, 3, 1, 256},
	} {
		for _, dev := range []*compute.Device{devicetest.Open(b), reference} {
			if s.name >= "g" && !hardware(dev.Info()) {
				continue
			}
			variants := []string{"reference"}
			if !dev.IsReference() {
				variants = variantsOf(convForward)
			}
			for _, what := range []string{"y", "dx", "dw"} {
				for _, variant := range variants {
					b.Run(s.name+"/"+what+"/"+variant, func(b *testing.B) {
						l := NewConv2DGroups(s.in, s.out, s.kernel, s.kernel, s.groups)
						l.Padding, l.Bias = s.pad, nil
						defer dev.Forget(l.Weight)
						t := compute.NewTape(dev, &tapeoption.Switches{Variant: variant})
						x := t.Input("x", compute.F32, s.n, s.in, s.size, s.size)
						y := l.Forward(t, x)
						t.SetGrad(y, t.Input("dy", compute.F32, y.Shape()...))
						t.BackwardFromGrads()
						t.Keep(map[string]*compute.Tensor{"y": y, "dx": t.Grad(x), "dw": t.Grad(t.Param(l.Weight))}[what])
						if taken := slices.ContainsFunc(devicetest.Lowered(t), func(d ir.Dispatch) bool {
							return strings.Contains(d.Kernel.Name(), variant[:min(5, len(variant))])
						}); !taken && !dev.IsReference() && variant != "plain" {
							b.Skip("the variant has no kernel for this: another would be timed under its name")
						}
						flops := measure(b, t)
						b.ReportMetric(flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
					})
				}
			}
		}
	}
}

// measure runs the tape b.N times and returns the floating-point operations of
// one run.
func measure(b *testing.B, t *compute.Tape) (flops float64) {
	p, err := t.Compile()
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	steps, err := devicetest.Steps(p)
	if err != nil {
		b.Fatal(err)
	}
	for _, s := range steps {
		flops = max(flops, float64(s.Flops)) // the convolution, not what sums its parts
	}
	ctx := context.Background()
	run := func() {
		if err := p.Run(ctx); err != nil {
			b.Fatal(err)
		}
	}
	wait := func() {
		if err := t.Device().Wait(ctx); err != nil {
			b.Fatal(err)
		}
	}
	for range 2 { // the first run compiles, the second is measured for splitting
		run()
		wait()
	}
	b.ResetTimer()
	for range b.N {
		run()
	}
	wait()
	b.StopTimer()
	return flops
}
