package report

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/train"
	"github.com/pumice-ml/pumice/train/data"
)

// Judgement is how a classifier does on a test set.
type Judgement struct {
	Examples, Wrong int
	Loss            float64 // mean cross-entropy
	Confusion       [][]int // row: truth, column: prediction
	Mistakes        []Mistake
}

// Mistake is an example that the model tells wrong.
type Mistake struct {
	Index            int // in the test set, from 0
	Truth, Told      int // classes
	Probability      float64
	TruthProbability float64
	Loss             float64 // cross-entropy
	Picture          *Picture
}

// Confused is how often one class was taken for another.
type Confused struct{ Truth, Told, Count int }

// MostConfused are the pairs of classes that are mistaken most often, at most n.
func (j *Judgement) MostConfused(n int) []Confused {
	var all []Confused
	for truth, row := range j.Confusion {
		for told, count := range row {
			if truth != told && count > 0 {
				all = append(all, Confused{truth, told, count})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Confused) int { return cmp.Compare(b.Count, a.Count) })
	return all[:min(n, len(all))]
}

// Class is how the model does on a class: Precision is the share of right answers
// among those that tell the class, Recall among the examples of it, F1 their
// harmonic mean; NaN where there are none.
type Class struct {
	Class                 int
	Examples              int
	Precision, Recall, F1 float64
}

// PerClass is how the model does on each class.
func (j *Judgement) PerClass() []Class {
	all := make([]Class, len(j.Confusion))
	for c := range all {
		told := 0
		for truth := range j.Confusion {
			told += j.Confusion[truth][c]
		}
		right := float64(j.Confusion[c][c])
		k := Class{Class: c}
		for _, n := range j.Confusion[c] {
			k.Examples += n
		}
		k.Precision, k.Recall = right/float64(told), right/float64(k.Examples)
		k.F1 = 2 * right / float64(told+k.Examples)
		all[c] = k
	}
	return all
}

// crossEntropy is -log softmax(x)[label], and the probabilities.
func crossEntropy(x []float32, label int) (loss float64, probabilities []float64) {
	most := float64(slices.Max(x))
	sum := 0.0
	probabilities = make([]float64, len(x))
	for i, v := range x {
		probabilities[i] = math.Exp(float64(v) - most)
		sum += probabilities[i]
	}
	for i := range probabilities {
		probabilities[i] /= sum
	}
	return math.Log(sum) + most - float64(x[label]), probabilities
}

// largest is the place of the first of the largest numbers.
func largest(x []float32) int {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return best
}

// judge runs the model on the test set.
func (f *Findings) judge(ctx context.Context, dev *compute.Device, loop *train.Loop, _, set data.Dataset, o Options) error {
	why := ""
	switch {
	case set == nil:
		why = "There is no test set."
	case len(f.Classes) == 0:
		why = "The targets are numbers, not classes."
	}
	if why != "" {
		f.Missing[PartConfusion], f.Missing[PartMistakes] = why, why
		return nil
	}
	j := &Judgement{Examples: min(o.Examples, set.Len())}
	for range f.Classes {
		j.Confusion = append(j.Confusion, make([]int, len(f.Classes)))
	}
	sum := 0.0
	err := eachOutput(ctx, dev, loop.Model, loop.Storage, set, j.Examples, func(at int, b *data.Batch, out []float32, width int) error {
		if width < len(f.Classes) {
			return fmt.Errorf("the model makes %d numbers of an example, want at least %d, one for each class", width, len(f.Classes))
		}
		for i, label := range b.Labels {
			// More outputs than classes are outputs that no example has as its truth.
			x := out[i*width : (i+1)*width]
			told := largest(x)
			loss, p := crossEntropy(x, int(label))
			sum += loss
			if told < len(f.Classes) {
				j.Confusion[label][told]++
			}
			if told != int(label) {
				j.Wrong++
				j.Mistakes = append(j.Mistakes, Mistake{Index: at + i, Truth: int(label), Told: told, Probability: p[told], TruthProbability: p[label], Loss: loss})
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	j.Loss = sum / float64(j.Examples)
	slices.SortStableFunc(j.Mistakes, func(a, b Mistake) int { return cmp.Compare(b.Loss, a.Loss) })
	j.Mistakes = j.Mistakes[:min(o.Mistakes, len(j.Mistakes))]
	f.Judgement = j
	channels, height, width, ok := image3(set.Spec())
	if !ok {
		f.Missing[PartMistakes] = "The examples are not images."
		return nil
	}
	for i := range j.Mistakes {
		b, err := one(set, j.Mistakes[i].Index)
		if err != nil {
			return err
		}
		j.Mistakes[i].Picture = photograph(numbersOf(b, set.Spec()), channels, height, width)
	}
	return nil
}
