package layers

import (
	"fmt"
	"math"
	"slices"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/internal/rule"
)

// SoftmaxCrossEntropy is the mean negative log-likelihood of the labels under
// the softmax of the logits, as PyTorch's CrossEntropyLoss: a row's loss is
// (1-e)*w[label]*nll[label] + e/classes * sum of w[c]*nll[c], with e the label
// smoothing, and the mean divides by the sum of w[label]. Where that sum is 0 the loss is 0,
// and so is its gradient.
type SoftmaxCrossEntropy struct {
	LabelSmoothing float32   // e, 0 to 1
	Weights        []float32 // w, one for each class, 0 or more; nil is 1 for all
}

// Loss takes logits (rows, classes) and u32 labels (rows); a label beyond the
// classes counts as the last one. It panics on another shape, also of Weights, and
// where LabelSmoothing or a weight is out of range.
func (l SoftmaxCrossEntropy) Loss(t *compute.Tape, y, target *compute.Tensor) *compute.Tensor {
	want(len(y.Shape()) == 2 && y.Dim(1) > 0 && target.Len() == y.Dim(0), "SoftmaxCrossEntropy", y, "(rows, classes) for %d labels", target.Len())
	rows, classes := y.Dim(0), y.Dim(1)
	w := l.Weights
	if w == nil {
		w = slices.Repeat([]float32{1}, classes)
	}
	if len(w) != classes {
		panic(fmt.Sprintf("layers: SoftmaxCrossEntropy: %d class weights, want %d", len(w), classes))
	}
	for c, v := range w {
		if !(v >= 0 && v <= math.MaxFloat32) {
			panic(fmt.Sprintf("layers: SoftmaxCrossEntropy: class weight %d is %v, want 0 or more", c, v))
		}
	}
	if !(l.LabelSmoothing >= 0 && l.LabelSmoothing <= 1) {
		panic(fmt.Sprintf("layers: SoftmaxCrossEntropy: label smoothing %v, want 0 to 1", l.LabelSmoothing))
	}
	length := int(math.Ceil(math.Sqrt(float64(rows))))
	p := crossEntropyParams{
		Rows: uint32(rows), Classes: uint32(classes), Length: uint32(length), Parts: uint32((rows + length - 1) / length),
		Smoothing: l.LabelSmoothing, Rest: 1 - l.LabelSmoothing,
	}
	weights := t.Constant("class weights", w, classes)
	nll, lse := t.NewF32(rows, 2), t.NewF32(rows, 2)
	loss, total := t.NewF32(1), t.NewF32(1)
	rule.Use(t, crossEntropyRules()...)
	crossEntropyForward.Run(p, y, target, weights, nll, lse)
	part := nll
	if rows > sumChunk {
		part = t.NewF32(int(p.Parts), 2)
		crossEntropyGather.Run(p, nll, part)
	} else {
		p.Parts = uint32(rows)
	}
	crossEntropyMean.Run(p, part, loss, total)
	t.OnBackward(func() {
		crossEntropyBackward.Run(p, y, target, weights, lse, total, t.Grad(loss), t.Grad(y))
	})
	return loss
}

type crossEntropyParams struct {
	Rows, Classes, Parts, Length uint32
	Smoothing, Rest              float32
}

func (p crossEntropyParams) label(v float64) int { return min(int(v), int(p.Classes)-1) }

var crossEntropyForward = compute.NewKernel("softmax_cross_entropy.forward", crossEntropyForwardDefine, compute.Func(func(r *compute.Reference32) [][]float64 {
	nll, lse := crossEntropyForwardBound(r.Params.(crossEntropyParams), r.In[0], r.In[1], r.In[2], r.Want[4])
	return [][]float64{nil, nil, nil, nll, lse}
}))

