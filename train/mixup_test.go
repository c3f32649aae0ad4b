package train

import (
	"context"
	"errors"
	"math"
	"testing"

	"gonum.org/v1/gonum/mathext"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers"
)

// TestShares compares the table with the distribution that it is of: the share of all
// numbers up to each entry.
func TestShares(t *testing.T) {
	for _, alpha := range []float64{leastAlpha, 0.2, 0.4, 1, 4, mostAlpha} {
		before := 0.5
		for i, l := range shares(alpha) {
			if float64(l) < before || l > 1 {
				t.Fatalf("alpha %v: share %d is %v after %v", alpha, i, l, before)
			}
			before = float64(l)
			if l == 1 { // nearer to 1 than float32 tells, as most are of a small alpha
				continue
			}
			want := 0.5 + (float64(i)+0.5)/(2*quantiles)
			// One rounding of l moves the share by its density times as much.
			low, high := mathext.RegIncBeta(alpha, alpha, float64(l)-roundoff), mathext.RegIncBeta(alpha, alpha, min(float64(l)+roundoff, 1))
			if want < low-1e-7 || want > high+1e-7 {
				t.Fatalf("alpha %v: share %d is %v, at %v to %v of all numbers, want %v", alpha, i, l, low, high, want)
			}
		}
	}
	for i, l := range shares(1) { // a uniform number
		if want := 0.5 + (float64(i)+0.5)/(2*quantiles); math.Abs(float64(l)-want) > 1e-6 {
			t.Fatalf("alpha 1: share %d is %v, want %v", i, l, want)
		}
	}
}

// TestMixup mixes images of one pixel, from which the share can be told, and wants the
// gradient of the loss against both labels.
func TestMixup(t *testing.T) {
	const batch, classes = 5, 3
	labels := []uint32{2, 0, 1, 1, 0}
	devices(t, func(t *testing.T, dev *compute.Device) {
		tape := compute.NewTape(dev)
		tape.Training, tape.Clock = true, compute.NewParamU32("clock", 2)
		defer dev.Forget(tape.Clock)
		pixels, logits, target := tape.Input("x", compute.F32, batch, 1, 1, 1), tape.Input("logits", compute.F32, batch, classes), tape.Input("labels", compute.U32, batch)
		x, loss := (&Augment{Mixup: 1}).Apply(tape, pixels, layers.SoftmaxCrossEntropy{})
		value := loss.Loss(tape, logits, target)
		tape.Backward(value)
		tape.Keep(x, value, tape.Grad(logits))
		clockTick.Run(clockParams{1}, tape.Param(tape.Clock))
		p, err := tape.Compile()
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		ctx := context.Background()
		z := []float32{0.5, -1, 2, 0, 0.25, -0.5, 1, 1, -2, 3, 0.125, 0, -0.75, 0.5, 0.25}
		shares := map[float32]bool{}
		for step := range 30 {
			mixed, got, dz := make([]float32, batch), make([]float32, 1), make([]float32, batch*classes)
			if err := errors.Join(p.Write(pixels, []float32{0, 1, 0, 1, 0}), p.Write(logits, z), p.WriteU32(target, labels), p.Run(ctx),
				p.Read(ctx, x, mixed), p.Read(ctx, value, got), p.Read(ctx, tape.Grad(logits), dz)); err != nil {
				t.Fatal(err)
			}
			l := float64(mixed[1]) // the second image is 1, the third 0
			if shares[mixed[1]] = true; l < 0.5 || l > 1 || mixed[3] != mixed[1] || mixed[4] != 0 || math.Abs(float64(mixed[0])-(1-l)) > 1e-7 {
				t.Fatalf("step %d: mixed to %v", step, mixed)
			}
			want := 0.0
			for row := range batch {
				most, sum := 0.0, 0.0
				for c := range classes {
					sum += math.Exp(float64(z[row*classes+c]))
				}
				for _, part := range []struct {
					share float64
					label uint32
				}{{l, labels[row]}, {1 - l, labels[(row+1)%batch]}} {
					want += part.share * (math.Log(sum) - float64(z[row*classes+int(part.label)])) / batch
				}
				for c := range classes {
					d := math.Exp(float64(z[row*classes+c])) / sum
					if uint32(c) == labels[row] {
						d -= l
					}
					if uint32(c) == labels[(row+1)%batch] {
						d -= 1 - l
					}
					most = max(most, math.Abs(float64(dz[row*classes+c])-d/batch))
				}
				if most > 1e-6 {
					t.Errorf("step %d, row %d: a gradient is off by %v", step, row, most)
				}
			}
			if math.Abs(float64(got[0])-want) > 1e-5 {
				t.Errorf("step %d: loss %v, want %v", step, got[0], want)
			}
		}
		if len(shares) < 25 {
			t.Errorf("30 steps draw %d shares", len(shares))
		}
	})
}
