// Package suite holds the conformance cases of Pumice itself: every layer with its
// gradients, every loss, a step of every optimizer, and whole training programs, in
// shapes and with values that hurt.
//
//	report, err := conform.Run(ctx, dev, suite.Ops(), conform.Options{})
package suite

import (
	"strings"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/conform"
	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train"
	"github.com/pumice-ml/pumice/train/data"
)

// Ops lists the operations, sorted by family.
func Ops() []conform.Op {
	var all []conform.Op
	for _, family := range [][]conform.Op{
		activations(), products(), convolutions(), quantized(), pools(), norms(), shapes(), losses(), optimizers(), {lossScale()}, augmentations(), alone(), chained(), guarded(), programs(), conform.BuiltinOps(),
	} {
		all = append(all, family...)
	}
	return all
}

// lengths are of arrays: around a workgroup of 64, primes, and one that needs more
// than 65,535 workgroups.
var lengths = []string{"n=1", "n=0", "n=2", "n=63", "n=64", "n=65", "n=257", "n=4099", "n=16385"}

const long = "n=4200001"

func activations() (ops []conform.Op) {
	for _, a := range []struct {
		name  string
		layer layers.Layer
	}{
		{"relu", layers.ReLU{}}, {"leaky_relu", layers.LeakyReLU{}}, {"elu", layers.ELU{}}, {"elu/alpha", layers.ELU{Alpha: 0.5}}, {"gelu", layers.GELU{}}, {"gelu_tanh", layers.GELU{Tanh: true}},
		{"silu", layers.SiLU{}}, {"sigmoid", layers.Sigmoid{}}, {"tanh", layers.Tanh{}}, {"softplus", layers.Softplus{}},
		{"exp", layers.Exp{}}, {"log", layers.Log{}}, {"erf", layers.Erf{}},
	} {
		ops = append(ops, conform.Op{Name: a.name, Shapes: lengths, Record: func(r *conform.Recorder) { r.Layer(a.layer, r.N("n")) }})
	}
	return append(ops,
		conform.Op{Name: "relu/long", Shapes: []string{long}, Patterns: []string{"uniform"}, Record: func(r *conform.Recorder) { r.Layer(layers.ReLU{}, r.N("n")) }},
		conform.Op{Name: "dropout", Shapes: lengths, Record: func(r *conform.Recorder) { r.Layer(layers.Dropout{P: 0.3}, r.N("n")) }},
	)
}

