package layers

import (
	"math"

	"github.com/pumice-ml/pumice/compute"
)

// Softmax is y = exp(x) / sum of exp(x) over the last dimension, computed from
// the differences to the row's maximum, so that no x is too large.
type Softmax struct{}

// Forward takes and returns any shape of at least one dimension, none of them 0.
func (Softmax) Forward(t *compute.Tape, x *compute.Tensor) *compute.Tensor {
	p, whole := softmaxRows(t, "Softmax", x)
	y := t.New(x.Shape()...)
	softmaxForward.Run(p, x, whole, y)
	t.OnBackward(func() {
		products, slope := t.NewF32(int(p.Rows), int(p.Chunks)), t.ZerosF32(int(p.Rows))
		softmaxBackwardGather.Run(p, y, t.Grad(y), products)
		sumInto(t, sumRows(int(p.Rows), int(p.Chunks)), products, slope)
		softmaxBackward.Run(p, y, t.Grad(y), slope, t.Grad(x))
	})
	return y
}

func (Softmax) String() string { return "Softmax" }

// softmaxRows records the maximum of each row and the sum of exp(x - maximum).
func softmaxRows(t *compute.Tape, layer string, x *compute.Tensor) (softmaxParams, *compute.Tensor) {
	want(len(x.Shape()) > 0 && x.Len() > 0, layer, x, "(..., size) with no 0")
	size := x.Dim(-1)
	p := softmaxParams{Rows: uint32(x.Len() / size), Size: uint32(size), Chunk: uint32(max(sumChunk, ceil(size, sumChunk)))}
	p.Chunks = uint32(ceil(size, int(p.Chunk)))
	part, whole := t.NewF32(int(p.Rows), int(p.Chunks), 2), t.NewF32(int(p.Rows), 2)
	softmaxGather.Run(p, x, part)
	softmaxJoin.Run(p, part, whole)
	return p, whole
}

type softmaxParams struct{ Rows, Size, Chunk, Chunks uint32 }

// part is which chunk of its row element i belongs to.
func (p softmaxParams) part(i int) int {
	return i/int(p.Size)*int(p.Chunks) + i%int(p.Size)/int(p.Chunk)
}

// expRoundings bounds the relative error, in u, of the exponential of a rounded
// difference d: WGSL allows 3+2|d| ULP, and the rounding of d gives |d|.
func expRoundings(d float64) float64 { return 6 + 5*math.Abs(d) }

var softmaxGather = compute.NewKernel("softmax.gather", func(p softmaxParams, b [][]float64) {
	x, part := b[0], b[1]
	for i := range len(part) / 2 {
		part[2*i], part[2*i+1] = math.Inf(-1), 0
	}
	for i, v := range x {
		part[2*p.part(i)] = max(part[2*p.part(i)], v)
	}
	for i, v := range x {
		part[2*p.part(i)+1] += math.Exp(v - part[2*p.part(i)])
	}
}, compute.Func(func(r *compute.Reference32) [][]float64 {
	p := r.Params.(softmaxParams)
	part := make([]float64, len(r.Want[1]))
	for i, v := range r.In[0] {
		d := v - r.Want[1][2*p.part(i)]
		part[2*p.part(i)] = flushedMost(r.Want[1][2*p.part(i)])
		part[2*p.part(i)+1] += math.Exp(d)*(expRoundings(d)*u+compute.Gamma(float64(min(p.Chunk, p.Size))))*(1+1e-3) + tiny
	}
	return [][]float64{nil, part}
}))

// flushedMost bounds the maximum of numbers of which a device may take the subnormal
// ones for zero: then all of them are the same to it.
func flushedMost(most float64) float64 {
	if math.Abs(most) < tiny {
		return 2 * tiny
	}
	return 0
}

var softmaxJoin = compute.NewKernel("softmax.join", func(p softmaxParams, b [][]float64) {
	parts, whole := b[0], b[1]
	for row := range int(p.Rows) {
		most, sum := math.Inf(-1), 0.0
		chunks := parts[2*row*int(p.Chunks) : 2*(row+1)*int(p.Chunks)]
		for k := 0; k < len(chunks); k += 2 {
			most = max(most, chunks[k])
		}
		for k := 0; k < len(chunks); k += 2 {
			sum += chunks[k+1] * math.Exp(chunks[k]-most)
		}
		whole[2*row], whole[2*row+1] = most, sum
	}
}, compute.Func(func(r *compute.Reference32) [][]float64 {
	p := r.Params.(softmaxParams)
	whole := make([]float64, len(r.Want[1]))
	for i := range int(p.Rows * p.Chunks) {
		row := i / int(p.Chunks)
		d := r.In[0][2*i] - r.Want[1][2*row]
		sum := r.In[0][2*i+1]
		whole[2*row+1] += sum*(math.Exp(d)*(expRoundings(d)*u+compute.Gamma(float64(p.Chunks)+1))*(1+1e-3)+tiny) + tiny
	}
	return [][]float64{nil, whole}
}))

var softmaxForward = compute.NewKernel("softmax.forward", func(p softmaxParams, b [][]float64) {
	x, wholes, y := b[0], b[1], b[2]
	for i, v := range x {
		row := i / int(p.Size)
		y[i] = math.Exp(v-wholes[2*row]) / wholes[2*row+1]
	}
}, compute.Func(func(r *compute.Reference32) [][]float64 {
	p := r.Params.(softmaxParams)
	y := make([]float64, len(r.Want[2]))
	for i, want := range r.Want[2] {
		d := r.In[0][i] - r.In[1][2*(i/int(p.Size))]
		y[i] = want*(expRoundings(d)+division+1)*u*(1+1e-3) + 2*tiny
	}
	return [][]float64{nil, nil, y}
}))

var softmaxBackwardGather = compute.NewKernel("softmax.backward_gather", func(p softmaxParams, b [][]float64) {
	y, dy, products := b[0], b[1], b[2]
	clear(products)
	for i, v := range y {
		products[p.part(i)] += v * dy[i]
	}
}, compute.DotOf(func(p softmaxParams) int { return int(min(p.Chunk, p.Size)) }))

var softmaxBackward = compute.NewKernel("softmax.backward", func(p softmaxParams, b [][]float64) {
	y, dy, slope, dx := b[0], b[1], b[2], b[3]
	for i, v := range y {
		dx[i] += v * (dy[i] - slope[i/int(p.Size)])
	}
}, compute.Func(func(r *compute.Reference32) [][]float64 {
	// A difference, a product and a sum.
	p := r.Params.(softmaxParams)
	dx := make([]float64, len(r.Want[3]))
	for i, want := range r.Want[3] {
		d := math.Abs(r.In[0][i]) * math.Abs(r.In[1][i]-r.In[2][i/int(p.Size)])
		dx[i] = compute.Gamma(3)*d + u*math.Abs(want) + 3*tiny
	}
	return [][]float64{nil, nil, nil, dx}
}))
