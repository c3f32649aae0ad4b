package layers

import (
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/internal/tapeoption"
)

// TestBiasF16 adds a bias to sums that f16 cannot hold, or not exactly enough.
func TestBiasF16(t *testing.T) {
	dev := devicetest.Open(t)
	if err := dev.Stores(compute.F16); err != nil {
		t.Skip(err)
	}
	linear, conv, pixels := NewLinear(1, 1), NewConv2D(1, 1, 1), NewConv2D(1, 1, 1)
	transposed := NewConvTranspose2D(1, 1, 1)
	for name, c := range map[string]struct {
		layer        Layer
		weight, bias *compute.Param
		variant      string
		dims         []int
	}{
		"linear":      {linear, linear.Weight, linear.Bias, "", []int{1, 1}},
		"convolution": {conv, conv.Weight, conv.Bias, "", []int{1, 1, 1, 1}},
		"one tap":     {pixels, pixels.Weight, pixels.Bias, "matmul", []int{1, 1, 1, 1}},
		"rectified":   {Sequential{pixels, ReLU{}}, pixels.Weight, pixels.Bias, "matmul", []int{1, 1, 1, 1}},
		"transposed":  {transposed, transposed.Weight, transposed.Bias, "", []int{1, 1, 1, 1}},
	} {
		for _, v := range []struct{ x, weight, bias, want float32 }{{1000, 70, -10000, 60000}, {1025, 1 + 0x1p-10, -1026, 0x1p-10}} {
			c.weight.Data[0], c.bias.Data[0] = v.weight, v.bias
			tape := compute.NewTape(dev, &tapeoption.Switches{Variant: c.variant})
			tape.Storage = compute.F16
			x := tape.Input("x", compute.F32, c.dims...)
			y := c.layer.Forward(tape, x)
			tape.Keep(y)
			got := make([]float32, 1)
			run(t, tape, map[*compute.Tensor][]float32{x: {v.x}}, map[*compute.Tensor][]float32{y: got})
			if got[0] != v.want {
				t.Errorf("%s: got %v of %+v", name, got[0], v)
			}
			dev.Forget(c.weight, c.bias)
		}
	}
}

// TestMulF16 adds up a gradient whose terms f16 cannot hold.
func TestMulF16(t *testing.T) {
	dev := devicetest.Open(t)
	if err := dev.Stores(compute.F16); err != nil {
		t.Skip(err)
	}
	w := compute.NewParam("w", 1)
	w.Data[0] = 1
	tape := compute.NewTape(dev)
	tape.Storage, tape.Training = compute.F16, true
	x, dy := tape.Input("x", compute.F32, 4), tape.Input("dy", compute.F32, 4)
	y := Mul(tape, tape.Param(w), x)
	tape.SetGrad(y, dy)
	tape.BackwardFromGrads()
	dw := tape.Grad(tape.Param(w))
	tape.Keep(dw)
	got := make([]float32, 1)
	run(t, tape, map[*compute.Tensor][]float32{x: {300, 300, 1, 1}, dy: {300, -299, 1, 1}}, map[*compute.Tensor][]float32{dw: got})
	if got[0] != 302 {
		t.Errorf("got %v, want 302", got[0])
	}
	dev.Forget(w)
}

// TestQuantizeLong refuses a layer whose sums are too long for one invocation.
func TestQuantizeLong(t *testing.T) {
	if _, err := Quantize(NewLinear(200_001, 1)); err == nil || !strings.Contains(err.Error(), "200001 inputs, want at most 200000") {
		t.Errorf("got %v", err)
	}
	small, err := Quantize(NewLinear(200_000, 1))
	if err != nil {
		t.Fatal(err)
	}
	dev := devicetest.Open(t)
	tape := compute.NewTape(dev)
	tape.Keep(small.Forward(tape, tape.Input("x", compute.F32, 1, 200_000)))
	p, err := tape.Compile()
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
	for _, q := range Params(small) {
		dev.Forget(q)
	}
}
