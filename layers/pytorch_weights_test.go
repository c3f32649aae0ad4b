package layers

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/testdata"
)

// TestPyTorchWeights compares layers with parameters, and the losses on labels,
// with numbers from PyTorch, on both devices.
func TestPyTorchWeights(t *testing.T) {
	for _, c := range testdata.PyTorch("linear") {
		l := NewLinear(c.Int("in_features"), c.Int("out_features"))
		check(t, c, l, &l.Weight, &l.Bias)
	}
	for _, c := range testdata.PyTorch("conv2d") {
		w := c.Shape("weight")
		l := NewConv2DGroups(c.Int("in_channels"), c.Int("out_channels"), w[2], w[3], c.Int("groups"))
		l.Stride, l.Padding, l.Dilation = c.Int("stride"), c.Int("padding"), c.Int("dilation")
		check(t, c, l, &l.Weight, &l.Bias)
	}
}

func check(t *testing.T, c testdata.Case, l Layer, weight, bias **compute.Param) {
	t.Run(c.Torch, func(t *testing.T) {
		copy((*weight).Data, c.F32("weight"))
		params := map[string]*compute.Param{"dweight": *weight}
		if c.Has("bias") {
			copy((*bias).Data, c.F32("bias"))
			params["dbias"] = *bias
		} else {
			*bias = nil
		}
		reference := compute.Reference()
		defer reference.Close()
		for _, dev := range []*compute.Device{devicetest.Open(t), reference} {
			tape := compute.NewTape(dev)
			x := tape.Input("x", compute.F32, c.Shape("x")...)
			y := l.Forward(tape, x)
			dy := tape.Input("dy", compute.F32, c.Shape("dy")...)
			tape.SetGrad(y, dy)
			tape.BackwardFromGrads()
			results := map[string]*compute.Tensor{"y": y, "dx": tape.Grad(x)}
			for name, p := range params {
				results[name] = tape.Grad(tape.Param(p))
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
			for _, p := range params {
				dev.Forget(p)
			}
		}
	})
}

// near allows 64 roundings of the largest element: sums here have at most about
// that many terms of its size.
func near(t *testing.T, dev *compute.Device, name string, got []float32, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%v: %s has %d elements, want %d", dev, name, len(got), len(want))
	}
	bound := 64 * 0x1p-24 * max(slices.Max(want), -slices.Min(want))
	for i := range got {
		if off := math.Abs(float64(got[i]) - want[i]); !(off <= bound) {
			t.Errorf("%v: %s[%d] is %v, want %v", dev, name, i, got[i], want[i])
		}
	}
}

func TestPyTorchCrossEntropy(t *testing.T) {
	reference := compute.Reference()
	defer reference.Close()
	for _, c := range testdata.PyTorch("cross_entropy") {
		t.Run(c.Name, func(t *testing.T) {
			l := SoftmaxCrossEntropy{LabelSmoothing: float32(c.Float("label_smoothing"))}
			if c.Has("weight") {
				l.Weights = c.F32("weight")
			}
			for _, dev := range []*compute.Device{devicetest.Open(t), reference} {
				tape := compute.NewTape(dev)
				x := tape.Input("x", compute.F32, c.Shape("x")...)
				target := tape.Input("target", compute.U32, c.Shape("target")...)
				loss := l.Loss(tape, x, target)
				tape.Backward(loss)
				tape.Keep(loss, tape.Grad(x))
				p, err := tape.Compile()
				if err != nil {
					t.Fatal(err)
				}
				defer p.Close()
				ctx := context.Background()
				y, dx := make([]float32, 1), make([]float32, x.Len())
				for _, err := range []error{
					p.Write(x, c.F32("x")), p.WriteU32(target, c.U32("target")), p.Run(ctx), p.Read(ctx, loss, y), p.Read(ctx, tape.Grad(x), dx),
				} {
					if err != nil {
						t.Fatal(err)
					}
				}
				near(t, dev, "loss", y, c.F64("y"))
				near(t, dev, "dx", dx, c.F64("dx"))
			}
		})
	}
}
