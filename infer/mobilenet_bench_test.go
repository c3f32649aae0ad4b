package infer_test

import (
	"testing"
	"time"

	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/infer"
	"github.com/pumice-ml/pumice/layers"
)

// mobileNet is a network of MobileNetV2's shape (Sandler et al. 2018), width 1, whose
// BatchNorms are folded into its convolutions: 224x224x3 to 1000 classes. ReLU stands for
// ReLU6.
func mobileNet() layers.Layer {
	conv := func(in, out, kernel, stride, groups int) *layers.Conv2D {
		c := layers.NewConv2DGroups(in, out, kernel, kernel, groups)
		c.Stride, c.Padding = stride, kernel/2
		return c
	}
	net := layers.Sequential{conv(3, 32, 3, 2, 1), layers.ReLU{}}
	in := 32
	for _, b := range []struct{ expand, out, blocks, stride int }{
		{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2}, {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1},
	} {
		for i := range b.blocks {
			stride := 1
			if i == 0 {
				stride = b.stride
			}
			wide := in * b.expand
			var body layers.Sequential
			if b.expand > 1 {
				body = append(body, conv(in, wide, 1, 1, 1), layers.ReLU{})
			}
			body = append(body, conv(wide, wide, 3, stride, wide), layers.ReLU{}, conv(wide, b.out, 1, 1, 1))
			if stride == 1 && in == b.out {
				net = append(net, layers.Residual{Body: body})
			} else {
				net = append(net, body)
			}
			in = b.out
		}
	}
	return append(net, conv(in, 1280, 1, 1, 1), layers.ReLU{}, layers.GlobalAvgPool{}, layers.Flatten{}, layers.NewLinear(1280, 1000))
}

// BenchmarkMobileNet opens sessions and predicts: the time of an operation is that of a
// prediction, and open and first are the seconds that came before, once.
//
//	go test ./infer -run '^$' -bench MobileNet
func BenchmarkMobileNet(b *testing.B) {
	dev := devicetest.Open(b)
	model := mobileNet()
	layers.Initialize(model, 1)
	open, first := stopwatch(), stopwatch()
	s, err := infer.Open(dev, model, nil, 3, 224, 224)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	opened := open()
	x := make([]float32, 3*224*224)
	for i := range x {
		x[i] = float32(i%256) / 255
	}
	if _, err := s.Predict(b.Context(), x); err != nil {
		b.Fatal(err)
	}
	answered := first()
	for b.Loop() {
		if _, err := s.Predict(b.Context(), x); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(opened, "s/open")
	b.ReportMetric(answered, "s/first")
}

// stopwatch returns the seconds since it was called.
func stopwatch() func() float64 {
	start := time.Now()
	return func() float64 { return time.Since(start).Seconds() }
}
