package layers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/internal/tapeoption"
)

// TestQuantizeRows wants each row on a scale of its own, rounded to the nearest, ties to
// even.
func TestQuantizeRows(t *testing.T) {
	w, err := quantizeRows("Linear(4, 5)", []float32{
		127, 0.5, -1.5, 2.5, // scale 1
		-254, 253, 0, 3,
		0, 0, 0, 0,
		0x1p-130, 0, 0, 0, // no scale is a normal number
		math.MaxFloat32, -math.MaxFloat32, 0, 0,
	}, 5)
	if err != nil {
		t.Fatal(err)
	}
	want := [][]int8{{127, 0, -2, 2}, {-127, 126, 0, 2}, {0, 0, 0, 0}, {0, 0, 0, 0}, {127, -127, 0, 0}}
	if scale := []float32{1, 2, 0, 0, math.MaxFloat32 / 127}; fmt.Sprint(w.q) != fmt.Sprint(want) || !slices.Equal(w.scale, scale) {
		t.Errorf("%v, scales %v, want %v, %v", w.q, w.scale, want, scale)
	}
	random := make([]float32, 50*67)
	for i := range random {
		random[i] = float32(even(1, i)) * float32(1+i/67)
	}
	if w, err = quantizeRows("", random, 50); err != nil {
		t.Fatal(err)
	}
	for i, v := range random {
		scale := float64(w.scale[i/67])
		if off := math.Abs(float64(v) - scale*float64(w.q[i/67][i%67])); off > scale*(0.5+127*0x1p-24) {
			t.Fatalf("weight %d, %v, is off by %v on a scale of %v", i, v, off, scale)
		}
	}
	for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(-1))} {
		l := NewLinear(2, 3)
		l.Weight.Data[3] = bad
		want := fmt.Sprintf("body: layer 1: layers: Quantize: Linear(2, 3): weight 1 of output channel 1 is %v, want a finite number", bad)
		if _, err := Quantize(Residual{Body: Sequential{ReLU{}, l}}); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestPack wants bytes and their signs back.
func TestPack(t *testing.T) {
	word := pack([]int8{-127, 5, 0, -1})
	if word != 0xff000581 {
		t.Errorf("%#x", word)
	}
	for i, want := range []float64{-127, 5, 0, -1} {
		if got := unpack(word, i); got != want {
			t.Errorf("byte %d: %v, want %v", i, got, want)
		}
	}
}

// dequantized are the weights that a quantized layer has, in the order of the layer that
// it was made from.
func dequantized(l Layer) (weights []float64) {
	switch l := l.(type) {
	case *QuantizedLinear:
		for o := range l.Scale.Len() {
			for j := range l.In {
				weights = append(weights, float64(l.Scale.Data[o])*unpack(l.Weight.Ints[j/4*l.Scale.Len()+o], j%4))
			}
		}
	case *QuantizedConv2D:
		s := l.of.Weight.Shape
		taps := s[1] * s[2] * s[3]
		for i := range s[0] * taps {
			weights = append(weights, float64(l.Scale.Data[i/taps])*unpack(l.Weight.Ints[i/taps*l.Weight.Shape[1]+i%taps/4], i%taps%4))
		}
	}
	return weights
}

// TestQuantizedLayers judges the kernels on a device, and wants of the reference device
// the layer with the weights that the bytes stand for.
func TestQuantizedLayers(t *testing.T) {
	dev, ctx := devicetest.Open(t), context.Background()
	devicetest.NoLeaks(t, dev)
	conv := func(in, out, height, width, groups, stride, padding, dilation int) *Conv2D {
		l := NewConv2DGroups(in, out, height, width, groups)
		l.Stride, l.Padding, l.Dilation = stride, padding, dilation
		return l
	}
	unbiased := NewLinear(12, 9)
	unbiased.Bias = nil
	without := conv(3, 5, 3, 3, 1, 1, 1, 1)
	without.Bias = nil
	for _, c := range []struct {
		layer Layer
		x     []int
	}{
		{NewLinear(1, 1), []int{1, 1}}, {NewLinear(7, 70), []int{5, 7}}, {NewLinear(67, 3), []int{2, 3, 67}}, {unbiased, []int{9, 12}}, {NewLinear(3, 2), []int{0, 3}},
		{conv(1, 1, 1, 1, 1, 1, 0, 1), []int{1, 1, 1, 1}}, {conv(1, 8, 5, 5, 1, 1, 0, 1), []int{2, 1, 9, 11}}, {conv(4, 6, 3, 2, 2, 2, 1, 2), []int{2, 4, 9, 8}},
		{conv(6, 6, 3, 3, 6, 1, 1, 1), []int{1, 6, 5, 6}}, {without, []int{3, 3, 8, 7}}, {conv(2, 3, 1, 1, 1, 1, 2, 1), []int{1, 2, 3, 4}},
	} {
		t.Run(fmt.Sprint(c.layer), func(t *testing.T) {
			Initialize(c.layer, 5)
			q, err := Quantize(c.layer)
			if err != nil {
				t.Fatal(err)
			}
			values := make([]float32, compute.Elements(c.x))
			for i := range values {
				values[i] = float32(even(4, i))
			}
			for _, without := range [][]string{nil, {"specialise"}} {
				tape := compute.NewTape(dev, &tapeoption.Switches{Row: 1})
				x := tape.Input("x", compute.F32, c.x...)
				tape.Keep(q.Forward(tape, x))
				found, err := devicetest.Verify(tape, func(p *compute.Program) error { return p.Write(x, values) }, without...)
				devicetest.Check(t, found, err)
			}
			ref := compute.Reference()
			defer ref.Close()
			tape := compute.NewTape(ref)
			x := tape.Input("x", compute.F32, c.x...)
			y := q.Forward(tape, x)
			tape.Keep(y)
			p, err := tape.Compile()
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			if err := errors.Join(p.Write(x, values), p.Run(ctx)); err != nil {
				t.Fatal(err)
			}
			want, bias := make([]float64, y.Len()), []float64(nil)
			switch l := c.layer.(type) {
			case *Linear:
				out, in := l.Weight.Shape[0], l.Weight.Shape[1]
				if l.Bias != nil {
					biasForwardDefine(want, widened(l.Bias.Data))
				}
				matmulDefine(matmulParams{Batch: 1, M: uint32(len(want) / out), N: uint32(out), K: uint32(in), K1: uint32(in), TransposeB: 1}, [][]float64{widened(values), dequantized(q), nil, nil, want})
			case *Conv2D:
				p := l.params("", x)
				if l.Bias != nil {
					p.Biased, bias = 1, widened(l.Bias.Data)
				}
				convForwardDefine(p, [][]float64{widened(values), dequantized(q), bias, want})
			}
			for i, got := range devicetest.Get64(p, y) {
				if off := math.Abs(got - want[i]); !(off <= 1e-12) { // both are of float64
					t.Fatalf("[%d]: got %v, want %v", i, got, want[i])
				}
			}
		})
	}
}

func biasForwardDefine(y, bias []float64) {
	for i := range y {
		y[i] += bias[i%len(bias)]
	}
}

// TestQuantizedBytes wants a quarter of the weights' bytes on the device, and little
// more, and the same from a file.
func TestQuantizedBytes(t *testing.T) {
	dev := devicetest.Open(t)
	devicetest.NoLeaks(t, dev)
	model := Sequential{NewConv2D(16, 32, 3), ReLU{}, Residual{Body: NewConv2D(32, 32, 1)}, Flatten{}, NewLinear(512, 100)}
	q, err := Quantize(model)
	if err != nil {
		t.Fatal(err)
	}
	held := func(model Layer) (bytes int64) {
		tape := compute.NewTape(dev)
		y := model.Forward(tape, tape.Input("x", compute.F32, 1, 16, 6, 6))
		tape.Keep(y)
		p, err := tape.Compile()
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		for _, use := range dev.Ledger() {
			if use.Owner == "parameters" {
				bytes += use.Bytes
			}
		}
		for _, param := range Params(model) {
			dev.Forget(param)
		}
		return bytes
	}
	before, after := held(model), held(q)
	t.Logf("%d bytes, quantized %d", before, after)
	if after == 0 || float64(after) > 0.27*float64(before) {
		t.Errorf("%d bytes of %d, want a quarter and little more", after, before)
	}
	var file bytes.Buffer
	if err := Save(&file, q); err != nil {
		t.Fatal(err)
	}
	Initialize(model, 9)
	other, err := Quantize(model)
	if err != nil {
		t.Fatal(err)
	}
	if err := Load(file.Bytes(), "quantized", other); err != nil {
		t.Fatal(err)
	}
	loaded := namedParams(other)
	for name, p := range namedParams(q) {
		if !slices.Equal(p.Ints, loaded[name].Ints) || !slices.Equal(p.Data, loaded[name].Data) {
			t.Errorf("%s is not what was saved", name)
		}
	}
}

func namedParams(model Layer) map[string]*compute.Param { return named("test", model) }

// TestQuantizedRefuses wants a tape that trains, or takes gradients, and wrong shapes to
// panic.
func TestQuantizedRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		Layer
		x     []int
		shape string
	}{
		"QuantizedLinear": {NewLinear(3, 2), []int{1, 3}, "layers: QuantizedLinear: input shape [1 1 1 1], want (..., 3)"},
		"QuantizedConv2D": {NewConv2D(2, 2, 3), []int{1, 2, 3, 3}, "layers: QuantizedConv2D: input shape [1 1 1 1], want (n, 2, h, w)"},
	} {
		q, err := Quantize(c.Layer)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(q); got != "Quantized"+fmt.Sprint(c.Layer) || !strings.HasPrefix(got, name) {
			t.Errorf("it is called %s", got)
		}
		tape := compute.NewTape(compute.Reference())
		panics(t, c.shape, func() { q.Forward(tape, tape.Input("x", compute.F32, 1, 1, 1, 1)) })
		y := q.Forward(tape, tape.Input("x", compute.F32, c.x...))
		panics(t, "layers: "+name+": int8 weights are for inference and have no gradient", func() { tape.Backward(y) })
		tape = compute.NewTape(compute.Reference())
		tape.Training = true
		panics(t, "layers: "+name+": int8 weights are for inference and have no gradient", func() { q.Forward(tape, tape.Input("x", compute.F32, c.x...)) })
		if again, err := Quantize(q); err != nil || again != q {
			t.Errorf("quantized again: %v, %v", again, err)
		}
	}
}