func products() []conform.Op {
	return []conform.Op{
		{
			Name:   "linear",
			Shapes: []string{"rows=1,in=1,out=1", "rows=3,in=65,out=7", "rows=64,in=64,out=64", "rows=129,in=31,out=1", "rows=1,in=257,out=63", "rows=5,in=1031,out=3", "rows=17,in=13,out=130", "rows=0,in=3,out=5"},
			Record: func(r *conform.Recorder) {
				r.Layer(layers.NewLinear(r.N("in"), r.N("out")), r.N("rows"), r.N("in"))
			},
		},
		{
			Name: "linear/long", Shapes: []string{"rows=2,in=65536,out=3", "rows=1,in=70000,out=2", "rows=70001,in=3,out=2"}, Patterns: []string{"uniform", "cancel", "equal"},
			Record: func(r *conform.Recorder) {
				r.Layer(layers.NewLinear(r.N("in"), r.N("out")), r.N("rows"), r.N("in"))
			},
		},
		{
			Name: "matmul", Shapes: []string{"batch=1,m=1,k=1,n=1,ta=0,tb=0", "batch=2,m=3,k=5,n=7,ta=0,tb=0", "batch=2,m=9,k=17,n=5,ta=1,tb=0", "batch=3,m=16,k=16,n=16,ta=0,tb=1", "batch=1,m=33,k=65,n=31,ta=1,tb=1", "batch=2,m=8,k=64,n=128,ta=0,tb=0", "batch=1,m=3,k=0,n=5,ta=0,tb=0", "batch=2,m=0,k=3,n=5,ta=0,tb=0"},
			Record: func(r *conform.Recorder) { product(r, r.N("batch"), 1) },
		},
		{ // around the tiles of the variants
			Name: "matmul/tiles", Shapes: []string{
				"batch=1,m=129,k=17,n=132,ta=0,tb=0", "batch=1,m=127,k=15,n=129,ta=0,tb=0", "batch=1,m=128,k=16,n=128,ta=1,tb=0", "batch=1,m=129,k=36,n=127,ta=1,tb=1",
				"batch=2,m=68,k=68,n=65,ta=1,tb=1", "batch=1,m=65,k=80,n=68,ta=0,tb=1", "batch=1,m=33,k=19,n=65,ta=1,tb=0",
				"batch=1,m=150,k=4,n=130,ta=0,tb=1", "batch=1,m=300,k=3,n=50,ta=0,tb=0", // more tiles than a band has, of 16 and of 32 rows
				"batch=1,m=8,k=129,n=13,ta=1,tb=0", "batch=2,m=7,k=516,n=68,ta=0,tb=0", "batch=1,m=3,k=40,n=5,ta=0,tb=1",
				"batch=1,m=12,k=70000,n=97,ta=0,tb=0", "batch=1,m=2,k=200006,n=3,ta=0,tb=1", // the second in two ranges of k
			}, Patterns: []string{"uniform", "cancel"},
			Record: func(r *conform.Recorder) {
				r.Row = 4 // a grid of 5 workgroups then has one that is left over
				product(r, r.N("batch"), 1)
			},
		},
		{ // one b for the whole batch, and y += where it is not 0
			Name: "matmul/shared", Shapes: []string{"batch=2,m=97,k=20,n=101,ta=1,tb=0", "batch=3,m=17,k=36,n=132,ta=0,tb=0", "batch=2,m=1,k=515,n=67,ta=0,tb=1"}, Patterns: []string{"uniform", "large"},
			Record: func(r *conform.Recorder) { product(r, 1, 2) },
		},
		{
			Name: "embedding", Shapes: []string{"rows=1,size=1,n=1", "rows=2,size=3,n=1", "rows=5,size=1,n=65", "rows=64,size=7,n=129", "rows=130,size=64,n=17", "rows=3,size=5,n=0"},
			Record: func(r *conform.Recorder) {
				l := layers.NewEmbedding(r.N("rows"), r.N("size"))
				r.Walk(l)
				y := l.Forward(r.Tape, r.Indices(r.N("rows"), r.N("n")))
				r.Check(y)
			},
		},
		{
			Name: "embedding_bag", Shapes: []string{"rows=1,size=1,n=1,length=1", "rows=5,size=3,n=65,length=2", "rows=3,size=7,n=4,length=67", "rows=64,size=64,n=3,length=17", "rows=3,size=5,n=0,length=3"},
			Record: func(r *conform.Recorder) {
				l := layers.NewEmbeddingBag(r.N("rows"), r.N("size"), 0)
				r.Walk(l)
				y := l.Forward(r.Tape, r.Indices(r.N("rows"), r.N("n"), r.N("length")))
				r.Check(y)
			},
		},
		{
			Name: "embedding_bag/last", Shapes: []string{"rows=5,size=3,n=65,length=4"}, Patterns: []string{"uniform"},
			Record: func(r *conform.Recorder) { // padding is the last, as is what lies beyond
				l := layers.NewEmbeddingBag(r.N("rows"), r.N("size"), r.N("rows")-1)
				r.Walk(l)
				r.Check(l.Forward(r.Tape, r.Indices(r.N("rows")+2, r.N("n"), r.N("length"))))
			},
		},
	}
}

// product adds the product of matrices, of a batch of b's, to zeros some times.
func product(r *conform.Recorder, batch, times int) {
	a, b := []int{r.N("batch"), r.N("m"), r.N("k")}, []int{batch, r.N("k"), r.N("n")}
	o := layers.MatMulOptions{TransposeA: r.N("ta") == 1, TransposeB: r.N("tb") == 1}
	if o.TransposeA {
		a[1], a[2] = a[2], a[1]
	}
	if o.TransposeB {
		b[1], b[2] = b[2], b[1]
	}
	x, y := r.Values(a...), r.Values(b...)
	z := r.Zeros(r.N("batch"), r.N("m"), r.N("n"))
	for range times {
		layers.MatMul(x, y, z, o)
	}
	r.Keep(z)
}

