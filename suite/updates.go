package suite

import (
	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/conform"
	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/internal/shader"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train"
)

// updates are what happens between gradients and weights but for the optimizers
// themselves: schedules, groups, clipping, accumulation and averages.
func updates() (ops []conform.Op) {
	for _, s := range []struct {
		name string
		train.Schedule
	}{
		{"constant", train.Constant{WarmUp: 5}}, {"linear", train.Linear{Final: 0.1}}, {"linear/warm", train.Linear{WarmUp: 3}}, {"cosine", train.Cosine{Final: 0.1}}, {"cosine/warm", train.Cosine{WarmUp: 2}},
		{"exponential", train.Exponential{}}, {"exponential/small", train.Exponential{Final: 1e-30, WarmUp: 1}}, {"step", train.Step{Every: 3, Factor: 0.5}}, {"step/small", train.Step{Every: 1, Factor: 1e-3}},
		{"polynomial", train.Polynomial{}}, {"polynomial/half", train.Polynomial{Power: 0.5, Final: 0.1}}, {"polynomial/sixteen", train.Polynomial{Power: 16}},
		{"one_cycle", train.OneCycle{}}, {"one_cycle/late", train.OneCycle{Rise: 0.9, Start: 0.1, Final: 0.5}},
	} {
		ops = append(ops, conform.Op{Name: "schedule/" + s.name, Shapes: []string{"steps=12,at=0", "steps=12,at=3", "steps=12,at=6", "steps=12,at=10", "steps=12,at=11", "steps=12,at=13", "steps=20000003,at=16777219"}, Patterns: []string{"uniform"}, Record: func(r *conform.Recorder) {
			clock, rate := compute.NewParamU32("clock", 2), compute.NewParam("rate", 1)
			clock.Ints[0] = uint32(r.N("at"))
			r.Own(clock, rate)
			s.Rate(r.Tape, r.Master(clock), r.Master(rate), 0.3, r.N("steps"))
		}})
	}
	for _, name := range []string{"sgd", "adamw", "adam", "rmsprop"} {
		for _, gated := range []bool{false, true} {
			ops = append(ops, groupedOp(name, gated))
		}
	}
	ops = append(ops, conform.Op{Name: "clip_norm.scale", Shapes: []string{"n=1,total=0", "n=67,total=4", "n=65,total=1e30", "n=65,total=1e-40", "n=65,total=2e-12"}, Record: func(r *conform.Recorder) {
		dw := compute.NewParam("dw", r.N("n"))
		r.Set(dw)
		k := kernel("clip_norm.scale")
		k.Run(makeParams(k, func(f shader.Field) float64 {
			return map[string]float64{"n": float64(r.N("n")), "lanes": 1, "most": 0.5}[f.Name]
		}), r.Master(dw), r.Given([]float32{float32(r.Number("total"))}, 1))
	}})
	return append(ops, conform.Op{Name: "train/everything", Shapes: []string{"batch=17,images=150,parts=1", "batch=8,images=50,parts=3", "batch=64,images=67,parts=1"}, Patterns: []string{"uniform", "large", "equal"}, Record: func(r *conform.Recorder) {
		model := layers.Sequential{layers.NewConv2D(1, 6, 3), layers.ReLU{}, layers.NewConv2D(6, 5, 3), layers.ReLU{}, layers.MaxPool2D{Size: 2}, layers.Flatten{}, layers.NewLinear(45, 40), layers.Tanh{}, layers.NewLinear(40, 5)}
		layers.Initialize(model, 5)
		loop := train.Loop{
			Model: model, Loss: layers.SoftmaxCrossEntropy{LabelSmoothing: 0.1}, Optimizer: &train.SGD{LR: 0.1, Momentum: 0.9}, Schedule: train.Cosine{WarmUp: 1}, Batch: r.N("batch"), Epochs: 5, Seed: 3,
			Accumulate: r.N("parts"), Storage: r.Storage, LossScale: train.LossScale{First: 16}, Clip: train.Clip{Value: 0.01, Norm: 0.02}, EMA: &train.EMA{Decay: 0.9, WarmUp: true},
			Groups: []train.Group{{Match: "0.", Frozen: true}, {Match: "6.", Rate: 0.5, Decay: 0.1}},
		}
		if err := loop.Record(r.Tape, Shades(r.N("images"), 10)); err != nil {
			panic(err)
		}
		for _, param := range layers.Params(model) {
			r.Own(param)
		}
	}})
}

