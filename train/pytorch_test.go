package train

import (
	"context"
	"math"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/internal/tapeoption"
	"github.com/pumice-ml/pumice/testdata"
)

// optimizerOf builds the optimizer of a case.
func optimizerOf(group string, c testdata.Case) Optimizer {
	lr, decay := c.Float("lr"), c.Float("weight_decay")
	switch group {
	case "sgd":
		return &SGD{LR: lr, Momentum: c.Float("momentum"), Decay: decay, Nesterov: c.Options["nesterov"] == true}
	case "adam":
		return &Adam{LR: lr, Beta1: c.Float("beta1"), Beta2: c.Float("beta2"), Eps: c.Float("eps"), Decay: decay}
	case "adamw":
		if decay == 0 {
			decay = -1
		}
		return &AdamW{LR: lr, Beta1: c.Float("beta1"), Beta2: c.Float("beta2"), Eps: c.Float("eps"), Decay: decay}
	}
	return &RMSprop{LR: lr, Alpha: c.Float("alpha"), Eps: c.Float("eps"), Momentum: c.Float("momentum"), Decay: decay}
}

// TestPyTorch gives every optimizer PyTorch's gradients, step by step, and
// compares the parameter after each; on the GPU every kernel is verified too.
func TestPyTorch(t *testing.T) {
	ctx := context.Background()
	for _, group := range []string{"sgd", "adam", "adamw", "rmsprop"} {
		for _, c := range testdata.PyTorch(group) {
			t.Run(group+"/"+c.Name, func(t *testing.T) {
				devices(t, func(t *testing.T, dev *compute.Device) {
					o := optimizerOf(group, c)
					w := compute.NewParam("w", c.Shape("param")...)
					copy(w.Data, c.F32("param"))
					s := &State{Names: []string{"w"}, Params: []*compute.Param{w}, Rate: compute.NewParam("rate", 1)}
					s.Rate.Data[0] = float32(o.LearningRate())
					tape := compute.NewTape(dev)
					dw := tape.Input("dw", compute.F32, w.Shape...)
					tape.SetGrad(tape.Param(w), dw)
					o.Update(tape, s)
					p, err := tape.Compile()
					if err != nil {
						t.Fatal(err)
					}
					defer p.Close()
					n, grads, after := w.Len(), c.F32("grad"), c.F64("after")
					for step := range c.Int("steps") {
						for _, err := range []error{p.Write(dw, grads[step*n:(step+1)*n]), p.Run(ctx), dev.Download(ctx, w)} {
							if err != nil {
								t.Fatal(err)
							}
						}
						for i, got := range w.Data {
							want := after[step*n+i]
							// the parameter is rounded once a step, the rest is of the update
							if off := math.Abs(float64(got) - want); !(off <= float64(step+1)*4*roundoff*(math.Abs(want)+20*o.LearningRate())) {
								t.Fatalf("step %d: w[%d] is %v, want %v", step, i, got, want)
							}
						}
					}
					dev.Forget(append(s.Slots(), w, s.Rate)...)
				})
			})
		}
	}
}

func TestOptimizerKernels(t *testing.T) {
	dev := devicetest.Open(t)
	for name, o := range map[string]Optimizer{
		"sgd": &SGD{Momentum: 0.9, Decay: 0.1}, "nesterov": &SGD{Momentum: 0.9, Nesterov: true}, "adam": &Adam{Decay: 0.1}, "adamw": &AdamW{}, "rmsprop": &RMSprop{Momentum: 0.5, Decay: 0.01},
	} {
		t.Run(name, func(t *testing.T) {
			const n = 131
			w := compute.NewParam("w", n)
			s := &State{Names: []string{"w"}, Params: []*compute.Param{w}, Rate: compute.NewParam("rate", 1)}
			s.Rate.Data[0] = 0.01
			grad := make([]float32, n)
			for i := range grad {
				b := compute.RandomBits(2, 0, 0, uint32(i))
				w.Data[i], grad[i] = compute.Uniform(b[0])-0.5, (compute.Uniform(b[1])-0.5)*float32(math.Exp2(float64(b[2]%30)-20))
			}
			tape := compute.NewTape(dev, &tapeoption.Switches{Row: 1})
			dw := tape.Input("dw", compute.F32, n)
			tape.SetGrad(tape.Param(w), dw)
			o.Update(tape, s)
			o.Update(tape, s) // the second time from a state that is not zero
			found, err := devicetest.Verify(tape, func(p *compute.Program) error { return p.Write(dw, grad) })
			devicetest.Check(t, found, err)
			dev.Forget(append(s.Slots(), w, s.Rate)...)
		})
	}
}

// TestStepKernels verifies every dispatch of a whole training step.
func TestStepKernels(t *testing.T) {
	dev := devicetest.Open(t)
	set, err := newResident(stripes(500, 1), 500)
	if err != nil {
		t.Fatal(err)
	}
	clock, sums := compute.NewParamU32("clock", 2), newSums(0)
	clock.Ints[0], clock.Ints[1] = 13, 5
	for _, shuffled := range []bool{false, true} {
		switches := &tapeoption.Switches{}
		if shuffled {
			switches.Row = 1
		}
		tape := compute.NewTape(dev, switches)
		tape.Training, tape.Clock = true, clock
		x, y := set.record(tape, clock, 3, 70, 6, shuffled)
		loss := tape.Zeros(1)
		logits := tape.Reshape(x, 70, 64)
		sums.record(tape, loss, logits, y)
		clockTick.Run(clockParams{1}, tape.Param(clock))
		rate := compute.NewParam("rate", 1)
		defer dev.Forget(rate)
		for _, final := range []float64{0, 0.375, 1} {
			Linear{Final: final}.Rate(tape, tape.Param(clock), tape.Param(rate), 0.3, 20)
		}
		found, err := devicetest.Verify(tape, nil)
		devicetest.Check(t, found, err)
	}
	dev.Forget(append(append(set.arrays(), clock), sums.arrays()...)...)
}
