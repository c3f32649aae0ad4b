package layers

import (
	"math"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/layers/layertest"
	"github.com/pumice-ml/pumice/testdata"
)

// ramp gives a parameter values that differ.
func ramp(p *compute.Param, from, step float32) {
	for i := range p.Data {
		p.Data[i] = from + step*float32(i)
	}
}

func TestBatchNorm(t *testing.T) {
	for _, c := range []struct {
		l  *BatchNorm
		in []layertest.Input
	}{
		{NewBatchNorm1D(3), []layertest.Input{layertest.Shape(2, 3), layertest.Shape(67, 3), layertest.Shape(4, 3, 5), layertest.Evaluated(5, 3)}},
		// 1,073 terms: three chunks, the last not full.
		{NewBatchNorm2D(2), []layertest.Input{layertest.Shape(1, 2, 29, 37), layertest.Shape(3, 2, 5, 7), layertest.Evaluated(3, 2, 5, 7)}},
		{NewBatchNorm1D(70), []layertest.Input{layertest.Shape(3, 70), layertest.Evaluated(2, 70)}},
	} {
		ramp(c.l.Weight, -1.25, 0.875)
		ramp(c.l.Bias, 0.5, -0.25)
		ramp(c.l.RunningMean, -0.375, 0.5)
		ramp(c.l.RunningVar, 0.25, 0.375)
		t.Run(c.l.String(), func(t *testing.T) { layertest.Run(t, c.l, c.in...) })
	}
}

func TestLayerNorm(t *testing.T) {
	for _, c := range []layertest.Input{layertest.Shape(3, 2), layertest.Shape(2, 5, 7), layertest.Shape(67, 3), layertest.Shape(2, 512), layertest.Shape(2, 1031), layertest.Shape(1100, 2)} {
		l := NewLayerNorm(c.Shape[len(c.Shape)-1])
		ramp(l.Weight, -1.25, 0.0625)
		ramp(l.Bias, 0.5, -0.25)
		layertest.Run(t, l, c)
	}
}

func TestPyTorchLayerNorm(t *testing.T) {
	for _, c := range testdata.PyTorch("layer_norm") {
		l := NewLayerNorm(c.Int("normalized_shape"))
		l.Eps = c.Float("eps")
		check(t, c, l, &l.Weight, &l.Bias)
	}
}

func TestPyTorchBatchNorm(t *testing.T) {
	reference := compute.Reference()
	defer reference.Close()
	for _, c := range testdata.PyTorch("batch_norm") {
		t.Run(c.Name, func(t *testing.T) {
			for _, dev := range []*compute.Device{devicetest.Open(t), reference} {
				l := NewBatchNorm1D(c.Int("num_features"))
				if len(c.Shape("x")) == 4 {
					l = NewBatchNorm2D(c.Int("num_features"))
				}
				l.Eps, l.Momentum = c.Float("eps"), c.Float("momentum")
				for name, p := range Params(l) {
					copy(p.Data, c.F32(name))
				}
				tape := compute.NewTape(dev)
				tape.Training = c.Options["training"] == true
				x, dy := tape.Input("x", compute.F32, c.Shape("x")...), tape.Input("dy", compute.F32, c.Shape("dy")...)
				y := l.Forward(tape, x)
				tape.SetGrad(y, dy)
				tape.BackwardFromGrads()
				results := map[string]*compute.Tensor{
					"y": y, "dx": tape.Grad(x), "dweight": tape.Grad(tape.Param(l.Weight)), "dbias": tape.Grad(tape.Param(l.Bias)),
					"running_mean_after": tape.Param(l.RunningMean), "running_var_after": tape.Param(l.RunningVar),
				}
				read := map[*compute.Tensor][]float32{}
				for _, r := range results {
					tape.Keep(r)
					read[r] = make([]float32, r.Len())
				}
				run(t, tape, map[*compute.Tensor][]float32{x: c.F32("x"), dy: c.F32("dy")}, read)
				for name, r := range results {
					near(t, dev, name, read[r], c.F64(name))
				}
				for _, p := range Params(l) {
					dev.Forget(p)
				}
			}
		})
	}
}