// groupedOp is a step of an optimizer on elements of three groups. Rates and decays are
// those of a loop; the state is one as after some steps.
func groupedOp(name string, gated bool) conform.Op {
	file, title := name, name+"/grouped"
	if name == "adamw" {
		file = "adam"
	}
	entry := file + ".step_grouped"
	if gated {
		entry, title = entry+"_gated", title+"_gated"
	}
	return conform.Op{Name: title, Shapes: []string{"n=1", "n=64", "n=65", "n=1031"}, Record: func(r *conform.Recorder) {
		n := r.N("n")
		k := kernel(entry)
		var tensors []*compute.Tensor
		for _, b := range (*ir.Kernel)(k).Bindings() {
			switch b.Name {
			case "gate":
				tensors = append(tensors, r.Indices(2, 1))
			case "rates":
				tensors = append(tensors, r.Given([]float32{0.1, 0.01, 0.025, 0, 0.2, 0.1}, 3, 2))
			case "q":
				tensors = append(tensors, r.Given([]float32{0.271, 0.002997}, 2))
			case "member":
				group := make([]float32, n)
				for i := range group {
					group[i] = float32(i % 3)
				}
				tensors = append(tensors, r.Given(group, n))
			case "dw":
				tensors = append(tensors, r.Values(n))
			default:
				p := compute.NewParam(b.Name, n)
				r.Set(p)
				if b.Name != "w" { // averages of squares are not negative
					for i, v := range p.Data {
						p.Data[i] = max(v, -v)
					}
				}
				tensors = append(tensors, r.Master(p))
			}
		}
		k.Run(makeParams(k, func(f shader.Field) float64 {
			v := map[string]float64{"n": float64(n), "beta1": 0.9, "rest1": 0.1, "beta2": 0.999, "rest2": 0.001, "alpha": 0.99, "rest": 0.01, "eps": 1e-8, "momentum": 0.9, "decay": 0.01}[f.Name]
			if f.Name == "decoupled" && name == "adamw" {
				v = 1
			}
			return v
		}), tensors...)
	}}
}

// counted are the sizes of kernels that other ops run with few values.
var counted = map[string][]string{
	"metrics.judge":  {"rows=1,classes=1,top=1,side=1", "rows=3,classes=2,top=3,side=0", "rows=67,classes=7,top=3,side=7", "rows=129,classes=40,top=5,side=40"},
	"errors.measure": {"n=1,chunk=1,rows=1", "n=67,chunk=16,rows=67", "n=130,chunk=64,rows=13"}, "errors.tally": {"n=1,chunk=1,rows=1", "n=67,chunk=16,rows=67"},
	"clip.value":       {"n=1,most=0.5", "n=67,most=1", "n=65,most=100"},
	"clip_norm.square": {"n=1,lanes=1,n0=0,n1=0,n2=0,n3=0,n4=0,n5=0,most=1", "n=67,lanes=8,n0=0,n1=0,n2=0,n3=0,n4=0,n5=0,most=1", "n=4099,lanes=64,n0=0,n1=0,n2=0,n3=0,n4=0,n5=0,most=1"},
	"clip_norm.gather": {"n=1,lanes=1,n0=1,n1=2,n2=3,n3=4,n4=5,n5=6,most=1", "n=1,lanes=1,n0=64,n1=65,n2=1,n3=4096,n4=130,n5=63,most=1"},
	"accumulate.clear": {"n=1,share=1", "n=67,share=1"}, "accumulate.seed": {"n=1,share=0.25", "n=1,share=0.333"},
	"ema.update": {"n=1,warm=0,decay=0.9", "n=67,warm=1,decay=0.999", "n=65,warm=0,decay=0.5"}, "ema.swap": {"n=1,warm=0,decay=0.5", "n=67,warm=0,decay=0.5"},
	"groups.rates_of": {"count=1", "count=3", "count=67"},
}