func convolutions() []conform.Op {
	return []conform.Op{
		{
			Name: "conv2d", Shapes: []string{
				"n=1,c=1,h=1,w=1,k=1,s=1,stride=1,pad=0,dil=1,groups=1", "n=2,c=1,h=9,w=11,k=3,s=5,stride=1,pad=0,dil=1,groups=1",
				"n=3,c=3,h=8,w=7,k=4,s=3,stride=1,pad=1,dil=1,groups=1", "n=2,c=4,h=10,w=9,k=6,s=3,stride=2,pad=1,dil=1,groups=2",
				"n=1,c=2,h=13,w=12,k=2,s=3,stride=1,pad=2,dil=2,groups=2", "n=2,c=5,h=6,w=6,k=33,s=1,stride=1,pad=0,dil=1,groups=1",
				"n=1,c=3,h=17,w=19,k=2,s=4,stride=3,pad=3,dil=1,groups=1", "n=0,c=2,h=5,w=4,k=3,s=3,stride=1,pad=0,dil=1,groups=1",
			},
			Record: conv2d,
		},
		{ // whose ReLU is done with the sums, since the sigmoid alone reads it
			Name: "conv2d/1x1", Shapes: []string{"n=2,c=5,h=6,w=6,k=33,s=1,stride=1,pad=0,dil=1,groups=1"}, Patterns: []string{"uniform", "cancel", "mixed"},
			Record: rectified,
		},
		{ // and of tiles that are not full
			Name: "conv2d/3x3", Shapes: []string{"n=2,c=3,h=7,w=5,k=2,s=3,stride=1,pad=1,dil=1,groups=1", "n=1,c=17,h=4,w=9,k=5,s=3,stride=1,pad=0,dil=1,groups=1"}, Patterns: []string{"uniform", "cancel", "mixed"},
			Record: rectified,
		},
		{ // channels that fill the tiles of workgroups, more than one of 128, of 64 and of 16
			Name: "conv2d/tiles", Shapes: []string{
				"n=2,c=97,h=8,w=9,k=130,s=3,stride=1,pad=1,dil=1,groups=1", "n=3,c=130,h=13,w=12,k=134,s=2,stride=2,pad=1,dil=2,groups=2",
				"n=1,c=16,h=12,w=12,k=24,s=3,stride=1,pad=0,dil=1,groups=1",
			}, Patterns: []string{"uniform", "cancel"},
			Record: func(r *conform.Recorder) {
				r.Row = 4
				conv2d(r)
			},
		},
		{ // kernels too large for the tiled ones
			Name: "conv2d/large", Shapes: []string{"n=1,c=2,h=104,w=103,k=1,s=101,stride=1,pad=0,dil=1,groups=1", "n=2,c=1,h=21,w=20,k=2,s=12,stride=2,pad=1,dil=1,groups=1"}, Patterns: []string{"uniform", "cancel"},
			Record: conv2d,
		},
		{
			Name: "conv_transpose2d", Shapes: []string{
				"n=1,c=1,h=1,w=1,k=1,s=1,stride=1,pad=0,out=0,groups=1", "n=2,c=3,h=5,w=4,k=2,s=3,stride=2,pad=1,out=1,groups=1",
				"n=1,c=4,h=7,w=6,k=4,s=2,stride=1,pad=0,out=0,groups=2",
			},
			Record: func(r *conform.Recorder) {
				l := layers.NewConvTranspose2DGroups(r.N("c"), r.N("k"), r.N("s"), r.N("s"), r.N("groups"))
				l.Stride, l.Padding, l.OutputPadding = r.N("stride"), r.N("pad"), r.N("out")
				r.Layer(l, r.N("n"), r.N("c"), r.N("h"), r.N("w"))
			},
		},
	}
}

