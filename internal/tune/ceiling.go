package tune

import (
	"math"
	"time"

	"github.com/pumice-ml/pumice/internal/ir"
)

// ceilings are what an adapter does at most, and how long the least dispatch takes:
// the best that was seen.
type ceilings struct {
	Flops    float64       `json:"flops_per_second"`
	Bytes    float64       `json:"bytes_per_second"`
	Dispatch time.Duration `json:"dispatch_ns"`
}

// work is what one dispatch needs at least.
type work struct{ flops, bytes float64 }

// floor is the least time for work at the ceilings, one dispatch after the other: the
// roofline (Williams, Waterman and Patterson 2009).
func (c ceilings) floor(list []work) time.Duration {
	var t time.Duration
	for _, w := range list {
		t += max(c.Dispatch, seconds(w.flops/c.Flops), seconds(w.bytes/c.Bytes))
	}
	return t
}

// raise lifts the ceilings to what a dispatch reached that took so long.
func (c *ceilings) raise(w work, t time.Duration) {
	c.Flops, c.Bytes = max(c.Flops, w.flops/t.Seconds()), max(c.Bytes, w.bytes/t.Seconds())
}

func seconds(s float64) time.Duration { return time.Duration(math.Round(s * float64(time.Second))) }

// works is what the dispatches of a list need, on a device.
func (d *Device) works(list []ir.Dispatch) ([]work, error) {
	var all []work
	for i := range list {
		groups, err := list[i].Grid(int(d.Info().Limits.WorkgroupsPerDimension))
		if err != nil {
			return nil, err
		}
		flops, err := list[i].Flops(groups)
		if err != nil {
			return nil, err
		}
		all = append(all, work{float64(flops), float64(list[i].Bytes())})
	}
	return all, nil
}

type ceilingParams struct {
	M, K uint32
	F, G float32
}

var (
	// Horner's rule rounds twice a step (Higham, Accuracy and Stability, section 5.1).
	ceilingProducts = ir.NewKernel("ceiling.products", func(p ceilingParams, b [][]float64) {
		for i, x := range b[0] {
			for range 16 * p.K {
				x = x*float64(p.F) + float64(p.G)
			}
			b[1][i] = x
		}
	}, ir.DotOf(func(p ceilingParams) int { return 32 * int(p.K) }))
	ceilingSums = ir.NewKernel("ceiling.sums", func(p ceilingParams, b [][]float64) {
		for i := range b[1] {
			b[1][i] = 0
			for j := range 16 {
				b[1][i] += b[0][i+4*int(p.M)*j]
			}
		}
	}, ir.Reduce(16))
)

// probes are dispatches that come near the ceilings: of products, each longer than the
// one before; of loads, from what caches hold to what they do not; and of next to
// nothing.
func probes(d *Device) (products, sums []ir.Dispatch, nothing ir.Dispatch) {
	t := ir.NewTape(d)
	one := func(k *ir.Kernel, p ceilingParams, x, y int) ir.Dispatch {
		k.Run(p, t.New(x), t.New(y))
		return t.Dispatches()[len(t.Dispatches())-1]
	}
	const m = 1 << 17
	for k := uint32(4); k <= 1024; k *= 4 {
		products = append(products, one(ceilingProducts, ceilingParams{m, k, 0.5, 0.5}, 8*m, 8*m))
	}
	limit := min(d.Info().Limits.StorageBindingSize, d.Info().Limits.BufferSize)
	for m := 1 << 12; m <= 1<<18 && uint64(m)*256 <= limit; m *= 4 {
		sums = append(sums, one(ceilingSums, ceilingParams{M: uint32(m)}, 64*m, 4*m))
	}
	return products, sums, one(ceilingSums, ceilingParams{M: 1}, 64, 4)
}

// long is the time of a probe from which on longer ones tell no more.
const long = 2 * time.Millisecond

// probe measures the ceilings with a function that times a dispatch.
func probe(d *Device, sample func(x ir.Dispatch) (time.Duration, error)) (ceilings, error) {
	products, sums, nothing := probes(d)
	t, err := sample(nothing)
	if err != nil {
		return ceilings{}, err
	}
	c := ceilings{Dispatch: t}
	for _, list := range [][]ir.Dispatch{products, sums} {
		for _, x := range list {
			w, err := d.works([]ir.Dispatch{x})
			if err != nil {
				return ceilings{}, err
			}
			t, err := sample(x)
			if err != nil {
				return ceilings{}, err
			}
			c.raise(w[0], t)
			if t > long {
				break
			}
		}
	}
	return c, nil
}