func crossEntropyForwardDefine(p crossEntropyParams, b [][]float64) {
	x, labels, w, nll, lse := b[0], b[1], b[2], b[3], b[4]
	for row := range labels {
		logits := x[row*int(p.Classes) : (row+1)*int(p.Classes)]
		most, sum := slices.Max(logits), 0.0
		for _, v := range logits {
			sum += math.Exp(v - most)
		}
		lse[2*row], lse[2*row+1] = most, math.Log(sum)
		label := p.label(labels[row])
		nll[2*row+1] = w[label]
		nll[2*row] = float64(p.Rest) * w[label] * (most + lse[2*row+1] - logits[label])
		if p.Smoothing != 0 {
			for c, v := range logits {
				nll[2*row] += float64(p.Smoothing) / float64(p.Classes) * w[c] * (most + lse[2*row+1] - v)
			}
		}
	}
}

// crossEntropyForwardBound bounds the error of nll and lse, by what lse is.
func crossEntropyForwardBound(p crossEntropyParams, x, labels, w, lse []float64) (nllOff, lseOff []float64) {
	nllOff, lseOff = make([]float64, 2*p.Rows), make([]float64, 2*p.Rows)
	for row := range int(p.Rows) {
		logits := x[row*int(p.Classes) : (row+1)*int(p.Classes)]
		most, log := lse[2*row], lse[2*row+1]
		lseOff[2*row], lseOff[2*row+1] = flushedMost(most), logSumBound(logits, log)
		label := p.label(labels[row])
		// each max - x + log is off by what the log is and two roundings of
		// positive terms; the products and the sum have at most classes + 6
		terms, off := 0.0, 0.0
		add := func(weight, v float64) {
			terms += math.Abs(weight * (most + log - v))
			off += math.Abs(weight) * lseOff[2*row+1]
		}
		add(float64(p.Rest)*w[label], logits[label])
		if p.Smoothing != 0 {
			for c, v := range logits {
				add(float64(p.Smoothing)/float64(p.Classes)*w[c], v)
			}
		}
		nllOff[2*row] = off + compute.Gamma(float64(p.Classes)+8)*terms + 0x1p-126
	}
	return nllOff, lseOff
}

// logSumBound bounds log(sum exp(x - max)): exp of d = x - max is off by
// (3+2|d|) ULP and the rounding of d, so by (6+5|d|)u relative; the sum adds
// gamma(n); log is off by 3 ULP, or 2^-21 up to 2. An exp below the smallest
// normal number may be 0.
func logSumBound(x []float64, log float64) float64 {
	const u = 0x1p-24
	most, sum, off := slices.Max(x), 0.0, 0.0
	for _, v := range x {
		e := math.Exp(v - most)
		sum += e
		off += e*(6+5*math.Abs(v-most))*u + 0x1p-126
	}
	off += compute.Gamma(float64(len(x))) * sum
	if sum-off <= 2 {
		return 0x1p-21 + off/(sum-off)
	}
	return 3*compute.Ulp(log) + off/(sum-off)
}

var crossEntropyGather = compute.NewKernel("softmax_cross_entropy.gather", func(p crossEntropyParams, b [][]float64) {
	losses, part := b[0], b[1]
	clear(part)
	for row := range int(p.Rows) {
		part[2*(row/int(p.Length))] += losses[2*row]
		part[2*(row/int(p.Length))+1] += losses[2*row+1]
	}
}, compute.ReduceOf(func(p crossEntropyParams) int { return int(p.Length) }))

// mean: both sums have gamma(parts), the quotient 2.5 ULP.
var crossEntropyMean = compute.NewKernel("softmax_cross_entropy.mean", crossEntropyMeanDefine, compute.Func(func(r *compute.Reference32) [][]float64 {
	p := r.Params.(crossEntropyParams)
	a, w := 0.0, 0.0
	for i := range int(p.Parts) {
		a += math.Abs(r.In[0][2*i])
		w += math.Abs(r.In[0][2*i+1])
	}
	sum := compute.Gamma(float64(p.Parts))
	if r.Want[2][0] == 0 {
		return [][]float64{nil, {0}, {sum*w + 0x1p-126}}
	}
	return [][]float64{nil, {a/math.Abs(r.Want[2][0])*(2*sum+8*0x1p-24) + 0x1p-126}, {sum*w + 0x1p-126}}
}))

