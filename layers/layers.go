// Package layers holds the layers of neural networks, one file each: a Go
// definition of every kernel beside the code that records it on a tape.
//
//	model := layers.Sequential{
//		layers.NewConv2D(1, 8, 5), layers.ReLU{}, layers.MaxPool2D{Size: 2},
//		layers.Flatten{}, layers.NewLinear(1152, 10),
//	}
//	tape := compute.NewTape(dev)
//	y := model.Forward(tape, tape.Input("x", compute.F32, 64, 1, 28, 28))
//
// Images are (batch, channels, height, width), row-major; weights are shaped
// and named as in PyTorch, so that a PyTorch state dict loads by name. A wrong
// shape is the caller's bug and panics while recording.
package layers

import (
	"fmt"
	"iter"
	"strconv"
	"sync/atomic"

	"github.com/pumice-ml/pumice/compute"
)

// Layer records its forward kernels on a tape and leaves closures that record
// its backward kernels.
type Layer interface {
	Forward(t *compute.Tape, x *compute.Tensor) *compute.Tensor
}

// Walker is a layer that holds parameters, its own or those of layers inside
// it. Walk calls visit for each, with its name in a PyTorch state dict.
type Walker interface {
	Walk(visit func(name string, p *compute.Param))
}

// Params yields the parameters of a model by name, in order; those that a
// training run does not train (running statistics) are marked Frozen.
func Params(model Layer) iter.Seq2[string, *compute.Param] {
	return func(yield func(string, *compute.Param) bool) {
		more := true
		if w, ok := model.(Walker); ok {
			w.Walk(func(name string, p *compute.Param) {
				more = more && yield(name, p)
			})
		}
	}
}

// Initialize fills all parameters of a model from the seed, by their Init. The
// same model and seed give the same bits everywhere.
func Initialize(model Layer, seed uint32) {
	stream := uint32(0)
	for _, p := range Params(model) {
		stream++
		if p.Init != nil {
			p.Init(p, seed, stream)
		}
	}
}

var created atomic.Uint32

// newParam returns a parameter with first values of its own.
func newParam(name string, init func(p *compute.Param, seed, stream uint32), shape ...int) *compute.Param {
	p := compute.NewParam(name, shape...)
	p.Init = init
	init(p, 0, created.Add(1))
	return p
}

// Sequential applies layers one after another. Its parameters are named by
// position: "0.weight", "0.bias", "3.weight" ...
type Sequential []Layer

// Forward records all layers, each within a part of the tape with its position and
// name, as Summary has them.
func (s Sequential) Forward(t *compute.Tape, x *compute.Tensor) *compute.Tensor {
	for i, l := range s {
		t.Within(strconv.Itoa(i)+" "+Describe(l), func() { x = l.Forward(t, x) })
	}
	return x
}

// Walk visits the parameters of all layers.
func (s Sequential) Walk(visit func(name string, p *compute.Param)) {
	for i, l := range s {
		walkInto(strconv.Itoa(i), l, visit)
	}
}

// walkInto visits the parameters of an inner layer under its name.
func walkInto(prefix string, l Layer, visit func(name string, p *compute.Param)) {
	if w, ok := l.(Walker); ok {
		w.Walk(func(name string, p *compute.Param) { visit(prefix+"."+name, p) })
	}
}

// want panics with the layer, the shape it got and the shape it wants.
func want(ok bool, layer string, x *compute.Tensor, wants string, args ...any) {
	if !ok {
		panic(fmt.Sprintf("layers: %s: input shape %v, want %s", layer, x.Shape(), fmt.Sprintf(wants, args...)))
	}
}
