package train

import "github.com/pumice-ml/pumice/compute"

// accumulator keeps the sum of the gradients of several batches in arrays of its own on
// the device. The kernels that compute gradients add to those.
type accumulator struct {
	batches int
	sums    []*compute.Param // in the order of State.Params
	seed    *compute.Param   // (1): 1, which losses without a scale start from
}

// gradientSum is what the names of the sums begin with.
const gradientSum = "train.gradient."

func newAccumulator(batches int, s *State) *accumulator {
	if batches == 1 {
		return nil
	}
	a := &accumulator{batches: batches, seed: compute.NewParam("train.one", 1)}
	a.seed.Frozen, a.seed.Data[0] = true, 1
	for i, p := range s.Params {
		sum := compute.NewParam(gradientSum+s.Names[i], p.Shape...)
		sum.Frozen = true
		a.sums = append(a.sums, sum)
	}
	return a
}

// arrays are what a checkpoint holds of it; there are none of a nil accumulator.
func (a *accumulator) arrays() []*compute.Param {
	if a == nil {
		return nil
	}
	return a.sums
}

// record has the gradients of the state added to the sums, and the one of the loss start
// from its share of the scale, or of 1.
func (a *accumulator) record(t *compute.Tape, s *State, loss *compute.Tensor, scale *compute.Param) {
	for i, p := range s.Params {
		t.SetGrad(t.Param(p), t.Param(a.sums[i]))
	}
	if scale == nil {
		scale = a.seed
	}
	start := t.NewF32(1)
	accumulateSeed.Run(accumulateParams{Share: float32(1 / float64(a.batches))}, t.Param(scale), start)
	t.SetGrad(loss, start)
}

// clear records that the sums start again from zero.
func (a *accumulator) clear(t *compute.Tape) {
	for _, sum := range a.sums {
		accumulateClear.Run(accumulateParams{N: uint32(sum.Len())}, t.Param(sum))
	}
}

type accumulateParams struct {
	N     uint32
	Share float32
}

var accumulateClear = compute.NewKernel("accumulate.clear", func(_ accumulateParams, b [][]float64) {
	clear(b[0])
}, compute.Exact)

var accumulateSeed = compute.NewKernel("accumulate.seed", func(p accumulateParams, b [][]float64) {
	b[1][0] = b[0][0] * float64(p.Share)
}, compute.Exact)