func conv2d(r *conform.Recorder) { r.Layer(convolution(r), r.N("n"), r.N("c"), r.N("h"), r.N("w")) }

func rectified(r *conform.Recorder) {
	r.Layer(layers.Sequential{convolution(r), layers.ReLU{}, layers.Sigmoid{}}, r.N("n"), r.N("c"), r.N("h"), r.N("w"))
}

func convolution(r *conform.Recorder) *layers.Conv2D {
	l := layers.NewConv2DGroups(r.N("c"), r.N("k"), r.N("s"), r.N("s"), r.N("groups"))
	l.Stride, l.Padding, l.Dilation = r.N("stride"), r.N("pad"), r.N("dil")
	return l
}

func pools() []conform.Op {
	shapes := []string{"n=1,c=1,h=2,w=2,size=2,stride=2,pad=0", "n=2,c=3,h=9,w=7,size=3,stride=2,pad=1", "n=1,c=5,h=13,w=11,size=2,stride=1,pad=0", "n=3,c=2,h=8,w=8,size=4,stride=3,pad=2", "n=0,c=2,h=8,w=8,size=2,stride=2,pad=0", "n=3,c=5,h=10,w=12,size=2,stride=2,pad=0"}
	dims := func(r *conform.Recorder) []int { return []int{r.N("n"), r.N("c"), r.N("h"), r.N("w")} }
	return []conform.Op{
		{Name: "max_pool2d", Shapes: shapes, Record: func(r *conform.Recorder) {
			r.Layer(layers.MaxPool2D{Size: r.N("size"), Stride: r.N("stride"), Padding: r.N("pad")}, dims(r)...)
		}},
		{Name: "avg_pool2d", Shapes: shapes, Record: func(r *conform.Recorder) {
			r.Layer(layers.AvgPool2D{Size: r.N("size"), Stride: r.N("stride"), Padding: r.N("pad")}, dims(r)...)
		}},
		{Name: "global_avg_pool", Shapes: []string{"n=1,c=1,h=1,w=1", "n=2,c=3,h=5,w=7", "n=1,c=67,h=2,w=3", "n=2,c=1,h=29,w=37", "n=0,c=2,h=3,w=4"}, Record: func(r *conform.Recorder) {
			r.Layer(layers.GlobalAvgPool{}, dims(r)...)
		}},
	}
}

func norms() []conform.Op {
	statistics := func(l *layers.BatchNorm) *layers.BatchNorm {
		for i := range l.RunningVar.Data {
			l.RunningMean.Data[i], l.RunningVar.Data[i] = float32(i)/7-1, 0.25+float32(i%5)
		}
		return l
	}
	return []conform.Op{
		{Name: "batch_norm1d", Shapes: []string{"n=2,c=1", "n=67,c=3", "n=513,c=2", "n=3,c=70"}, Record: func(r *conform.Recorder) {
			r.Layer(statistics(layers.NewBatchNorm1D(r.N("c"))), r.N("n"), r.N("c"))
		}},
		{Name: "batch_norm1d/eval", Shapes: []string{"n=1,c=1", "n=67,c=3", "n=3,c=70"}, Record: func(r *conform.Recorder) {
			r.Training = false
			r.Layer(statistics(layers.NewBatchNorm1D(r.N("c"))), r.N("n"), r.N("c"))
		}},
		{Name: "batch_norm2d", Shapes: []string{"n=1,c=1,h=1,w=2", "n=3,c=2,h=5,w=7", "n=1,c=2,h=29,w=37"}, Record: func(r *conform.Recorder) {
			r.Layer(statistics(layers.NewBatchNorm2D(r.N("c"))), r.N("n"), r.N("c"), r.N("h"), r.N("w"))
		}},
		{Name: "layer_norm", Shapes: []string{"rows=1,n=2", "rows=67,n=3", "rows=2,n=512", "rows=3,n=1031"}, Record: func(r *conform.Recorder) {
			r.Layer(layers.NewLayerNorm(r.N("n")), r.N("rows"), r.N("n"))
		}},
		{Name: "standardize", Shapes: []string{"n=1,c=1,h=1,w=1", "n=3,c=2,h=5,w=7", "n=67,c=3,h=1,w=1", "n=0,c=3,h=2,w=2"}, Record: func(r *conform.Recorder) {
			mean, deviation := make([]float32, r.N("c")), make([]float32, r.N("c"))
			for c := range mean {
				mean[c], deviation[c] = float32(c)/3-0.5, 0.3+float32(c)/7
			}
			r.Layer(layers.NewStandardize(mean, deviation), r.N("n"), r.N("c"), r.N("h"), r.N("w"))
		}},
		{Name: "softmax", Shapes: []string{"rows=1,n=1", "rows=67,n=3", "rows=2,n=512", "rows=3,n=1031"}, Record: func(r *conform.Recorder) {
			r.Layer(layers.Softmax{}, r.N("rows"), r.N("n"))
		}},
		{Name: "log_softmax", Shapes: []string{"rows=1,n=1", "rows=67,n=3", "rows=2,n=512", "rows=3,n=1031"}, Record: func(r *conform.Recorder) {
			r.Layer(layers.LogSoftmax{}, r.N("rows"), r.N("n"))
		}},
	}
}

