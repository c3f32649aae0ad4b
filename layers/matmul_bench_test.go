package layers

import (
	"fmt"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/internal/tapeoption"
)

// BenchmarkMatMul reports GFLOP/s of each variant, which it forces on any adapter, and
// of the plain kernel. A variant that does not take a shape is left out.
//
//	go test ./layers -run '^$' -bench 'MatMul/4096,4096,4096'
func BenchmarkMatMul(b *testing.B) {
	dev := devicetest.Open(b)
	for _, s := range []productShape{
		{batch: 1, m: 256, k: 256, n: 256},
		{batch: 1, m: 1024, k: 1024, n: 1024},
		{batch: 1, m: 4096, k: 4096, n: 4096},
		{batch: 1, m: 4096, k: 4096, n: 4096, o: MatMulOptions{TransposeA: true}},
		{batch: 1, m: 4096, k: 4096, n: 4096, o: MatMulOptions{TransposeB: true}},
		{batch: 1, m: 4095, k: 4095, n: 4095},
		{batch: 1, m: 256, k: 16_384, n: 256},
		{batch: 1, m: 16, k: 4096, n: 4096, o: MatMulOptions{TransposeB: true}},
		{batch: 1, m: 1, k: 4096, n: 4096},
		{batch: 1, m: 1, k: 4096, n: 4096, o: MatMulOptions{TransposeB: true}},
		{batch: 1, m: 8, k: 4096, n: 4096, o: MatMulOptions{TransposeB: true}},
	} {
		name := fmt.Sprintf("%d,%d,%d", s.m, s.k, s.n)
		if s.o.TransposeA {
			name += ",ta"
		}
		if s.o.TransposeB {
			name += ",tb"
		}
		for _, variant := range variantsOf(matmulForward) {
			b.Run(name+"/"+variant, func(b *testing.B) {
				if dev.Info().Type == "software" && s.m*s.k*s.n > 1<<30 {
					b.Skip("it is for GPUs: minutes on a software adapter")
				}
				t := compute.NewTape(dev, &tapeoption.Switches{Variant: variant})
				left, right, _ := s.operands(t)
				y := t.Zeros(s.batch, s.m, s.n)
				MatMul(left, right, y, s.o)
				t.Keep(y)
				if variant != "plain" && !varies(t) {
					b.Skip("it does not take this shape")
				}
				flops := measure(b, t)
				b.ReportMetric(flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}
