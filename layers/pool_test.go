package layers

import (
	"errors"
	"slices"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/layers/layertest"
)

func TestMaxPool2D(t *testing.T) {
	layertest.Run(t, MaxPool2D{Size: 2}, layertest.Shape(1, 1, 2, 2), layertest.Shape(2, 3, 7, 11))
	layertest.Run(t, MaxPool2D{Size: 3, Stride: 1, Padding: 1}, layertest.Shape(1, 2, 5, 7))
	layertest.Run(t, MaxPool2D{Size: 5, Stride: 2, Padding: 2}, layertest.Shape(2, 1, 9, 4))
	layertest.Run(t, MaxPool2D{Size: 2, Stride: 3, Padding: 1}, layertest.Shape(1, 3, 8, 7))
}

// TestMaxPool2DTies pools a plane of equal elements, and one after a ReLU: the
// gradient goes to the first of equal maxima.
func TestMaxPool2DTies(t *testing.T) {
	reference := compute.Reference()
	defer reference.Close()
	for _, dev := range []*compute.Device{devicetest.Open(t), reference} {
		tape := compute.NewTape(dev)
		x, dy := tape.Input("x", compute.F32, 1, 2, 2, 4), tape.Input("dy", compute.F32, 1, 2, 1, 2)
		y := MaxPool2D{Size: 2}.Forward(tape, x)
		tape.SetGrad(y, dy)
		tape.BackwardFromGrads()
		tape.Keep(tape.Grad(x))
		got := make([]float32, 16)
		run(t, tape, map[*compute.Tensor][]float32{
			x:  {3, 3, 0, 0, 3, 3, 0, 0, -1, 2, 0, 1, 2, 2, 1, 1},
			dy: {1, 2, 3, 4},
		}, map[*compute.Tensor][]float32{tape.Grad(x): got})
		want := []float32{1, 0, 2, 0, 0, 0, 0, 0, 0, 3, 0, 4, 0, 0, 0, 0}
		if !slices.Equal(got, want) {
			t.Errorf("%v: got %v, want %v", dev, got, want)
		}
	}
}

func TestAvgPool2D(t *testing.T) {
	layertest.Run(t, AvgPool2D{Size: 2}, layertest.Shape(1, 1, 2, 2), layertest.Shape(2, 3, 7, 11))
	layertest.Run(t, AvgPool2D{Size: 3, Stride: 1, Padding: 1}, layertest.Shape(1, 2, 5, 7))
	layertest.Run(t, AvgPool2D{Size: 5, Stride: 2, Padding: 2, ExcludePadding: true}, layertest.Shape(2, 1, 9, 4))
	layertest.Run(t, AvgPool2D{Size: 2, Stride: 3, Padding: 1, ExcludePadding: true}, layertest.Shape(1, 3, 8, 7))
}

func TestGlobalAvgPool(t *testing.T) {
	layertest.Run(t, GlobalAvgPool{}, layertest.Shape(1, 1, 1, 1), layertest.Shape(2, 3, 5, 7), layertest.Shape(13, 5, 1, 2))
	layertest.Run(t, GlobalAvgPool{}, layertest.Shape(1, 2, 23, 31)) // in stages
}

func TestPoolShapes(t *testing.T) {
	tape := compute.NewTape(compute.Reference())
	x := tape.Input("x", compute.F32, 2, 3, 4, 5)
	panics(t, "layers: MaxPool2D: input shape [2 3 4 5], want (batch, channels, height, width) of at least 5 x 5", func() { MaxPool2D{Size: 5}.Forward(tape, x) })
	panics(t, "layers: AvgPool2D: size 3, stride 3, padding 2, want a size from 1 to 240, a stride of at least 1 and a padding of at most half the size",
		func() { AvgPool2D{Size: 3, Padding: 2}.Forward(tape, x) })
	panics(t, "layers: GlobalAvgPool: input shape [6 20], want (batch, channels, height, width)", func() { GlobalAvgPool{}.Forward(tape, tape.Reshape(x, 6, 20)) })
	for want, got := range map[string]string{
		"MaxPool2D(2)":                      MaxPool2D{Size: 2, Stride: 2}.String(),
		"AvgPool2D(3, stride 2, padding 1)": AvgPool2D{Size: 3, Stride: 2, Padding: 1}.String(),
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestPoolOverwrites judges a pooling layer's gradient that takes the place of what it
// was the gate of: of the ReLU before, which nobody reads afterwards.
func TestPoolOverwrites(t *testing.T) {
	dev := devicetest.Open(t)
	devicetest.NoLeaks(t, dev)
	conv := NewConv2D(1, 3, 3)
	conv.Padding = 1
	model := Sequential{conv, ReLU{}, MaxPool2D{Size: 2}}
	Initialize(model, 4)
	tape := compute.NewTape(dev)
	x := tape.Input("x", compute.F32, 2, 1, 6, 8)
	y := model.Forward(tape, x)
	dy := tape.Input("dy", compute.F32, y.Shape()...)
	tape.SetGrad(y, dy)
	tape.BackwardFromGrads()
	tape.Keep(y)
	tape.Keep(tape.Grad(tape.Param(conv.Weight)))
	if !slices.ContainsFunc(devicetest.Lowered(tape), func(d ir.Dispatch) bool { return d.Kernel == (*ir.Kernel)(maxPool2DPairsBackwardOver) }) {
		t.Error("nothing is overwritten")
	}
	found, err := devicetest.Verify(tape, func(p *compute.Program) error {
		values := make([]float32, x.Len()+dy.Len())
		for i := range values {
			values[i] = 2*float32(compute.Uniform(compute.RandomBits(8, 0, 0, uint32(i))[0])) - 1
		}
		return errors.Join(p.Write(x, values[:x.Len()]), p.Write(dy, values[x.Len():]))
	})
	devicetest.Check(t, found, err)
	dev.Forget(conv.Weight)
	dev.Forget(conv.Bias)
}

// TestPoolKeeps wants nothing overwritten that is read afterwards.
func TestPoolKeeps(t *testing.T) {
	dev := devicetest.Open(t)
	for _, again := range []bool{false, true} {
		conv := NewConv2D(1, 3, 3)
		tape := compute.NewTape(dev)
		h := Sequential{conv, ReLU{}}.Forward(tape, tape.Input("x", compute.F32, 2, 1, 6, 10))
		y := MaxPool2D{Size: 2}.Forward(tape, h)
		tape.SetGrad(y, tape.Input("dy", compute.F32, y.Shape()...))
		tape.BackwardFromGrads()
		tape.Keep(tape.Grad(tape.Param(conv.Weight)))
		if again {
			tape.Keep(Tanh{}.Forward(tape, h))
		}
		over := slices.ContainsFunc(devicetest.Lowered(tape), func(d ir.Dispatch) bool { return d.Kernel == (*ir.Kernel)(maxPool2DPairsBackwardOver) })
		if over == again {
			t.Errorf("what is read again: %v, overwritten: %v", again, over)
		}
	}
}