func shapes() []conform.Op {
	pair := func(op func(t *compute.Tape, a, b *compute.Tensor) *compute.Tensor) func(r *conform.Recorder) {
		return func(r *conform.Recorder) {
			a, b := r.Values(r.N("a"), r.N("b")), r.Values(r.N("c"), r.N("d"))
			y := op(r.Tape, a, b)
			r.Check(y, a, b)
		}
	}
	sizes := []string{"a=1,b=1,c=1,d=1", "a=3,b=67,c=3,d=67", "a=3,b=67,c=1,d=67", "a=129,b=5,c=129,d=1", "a=1,b=7,c=11,d=1", "a=0,b=7,c=1,d=7"}
	return []conform.Op{
		{Name: "add", Shapes: sizes, Record: pair(layers.Add)},
		{Name: "mul", Shapes: sizes, Record: pair(layers.Mul)},
		{Name: "concat", Shapes: []string{"rows=1,a=1,b=1", "rows=5,a=3,b=67", "rows=65,a=64,b=1", "rows=3,a=0,b=5"}, Record: func(r *conform.Recorder) {
			a, b := r.Values(r.N("rows"), r.N("a")), r.Values(r.N("rows"), r.N("b"))
			y := layers.Concat(r.Tape, 1, a, b)
			r.Check(y, a, b)
		}},
		{Name: "residual", Shapes: []string{"rows=1,n=1", "rows=9,n=65"}, Record: func(r *conform.Recorder) {
			r.Layer(layers.Residual{Body: layers.Sequential{layers.NewLinear(r.N("n"), r.N("n")), layers.Tanh{}}}, r.N("rows"), r.N("n"))
		}},
	}
}

