package layers

import (
	"math"
	"slices"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/internal/rule"
)

// A step of training needs the loss and its gradient, and one run computes both: the
// kernel of softmax_cross_entropy_gradient.wgsl, in the place of those of
// softmax_cross_entropy.wgsl.

// mostLogits is how many one workgroup takes; more are worth several launches. It is a
// guess: 128 for each invocation.
const mostLogits = 1 << 15

// mostClasses keeps the loops of an invocation inside the budget.
const mostClasses = 1 << 12

// crossEntropyRules are the one run in the place of the others: forward, gather where
// there are many rows, mean and backward.
func crossEntropyRules() (rules []ir.Rule) {
	for _, gather := range [][]*compute.Kernel{nil, {crossEntropyGather}} {
		of := slices.Concat([]*compute.Kernel{crossEntropyForward}, gather, []*compute.Kernel{crossEntropyMean, crossEntropyBackward})
		rules = append(rules, rule.New("gradient", of, func(_ *compute.Tape, runs []rule.Run, _ bool) bool { return recordCrossEntropy(runs) }))
	}
	return rules
}

func recordCrossEntropy(runs []rule.Run) bool {
	forward, mean, backward := runs[0].Tensors, runs[len(runs)-2].Tensors, runs[len(runs)-1].Tensors
	x, labels, weights, nll, lse := forward[0], forward[1], forward[2], forward[3], forward[4]
	part, p, ok := nll, runs[0].Params.(crossEntropyParams), true
	if len(runs) > 3 {
		part = runs[1].Tensors[1]
		ok = runs[1].Tensors[0].Same(nll)
	} else {
		p.Parts, p.Length = p.Rows, 1
	}
	for _, same := range [][2]*compute.Tensor{
		{mean[0], part}, {backward[0], x}, {backward[1], labels}, {backward[2], weights}, {backward[3], lse}, {backward[4], mean[2]},
	} {
		ok = ok && same[0].Same(same[1])
	}
	ok = ok && int(p.Parts) <= constant(crossEntropyGradient, "most_parts") && p.Classes <= mostClasses && uint64(p.Rows)*uint64(p.Classes) <= mostLogits
	if ok {
		crossEntropyGradient.Run(p, x, labels, weights, backward[5], nll, lse, mean[1], backward[6])
	}
	return ok
}

// crossEntropyGradient: nll and lse are off as in their own kernel, and what is made of
// them by that too.
var crossEntropyGradient = compute.NewKernel("softmax_cross_entropy_gradient.forward", func(p crossEntropyParams, b [][]float64) {
	x, labels, w, dloss, nll, lse, loss, dx := b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]
	total := make([]float64, 1)
	crossEntropyForwardDefine(p, [][]float64{x, labels, w, nll, lse})
	mean := p
	mean.Parts = p.Rows
	crossEntropyMeanDefine(mean, [][]float64{nll, loss, total})
	crossEntropyBackwardDefine(p, [][]float64{x, labels, w, lse, total, dloss, dx})
}, compute.Func(func(r *compute.Reference32) [][]float64 {
	p := r.Params.(crossEntropyParams)
	x, labels, w, dloss, nll, lse := r.In[0], r.In[1], r.In[2], r.In[3][0], r.Want[4], r.Want[5]
	nllOff, lseOff := crossEntropyForwardBound(p, x, labels, w, lse)
	// The sums have a rounding for each row of a part and for each part, the quotient 2.5 ULP.
	sum := compute.Gamma(float64(p.Length + p.Parts))
	a, total, aOff, totalOff := 0.0, 0.0, 0.0, 0.0
	for row := range int(p.Rows) {
		total += nll[2*row+1]
		a += math.Abs(nll[2*row])
		aOff += nllOff[2*row] + sum*(math.Abs(nll[2*row])+nllOff[2*row])
		totalOff += sum * math.Abs(nll[2*row+1])
	}
	loss := 0.0
	if total != 0 {
		least := math.Abs(total) - totalOff
		loss = (aOff+a*totalOff/math.Abs(total)+5*0x1p-24*(a+aOff))/least + 0x1p-126
	}
	dx := crossEntropyBackwardBound(p, x, labels, w, lse, lseOff, total, totalOff, dloss, r.In[7])
	return [][]float64{nil, nil, nil, nil, nllOff, lseOff, {loss}, dx}
}))
