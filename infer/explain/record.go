package explain

import (
	"fmt"
	"math"
	"slices"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers"
)

// recording is a model on a tape, with what explains it.
type recording struct {
	tape      *compute.Tape
	x         *compute.Tensor // (1, channels, height, width)
	pick      *compute.Tensor // (1, classes): 1 at the class
	logits    *compute.Tensor // (1, classes)
	outputs   []output
	dx        *compute.Tensor // the gradient of the class's logit at x
	target    int             // index in outputs; -1 for none
	cam       *compute.Tensor // (height, width); nil without a target
	small     *compute.Tensor // cam before it is upsampled: (1, h, w)
	gradients *compute.Tensor // of the target
}

// output is what a layer makes.
type output struct {
	name string
	conv bool
	y    *compute.Tensor
}

func record(t *compute.Tape, model layers.Layer, shape []int) recording {
	r := recording{tape: t, target: -1}
	r.x = t.Input("x", compute.F32, append([]int{1}, shape...)...)
	r.logits = r.walk(model, r.x)
	if s := r.logits.Shape(); len(s) != 2 || s[0] != 1 {
		panic(fmt.Sprintf("explain: Open: the model makes %v of one image, want (1, classes)", s))
	}
	r.pick = t.Input("pick", compute.F32, r.logits.Shape()...)
	t.SetGrad(r.logits, r.pick)
	t.BackwardFromGrads()
	r.dx = t.Grad(r.x)
	t.Keep(r.logits, r.dx)
	for i, o := range r.outputs {
		t.Keep(o.y)
		// A layer that keeps the shape of the maps before it belongs to them.
		if maps := len(o.y.Shape()) == 4; maps && (o.conv || r.target >= 0 && r.target == i-1 && slices.Equal(o.y.Shape(), r.outputs[r.target].y.Shape())) {
			r.target = i
		}
	}
	if r.target >= 0 {
		r.gradCAM(shape[1], shape[2])
	}
	return r
}

// walk records a model layer by layer.
func (r *recording) walk(model layers.Layer, x *compute.Tensor) *compute.Tensor {
	for name, l := range layers.Each(model) {
		r.tape.Within(name, func() { x = l.Forward(r.tape, x) })
		r.outputs = append(r.outputs, output{name, holdsConvolution(l), x})
	}
	return x
}

func holdsConvolution(l layers.Layer) bool {
	switch l := l.(type) {
	case *layers.Conv2D, *layers.ConvTranspose2D:
		return true
	case layers.Sequential:
		return slices.ContainsFunc(l, holdsConvolution)
	case layers.Residual:
		return holdsConvolution(l.Body) || l.Shortcut != nil && holdsConvolution(l.Shortcut)
	}
	return false
}

// gradCAM records Grad-CAM of the target for images of height by width.
func (r *recording) gradCAM(height, width int) {
	t, maps := r.tape, r.outputs[r.target].y
	k, h, w := maps.Dim(1), maps.Dim(2), maps.Dim(3)
	r.gradients = t.Grad(maps)
	weights := layers.GlobalAvgPool{}.Forward(t, r.gradients)
	sum := t.Zeros(1, 1, h*w)
	layers.MatMul(t.Reshape(weights, 1, 1, k), t.Reshape(maps, 1, k, h*w), sum, layers.MatMulOptions{})
	r.small = layers.ReLU{}.Forward(t, t.Reshape(sum, 1, h, w))

	down := t.Constant("rows", bilinear(height, h), 1, height, h)
	across := t.Constant("columns", bilinear(width, w), 1, width, w)
	tall, whole := t.Zeros(1, height, w), t.Zeros(1, height, width)
	layers.MatMul(down, r.small, tall, layers.MatMulOptions{})
	layers.MatMul(tall, across, whole, layers.MatMulOptions{TransposeB: true})
	r.cam = t.Reshape(whole, height, width)
	t.Keep(r.cam, r.small, r.gradients)
}

// bilinear is the matrix (to, from) that interpolates between the centres of from
// cells at those of to cells over the same length; beyond the outer centres it is
// constant.
func bilinear(to, from int) []float32 {
	m := make([]float32, to*from)
	for i := range to {
		at := min(max((float64(i)+0.5)*float64(from)/float64(to)-0.5, 0), float64(from-1))
		low := int(math.Floor(at))
		part := at - float64(low)
		m[i*from+low] += float32(1 - part)
		if part > 0 {
			m[i*from+low+1] += float32(part)
		}
	}
	return m
}