func losses() (ops []conform.Op) {
	for _, l := range []struct {
		name string
		loss layers.Loss
	}{
		{"mse", layers.MSE{}}, {"l1", layers.L1{}}, {"huber", layers.Huber{}}, {"smooth_l1", layers.SmoothL1{Beta: 0.3}}, {"bce_with_logits", layers.BCEWithLogits{}},
	} {
		ops = append(ops, conform.Op{Name: l.name, Shapes: []string{"rows=1,n=1", "rows=3,n=5", "rows=1,n=65", "rows=37,n=29", "rows=2,n=4099", "rows=2,n=512"}, Record: func(r *conform.Recorder) {
			x := r.Values(r.N("rows"), r.N("n"))
			target := r.Unit(r.N("rows"), r.N("n"))
			y := l.loss.Loss(r.Tape, x, target)
			r.CheckLoss(y, x)
		}})
	}
	return append(ops, conform.Op{
		Name: "softmax_cross_entropy", Shapes: []string{"rows=1,classes=1,smooth=0", "rows=3,classes=10,smooth=0", "rows=65,classes=7,smooth=1", "rows=130,classes=3,smooth=0", "rows=2,classes=1031,smooth=1", "rows=700,classes=3,smooth=1", "rows=4700,classes=7,smooth=1"}, // the last one not in one run
		Record: func(r *conform.Recorder) {
			x := r.Values(r.N("rows"), r.N("classes"))
			y := layers.SoftmaxCrossEntropy{LabelSmoothing: 0.1 * float32(r.N("smooth"))}.Loss(r.Tape, x, r.Indices(r.N("classes")+2, r.N("rows"))) // and beyond
			r.CheckLoss(y, x)
		},
	}, conform.Op{
		Name: "weighted_cross_entropy", Shapes: []string{"rows=3,classes=2,weight=0", "rows=65,classes=7,weight=2"},
		Record: func(r *conform.Recorder) {
			x, weights := r.Values(r.N("rows"), r.N("classes")), make([]float32, r.N("classes"))
			for c := range weights {
				weights[c] = float32(r.N("weight")*(c+1)) / 4 // of 0 loss and gradient are 0
			}
			y := layers.SoftmaxCrossEntropy{LabelSmoothing: 0.1, Weights: weights}.Loss(r.Tape, x, r.Indices(r.N("classes"), r.N("rows")))
			r.CheckLoss(y, x)
		},
	})
}

func optimizers() (ops []conform.Op) {
	for _, o := range []struct {
		name string
		train.Optimizer
	}{
		{"sgd", &train.SGD{LR: 0.1}}, {"sgd/momentum", &train.SGD{LR: 0.1, Momentum: 0.9, Decay: 0.01}}, {"sgd/nesterov", &train.SGD{LR: 0.1, Momentum: 0.9, Nesterov: true}},
		{"adam", &train.Adam{Decay: 0.01}}, {"adamw", &train.AdamW{}}, {"rmsprop", &train.RMSprop{Momentum: 0.5, Decay: 0.01}},
		{"sgd/gated", &train.SGD{LR: 0.1, Momentum: 0.9, Nesterov: true}}, {"adamw/gated", &train.AdamW{}}, {"rmsprop/gated", &train.RMSprop{Momentum: 0.5}},
	} {
		ops = append(ops, conform.Op{Name: o.name, Shapes: []string{"n=1", "n=64", "n=65", "n=1031"}, Record: func(r *conform.Recorder) {
			w := compute.NewParam("w", r.N("n"))
			r.Set(w)
			s := &train.State{Names: []string{"w"}, Params: []*compute.Param{w}, Rate: compute.NewParam("rate", 1)}
			s.Rate.Data[0] = float32(o.LearningRate())
			r.Own(s.Rate)
			if strings.HasSuffix(o.name, "/gated") {
				s.Gate = r.Indices(2, 1)
			}
			r.SetGrad(r.Param(w), r.Values(r.N("n")))
			o.Update(r.Tape, s)
			// A state as after some steps: averages of squares are not negative, and
			// the corrections are 1 - beta^step.
			for _, p := range s.Slots() {
				p.Frozen = false
				r.Set(p)
				for i, v := range p.Data {
					p.Data[i] = max(v, -v)
				}
				if p.Name == "correction" {
					p.Data[0], p.Data[1] = 0.271, 0.002997
				}
			}
		}})
	}
	return append(ops, updates()...)
}

