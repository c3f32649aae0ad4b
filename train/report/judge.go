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
	// Confusion has the truth by row, the prediction by column; nil of more than 1,024
	// classes.
	Confusion train.Confusion
	// Hits, Truth and Told are, of each class, the examples told right, those that are of
	// it, and those that were taken for it.
	Hits, Truth, Told []int
	Mistakes          []Mistake
}

// mostConfused is the most classes that are counted by pair.
const mostConfused = 1024

// newJudgement has no counts yet, of so many classes.
func newJudgement(examples, classes int) *Judgement {
	j := &Judgement{Examples: examples, Hits: make([]int, classes), Truth: make([]int, classes), Told: make([]int, classes)}
	if classes <= mostConfused {
		for range classes {
			j.Confusion = append(j.Confusion, make([]int, classes))
		}
	}
	return j
}

// count counts an example of class truth that was taken for class told, or for an output
// that is none.
func (j *Judgement) count(truth, told int) {
	j.Truth[truth]++
	if truth == told {
		j.Hits[truth]++
	}
	if told < len(j.Told) {
		j.Told[told]++
		if j.Confusion != nil {
			j.Confusion[truth][told]++
		}
	}
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

// PerClass is how the model does on each class. Unlike those of train.Confusion its
// numbers are of examples that may be taken for no class at all.
func (j *Judgement) PerClass() []Class {
	all := make([]Class, len(j.Truth))
	for c := range all {
		hits, truth, told := float64(j.Hits[c]), float64(j.Truth[c]), float64(j.Told[c])
		all[c] = Class{c, j.Truth[c], hits / told, hits / truth, 2 * hits / (told + truth)}
	}
	return all
}

// mostListed is how many classes the page has a row for.
const mostListed = 40

// Listed are the classes that the page has a row for: all, or of many those with the
// lowest recall.
func (j *Judgement) Listed() []Class {
	all := j.PerClass()
	if len(all) <= mostListed {
		return all
	}
	all = slices.DeleteFunc(all, func(c Class) bool { return c.Examples == 0 })
	slices.SortStableFunc(all, func(a, b Class) int { return cmp.Compare(a.Recall, b.Recall) })
	return all[:min(mostListed, len(all))]
}

// Unlisted is the number of the other classes.
func (j *Judgement) Unlisted() int { return len(j.Truth) - len(j.Listed()) }

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
	j := newJudgement(min(o.Examples, set.Len()), len(f.Classes))
	sum := 0.0
	err := eachOutput(ctx, dev, loop, set, j.Examples, func(at int, b *data.Batch, out []float32, width int) error {
		if width < len(f.Classes) {
			return fmt.Errorf("the model makes %d numbers of an example, want at least %d, one for each class", width, len(f.Classes))
		}
		for i, label := range b.Labels {
			// More outputs than classes are outputs that no example has as its truth.
			x := out[i*width : (i+1)*width]
			told := largest(x)
			loss, p := crossEntropy(x, int(label))
			sum += loss
			j.count(int(label), told)
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
