package layers

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/layers/layertest"
)

func TestSoftmaxCrossEntropy(t *testing.T) {
	for _, l := range []SoftmaxCrossEntropy{{}, {LabelSmoothing: 0.1}, {Weights: []float32{1, 0.5, 3, 0.25, 2}}, {LabelSmoothing: 0.2, Weights: []float32{1, 0.5, 3, 0.25, 2}}, {LabelSmoothing: 0.1, Weights: make([]float32, 5)}} {
		for _, rows := range []int{1, 7, 130} {
			logits := layertest.Shape(rows, 5)
			logits.Scale = 6
			layertest.RunOp(t, func(t *compute.Tape, x []*compute.Tensor) *compute.Tensor {
				return l.Loss(t, x[0], x[1])
			}, nil, logits, layertest.Indices(7, rows)) // a label beyond the classes counts as the last one
		}
	}
}

// TestSoftmaxCrossEntropyWeightless wants a loss and a gradient of 0 where the classes of a
// batch have no weight, though others do.
func TestSoftmaxCrossEntropyWeightless(t *testing.T) {
	devices := []*compute.Device{compute.Reference(), devicetest.Open(t)}
	defer devices[0].Close()
	for _, dev := range devices {
		for _, smoothing := range []float32{0, 0.1} {
			for _, without := range [][]string{nil, {"fuse"}} {
				tape := compute.NewTape(dev)
				x, labels := tape.Input("x", compute.F32, 2, 3), tape.Input("labels", compute.U32, 2)
				loss := SoftmaxCrossEntropy{Weights: []float32{1, 0, 2}, LabelSmoothing: smoothing}.Loss(tape, x, labels)
				tape.Backward(loss)
				dx := tape.Grad(x)
				tape.Keep(loss, dx)
				p, err := tape.Compile(without...)
				if err != nil {
					t.Fatal(err)
				}
				got := make([]float32, 7)
				ctx := context.Background()
				err = errors.Join(
					p.Write(x, []float32{1, 2, 3, -1, 4, 0}), p.WriteU32(labels, []uint32{1, 1}), p.Run(ctx), p.Read(ctx, loss, got[:1]), p.Read(ctx, dx, got[1:]),
				)
				if p.Close(); err != nil || slices.ContainsFunc(got, func(v float32) bool { return v != 0 }) {
					t.Errorf("smoothing %v: loss and gradient %v, %v, want zeros", smoothing, got, err)
				}
			}
		}
	}
}

func TestSoftmaxCrossEntropyPanics(t *testing.T) {
	dev := compute.Reference()
	defer dev.Close()
	for _, w := range []float32{-1, float32(math.NaN()), float32(math.Inf(1))} {
		func() {
			defer func() {
				if got, want := fmt.Sprint(recover()), fmt.Sprintf("layers: SoftmaxCrossEntropy: class weight 1 is %v, want 0 or more", w); got != want {
					t.Errorf("panic %q, want %q", got, want)
				}
			}()
			tape := compute.NewTape(dev)
			SoftmaxCrossEntropy{Weights: []float32{1, w}}.Loss(tape, tape.Input("x", compute.F32, 3, 2), tape.Input("labels", compute.U32, 3))
		}()
	}
}

// TestSoftmaxCrossEntropyLong adds up more rows than one invocation does.
func TestSoftmaxCrossEntropyLong(t *testing.T) {
	rows := sumChunk + 8
	layertest.RunOp(t, func(t *compute.Tape, x []*compute.Tensor) *compute.Tensor {
		return SoftmaxCrossEntropy{}.Loss(t, x[0], x[1])
	}, nil, layertest.Shape(rows, 2), layertest.Indices(2, rows))
}