// alone are kernels that other ops run with few values.
func alone() (ops []conform.Op) {
	batch := []string{"count=8,size=8,batch=4,steps=2,first=0,bits=2,shuffled=1,scale=0.5", "count=9,size=5,batch=4,steps=2,first=1,bits=2,shuffled=1,scale=0.1", "count=70,size=3,batch=66,steps=1,first=2,bits=4,shuffled=1,scale=2", "count=9,size=1,batch=4,steps=2,first=1,bits=2,shuffled=0,scale=1"}
	axes := []string{
		"n0=2,n1=3,n2=1,n3=2,n4=3,n5=5,a0=90,a1=30,a2=30,a3=15,a4=5,a5=1,b0=0,b1=2,b2=0,b3=1,b4=0,b5=0",
		"n0=3,n1=1,n2=2,n3=1,n4=2,n5=7,a0=1,a1=0,a2=3,a3=0,a4=6,a5=0,b0=28,b1=28,b2=14,b3=14,b4=7,b5=1",
	}
	sizes := map[string][]string{
		"ceiling.products": {"m=1,k=0,f=0.5,g=1", "m=67,k=5,f=0.5,g=0.25", "m=64,k=129,f=1,g=0"}, "ceiling.sums": {"m=1,k=0,f=0,g=0", "m=67,k=0,f=0,g=0"},
		"cast.forward": {"n=1", "n=65"}, "loss_scale.apply": {"n=1,interval=1", "n=65,interval=1"}, "loss_scale.settle": {"n=1,interval=1", "n=1,interval=3"},
		"watch.look": {"n=1,place=0", "n=65,place=0", "n=257,place=4000000000"},
		"batch.load": batch, "batch.load_bytes": batch, "batch.load_floats": batch, "batch.load_ints": batch, "broadcast.add": axes, "broadcast.multiply": axes,
		"conv2d_finish.rectified": {"n=2,k=5,size=9,biased=1", "n=1,k=3,size=65,biased=0"},
	}
	for _, k := range ir.Kernels() {
		shapes := sizes[k.Name()]
		if shapes == nil {
			shapes = counted[k.Name()]
		}
		if shapes != nil {
			ops = append(ops, conform.KernelOp((*compute.Kernel)(k), shapes...))
		}
	}
	return ops
}

// programs are whole training steps, from the data set in device memory to the new
// weights.
func programs() (ops []conform.Op) {
	for _, p := range []struct {
		name  string
		model func() layers.Layer
	}{
		{"train/mlp", func() layers.Layer {
			return layers.Sequential{layers.Flatten{}, layers.NewLinear(100, 33), layers.GELU{}, layers.Dropout{P: 0.2}, layers.NewLinear(33, 5)}
		}},
		{"train/cnn", func() layers.Layer {
			return layers.Sequential{
				layers.NewConv2D(1, 6, 3), layers.NewBatchNorm2D(6), layers.ReLU{}, layers.MaxPool2D{Size: 2},
				layers.NewConv2D(6, 7, 3), layers.ReLU{}, layers.Flatten{}, layers.NewLinear(28, 5),
			}
		}},
	} {
		ops = append(ops, conform.Op{Name: p.name, Shapes: []string{"batch=1,images=3", "batch=17,images=50", "batch=64,images=67"}, Patterns: []string{"uniform", "large", "equal"}, Record: func(r *conform.Recorder) {
			model := p.model()
			layers.Initialize(model, 5)
			loop := train.Loop{
				Model: model, Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &train.AdamW{}, Schedule: train.Linear{Final: 0.1},
				Batch: r.N("batch"), Epochs: 2, Seed: 3, Storage: r.Storage, LossScale: train.LossScale{First: 16},
			}
			if r.N("batch") == 1 { // a batch norm has no variance of one image, but of its pixels
				loop.Optimizer = &train.SGD{LR: 0.1, Momentum: 0.9}
			}
			if err := loop.Record(r.Tape, Shades(r.N("images"), 10)); err != nil {
				panic(err)
			}
			for _, param := range layers.Params(model) {
				r.Own(param)
			}
		}})
	}
	return ops
}

// Shades is a set of square images of five classes, a grey of its own each, with
// noise.
func Shades(images, side int) *data.Set {
	s := &data.Set{Name: "shades", Channels: 1, Height: side, Width: side, Classes: []string{"0", "1", "2", "3", "4"}}
	for i := range images {
		bits := compute.RandomBits(11, 0, 0, uint32(i))
		s.Labels = append(s.Labels, byte(bits[0]%5))
		for j := range side * side {
			s.Pixels = append(s.Pixels, byte(bits[0]%5*45+compute.RandomBits(11, 1, uint32(j), uint32(i))[0]%60))
		}
	}
	return s
}
