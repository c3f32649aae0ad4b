package layers

import (
	"math"
	"slices"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/layers/layertest"
	"github.com/pumice-ml/pumice/testdata"
)

func TestLosses(t *testing.T) {
	for name, l := range map[string]Loss{
		"MSE": MSE{}, "L1": L1{}, "Huber": Huber{}, "Huber 0.6": Huber{Delta: 0.6}, "SmoothL1 0.3": SmoothL1{Beta: 0.3},
		"BCEWithLogits": BCEWithLogits{}, "BCEWithLogits weighted": BCEWithLogits{PosWeight: []float32{0.5, 3, 1.25}},
	} {
		t.Run(name, func(t *testing.T) {
			for i, shape := range [][]int{{1, 3}, {512, 3}, {5, 107, 3}} {
				y, target := layertest.Shape(shape...), compute.NewParam("target", shape...)
				target.Frozen = true
				y.Scale = 1.5
				from, to := -1.5, 1.5
				if _, ok := l.(BCEWithLogits); ok {
					// Near 0 the logarithm's series counts, far from it nothing does.
					y.Scale, from, to = []float64{0.5, 4, 30}[i], 0, 1
				}
				for j := range target.Data {
					// The golden ratio spreads them evenly.
					_, part := math.Modf(float64(j) * math.Phi)
					target.Data[j] = float32(from + (to-from)*part)
				}
				layertest.RunOp(t, func(tape *compute.Tape, x []*compute.Tensor) *compute.Tensor {
					return l.Loss(tape, x[0], tape.Param(target))
				}, []*compute.Param{target}, y)
			}
		})
	}
}

func TestPyTorchLosses(t *testing.T) {
	reference := compute.Reference()
	defer reference.Close()
	for group, loss := range map[string]func(c testdata.Case) Loss{
		"mse_loss":       func(testdata.Case) Loss { return MSE{} },
		"l1_loss":        func(testdata.Case) Loss { return L1{} },
		"huber_loss":     func(c testdata.Case) Loss { return Huber{Delta: c.Float("delta")} },
		"smooth_l1_loss": func(c testdata.Case) Loss { return SmoothL1{Beta: c.Float("beta")} },
		"bce_with_logits": func(c testdata.Case) Loss {
			if c.Has("pos_weight") {
				return BCEWithLogits{PosWeight: c.F32("pos_weight")}
			}
			return BCEWithLogits{}
		},
	} {
		t.Run(group, func(t *testing.T) {
			for _, c := range testdata.PyTorch(group) {
				for _, dev := range []*compute.Device{devicetest.Open(t), reference} {
					tape := compute.NewTape(dev)
					x, target := tape.Input("x", compute.F32, c.Shape("x")...), tape.Input("target", compute.F32, c.Shape("target")...)
					y := loss(c).Loss(tape, x, target)
					tape.Backward(y)
					dx := tape.Grad(x)
					tape.Keep(y, dx)
					read := map[*compute.Tensor][]float32{y: make([]float32, 1), dx: make([]float32, x.Len())}
					run(t, tape, map[*compute.Tensor][]float32{x: c.F32("x"), target: c.F32("target")}, read)
					near(t, dev, c.Name+" y", read[y], c.F64("y"))
					near(t, dev, c.Name+" dx", read[dx], c.F64("dx"))
				}
			}
		})
	}
}

func TestLossPanics(t *testing.T) {
	tape := compute.NewTape(compute.Reference())
	x, y, labels := tape.Input("x", compute.F32, 2, 3), tape.Input("y", compute.F32, 3, 2), tape.Input("labels", compute.U32, 2, 3)
	for name, l := range map[string]Loss{"MSE": MSE{}, "L1": L1{}, "Huber": Huber{}, "SmoothL1": SmoothL1{}, "BCEWithLogits": BCEWithLogits{}} {
		panics(t, "layers: "+name+": x f32[2 3] and target y f32[3 2], want one shape of f32, not empty", func() { l.Loss(tape, x, y) })
		panics(t, "layers: "+name+": x f32[2 3] and target labels u32[2 3], want one shape of f32, not empty", func() { l.Loss(tape, x, labels) })
	}
	panics(t, "layers: BCEWithLogits: 2 positive weights for x f32[2 3], want one for each of the last dimension", func() { BCEWithLogits{PosWeight: []float32{1, 2}}.Loss(tape, x, x) })
	panics(t, "layers: Huber: -1, want a positive number", func() { Huber{Delta: -1}.Loss(tape, x, x) })
	panics(t, "layers: SmoothL1: NaN, want a positive number", func() { SmoothL1{Beta: math.NaN()}.Loss(tape, x, x) })
	rows := tape.Input("rows", compute.U32, 2)
	panics(t, "layers: SoftmaxCrossEntropy: label smoothing 1.5, want 0 to 1", func() { SoftmaxCrossEntropy{LabelSmoothing: 1.5}.Loss(tape, x, rows) })
	panics(t, "layers: SoftmaxCrossEntropy: 2 class weights, want 3", func() { SoftmaxCrossEntropy{Weights: []float32{1, 2}}.Loss(tape, x, rows) })
}

func TestL1WhereEqual(t *testing.T) {
	reference := compute.Reference()
	defer reference.Close()
	for _, dev := range []*compute.Device{devicetest.Open(t), reference} {
		tape := compute.NewTape(dev)
		x, target := tape.Input("x", compute.F32, 4), tape.Input("target", compute.F32, 4)
		tape.Backward(L1{}.Loss(tape, x, target))
		dx := tape.Grad(x)
		tape.Keep(dx)
		got := make([]float32, 4)
		run(t, tape, map[*compute.Tensor][]float32{x: {1, -2, 0, 3}, target: {1, -2.5, 0, 4}}, map[*compute.Tensor][]float32{dx: got})
		if want := []float32{0, 0.25, 0, -0.25}; !slices.Equal(got, want) {
			t.Errorf("%v: got %v, want %v", dev, got, want)
		}
	}
}