func crossEntropyMeanDefine(p crossEntropyParams, b [][]float64) {
	parts, loss, total := b[0], b[1], b[2]
	a, w := 0.0, 0.0
	for i := range int(p.Parts) {
		a += parts[2*i]
		w += parts[2*i+1]
	}
	if loss[0], total[0] = 0, w; w != 0 {
		loss[0] = a / w
	}
}

var crossEntropyBackward = compute.NewKernel("softmax_cross_entropy.backward", crossEntropyBackwardDefine, compute.Func(func(r *compute.Reference32) [][]float64 {
	dx := crossEntropyBackwardBound(r.Params.(crossEntropyParams), r.In[0], r.In[1], r.In[2], r.In[3], nil, r.In[4][0], 0, r.In[5][0], r.In[6])
	return [][]float64{nil, nil, nil, nil, nil, nil, dx}
}))

func crossEntropyBackwardDefine(p crossEntropyParams, b [][]float64) {
	x, labels, w, lse, total, dloss, dx := b[0], b[1], b[2], b[3], b[4], b[5], b[6]
	if total[0] == 0 {
		return
	}
	all := 0.0
	for _, v := range w {
		all += v
	}
	for i := range dx {
		row, c := i/int(p.Classes), i%int(p.Classes)
		label, at := p.label(labels[row]), math.Exp(x[i]-lse[2*row]-lse[2*row+1])
		d := float64(p.Rest) * w[label] * at
		if c == label {
			d -= float64(p.Rest) * w[label]
		}
		if p.Smoothing != 0 {
			d += float64(p.Smoothing) / float64(p.Classes) * (at*all - w[c])
		}
		dx[i] += d * dloss[0] / total[0]
	}
}

// crossEntropyBackwardBound bounds the error of what is added to dx, of lse and a total
// that are off by as much themselves; lseOff is nil where they are exact. p is exp of
// d - log with d = x - max, each rounded: off by (6+5(|d|+log))u of itself, and by a
// factor exp of what d - log is off. Each term of the sum has at most classes + 12
// roundings (a division counts 5).
func crossEntropyBackwardBound(p crossEntropyParams, x, labels, w, lse, lseOff []float64, total, totalOff, dloss float64, dx []float64) []float64 {
	const u = 0x1p-24
	all := 0.0
	for _, v := range w {
		all += math.Abs(v)
	}
	off := make([]float64, len(x))
	if total == 0 { // nothing is added
		for i, v := range dx {
			off[i] = 2*u*math.Abs(v) + 4*0x1p-126
		}
		return off
	}
	for i := range off {
		row, c := i/int(p.Classes), i%int(p.Classes)
		label, d, log := p.label(labels[row]), x[i]-lse[2*row], lse[2*row+1]
		shift := 0.0
		if lseOff != nil {
			shift = lseOff[2*row] + lseOff[2*row+1]
		}
		at := math.Exp(d - log + shift)
		main, smooth := math.Abs(float64(p.Rest)*w[label]), 0.0
		if p.Smoothing != 0 {
			smooth = float64(p.Smoothing) / float64(p.Classes)
		}
		atOff := at * (math.Expm1(shift) + (6+5*(math.Abs(d)+math.Abs(log)+shift))*u)
		terms := main*at + smooth*(at*all+math.Abs(w[c]))
		if c == label {
			terms += main
		}
		scale := math.Abs(dloss) / (math.Abs(total) - totalOff)
		off[i] = scale*(atOff*(main+smooth*all)+(compute.Gamma(float64(p.Classes)+16)+totalOff/math.Abs(total))*terms) + 2*u*math.Abs(dx[i]) + 4*0x1p-126
	}
	return off
}
