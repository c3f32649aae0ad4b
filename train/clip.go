package train

import (
	"fmt"
	"math"

	"github.com/pumice-ml/pumice/compute"
)

// Clip bounds the gradients before each update: first each number, then all of them
// together. With Storage F16 that is after they are divided by the loss scale, with
// Accumulate after the last batch of an update.
type Clip struct {
	// Value bounds each element: dw = min(max(dw, -Value), Value); 0 does not.
	Value float64
	// Norm bounds the root of the sum of all squares: all are multiplied by min(1,
	// Norm/(norm + 1e-6)), as PyTorch's clip_grad_norm_ does (Pascanu et al. 2013); 0
	// does not. A norm beyond 1.8e19, whose square no f32 holds, leaves anything.
	Norm float64
}

func (c Clip) check() error {
	for name, v := range map[string]float64{"Value": c.Value, "Norm": c.Norm} {
		if v != 0 && !positive(v) {
			return fmt.Errorf("train: Clip: %s is %v, want a positive number, or 0 for none", name, v)
		}
	}
	return nil
}

// normLanes is the most parts that a gradient's sum of squares has.
const normLanes = 4096

// record records the clipping of the gradients of a state.
func (c Clip) record(t *compute.Tape, s *State) {
	if c.Value > 0 {
		s.each(t, func(_ string, _, dw *compute.Tensor) {
			clipValue.Run(clipParams{uint32(dw.Len()), float32(c.Value)}, dw)
		})
	}
	if c.Norm == 0 {
		return
	}
	var parts []*compute.Tensor
	s.each(t, func(_ string, _, dw *compute.Tensor) {
		part := t.NewF32(max(1, min(dw.Len(), normLanes)))
		clipNormSquare.Run(clipNormParams{N: uint32(dw.Len()), Lanes: uint32(part.Len())}, dw, part)
		parts = append(parts, part)
	})
	total := t.ZerosF32(1)
	for len(parts) > 0 {
		p, tensors := clipNormParams{}, make([]*compute.Tensor, 6)
		lengths := []*uint32{&p.N0, &p.N1, &p.N2, &p.N3, &p.N4, &p.N5}
		for i := range tensors {
			tensors[i] = parts[0] // of which none is counted
			if i < len(parts) {
				tensors[i], *lengths[i] = parts[i], uint32(parts[i].Len())
			}
		}
		clipNormGather.Run(p, append(tensors, total)...)
		parts = parts[min(6, len(parts)):]
	}
	s.each(t, func(_ string, _, dw *compute.Tensor) {
		clipNormScale.Run(clipNormParams{N: uint32(dw.Len()), Most: float32(c.Norm)}, dw, total)
	})
}

type clipParams struct {
	N    uint32
	Most float32
}

var clipValue = compute.NewKernel("clip.value", func(p clipParams, b [][]float64) {
	for i, d := range b[0] {
		if !math.IsNaN(d) {
			b[0][i] = min(max(d, -float64(p.Most)), float64(p.Most))
		}
	}
}, compute.Exact)

type clipNormParams struct {
	N, Lanes, N0, N1, N2, N3, N4, N5 uint32
	Most                             float32
}

// square: each part is a sum of products.
var clipNormSquare = compute.NewKernel("clip_norm.square", func(p clipNormParams, b [][]float64) {
	g, part := b[0], b[1]
	clear(part)
	for i, v := range g {
		part[i%int(p.Lanes)] += v * v
	}
}, compute.DotOf(func(p clipNormParams) int { return int((p.N + p.Lanes - 1) / p.Lanes) }))

var clipNormGather = compute.NewKernel("clip_norm.gather", func(p clipNormParams, b [][]float64) {
	for i, n := range []uint32{p.N0, p.N1, p.N2, p.N3, p.N4, p.N5} {
		for _, v := range b[i][:n] {
			b[6][0] += v
		}
	}
}, compute.ReduceOf(func(p clipNormParams) int { return int(p.N0+p.N1+p.N2+p.N3+p.N4+p.N5) + 1 }))

var clipNormScale = compute.NewKernel("clip_norm.scale", func(p clipNormParams, b [][]float64) {
	factor := min(1, float64(p.Most)/(math.Sqrt(b[1][0])+1e-6))
	for i := range b[0] {
		b[0][i] *= factor
	}
}, compute.Func(func(r *compute.Reference32) [][]float64 {
	// The root is off by 2.5 ULP, the constant and the sum are rounded, the quotient is
	// off by 2.5 ULP again, and the product is rounded.
	out := make([]float64, len(r.Want[0]))
	for i, want := range r.Want[0] {
		out[i] = compute.Gamma(5+2+5+1)*math.Abs(want) + 2*smallest*(1+math.Abs(r.In[0][i]))
	}
	return [][]float64{out, nil}
}))
