package suite

import (
	"github.com/pumice-ml/pumice/compute/conform"
	"github.com/pumice-ml/pumice/layers"
)

// quantized are layers with int8 weights, which are for inference.
func quantized() []conform.Op {
	infer := func(r *conform.Recorder, l layers.Layer, dims ...int) {
		layers.Initialize(l, 5)
		q, err := layers.Quantize(l)
		if err != nil {
			panic(err)
		}
		for _, p := range layers.Params(q) {
			r.Own(p)
		}
		r.Training = false
		r.Keep(q.Forward(r.Tape, r.Values(dims...)))
	}
	return []conform.Op{
		{
			Name: "quantized/linear", Shapes: []string{"rows=1,in=1,out=1", "rows=3,in=65,out=7", "rows=64,in=64,out=64", "rows=129,in=30,out=1", "rows=1,in=257,out=63", "rows=5,in=1031,out=3", "rows=0,in=3,out=5"},
			Record: func(r *conform.Recorder) { infer(r, layers.NewLinear(r.N("in"), r.N("out")), r.N("rows"), r.N("in")) },
		},
		{
			Name: "quantized/conv2d", Shapes: []string{
				"n=1,c=1,h=1,w=1,k=1,s=1,stride=1,pad=0,dil=1,groups=1", "n=2,c=1,h=9,w=11,k=3,s=5,stride=1,pad=0,dil=1,groups=1", "n=2,c=4,h=10,w=9,k=6,s=3,stride=2,pad=1,dil=1,groups=2",
				"n=1,c=2,h=13,w=12,k=2,s=3,stride=1,pad=2,dil=2,groups=2", "n=2,c=5,h=6,w=6,k=33,s=1,stride=1,pad=0,dil=1,groups=1", "n=0,c=2,h=5,w=4,k=3,s=3,stride=1,pad=0,dil=1,groups=1",
			},
			Record: func(r *conform.Recorder) { infer(r, convolution(r), r.N("n"), r.N("c"), r.N("h"), r.N("w")) },
		},
	}
}