func TestNormPanics(t *testing.T) {
	tape := compute.NewTape(compute.Reference())
	tape.Training = true
	x, row := tape.Input("x", compute.F32, 2, 3, 4, 5), tape.Input("row", compute.F32, 1, 3)
	panics(t, "layers: BatchNorm1D: input shape [2 3 4 5], want (n, 3) or (n, 3, length)", func() { NewBatchNorm1D(3).Forward(tape, x) })
	panics(t, "layers: BatchNorm2D: input shape [1 3], want (n, 3, height, width)", func() { NewBatchNorm2D(3).Forward(tape, row) })
	panics(t, "layers: BatchNorm2D: input shape [2 3 4 5], want (n, 4, height, width)", func() { NewBatchNorm2D(4).Forward(tape, x) })
	panics(t, "layers: BatchNorm1D: input shape [1 3], want more than one element for each channel of a training batch", func() { NewBatchNorm1D(3).Forward(tape, row) })
	panics(t, "layers: LayerNorm: input shape [1 3], want (..., 4)", func() { NewLayerNorm(4).Forward(tape, row) })
	panics(t, "layers: NewLayerNorm: 0 features, want 1 or more", func() { NewLayerNorm(0) })
	panics(t, "layers: NewBatchNorm1D: 0 channels, want 1 or more", func() { NewBatchNorm1D(0) })
}

// TestBatchNormFarFromZero normalizes numbers that lie a million deviations from 0.
// The mean is right to its rounding, and the variance as if x were near 0.
func TestBatchNormFarFromZero(t *testing.T) {
	const rows, base = 5000, 1e6
	for _, dev := range []*compute.Device{devicetest.Open(t), compute.Reference()} {
		t.Run(dev.Info().Backend, func(t *testing.T) {
			x, y := make([]float32, rows), make([]float32, rows)
			var mean, variance float64
			for i := range x {
				// Sixteenths, which float32 holds at this size.
				x[i] = base + float32(compute.RandomBits(1, 0, 0, uint32(i))[0]%64)/16
				mean += float64(x[i]) / rows
			}
			for _, v := range x {
				variance += (float64(v) - mean) * (float64(v) - mean) / rows
			}
			l := NewBatchNorm1D(1)
			l.Momentum = 1
			tape := compute.NewTape(dev)
			tape.Training = true
			in := tape.Input("x", compute.F32, rows, 1)
			out := l.Forward(tape, in)
			runningMean, runningVar := make([]float32, 1), make([]float32, 1)
			tape.Keep(out)
			run(t, tape, map[*compute.Tensor][]float32{in: x}, map[*compute.Tensor][]float32{
				out: y, tape.Param(l.RunningMean): runningMean, tape.Param(l.RunningVar): runningVar,
			})
			half := compute.Ulp(base) / 2
			if got := float64(runningMean[0]); math.Abs(got-mean) > half {
				t.Errorf("mean: got %v, want %v within %v", got, mean, half)
			}
			if got, want := float64(runningVar[0]), variance*rows/(rows-1); math.Abs(got-want) > want*compute.Gamma(600) {
				t.Errorf("variance: got %v, want %v", got, want)
			}
			for i, v := range x {
				want := (float64(v) - mean) / math.Sqrt(variance+1e-5)
				if bound := half/math.Sqrt(variance) + compute.Gamma(600)*math.Abs(want); math.Abs(float64(y[i])-want) > bound {
					t.Fatalf("y[%d]: got %v, want %v within %v", i, y[i], want, bound)
				}
			}
			dev.Forget(l.Weight, l.Bias, l.RunningMean, l.RunningVar)
		})
	}
}
