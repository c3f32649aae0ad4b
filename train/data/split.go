package data

import (
	"cmp"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
)

// Split parts a set at random into one to train on and one to validate with, which has
// the fraction of the examples, rounded, between 0 and 1. A seed means the same parts
// every time and everywhere. Both read from set, and keep its order. It returns an error
// where a part would be empty.
func Split(set Dataset, fraction float64, seed uint32) (train, validation Dataset, err error) {
	n, name := set.Len(), set.Spec().Name
	if !(fraction > 0 && fraction < 1) {
		return nil, nil, fmt.Errorf("data: Split: %s: fraction %v, want more than 0 and less than 1", name, fraction)
	}
	held := int(math.Round(fraction * float64(n)))
	if held < 1 || held >= n {
		return nil, nil, fmt.Errorf("data: Split: %s: %v of %d examples leaves a part empty", name, fraction, n)
	}
	rows := slices.Collect(Range(0, n))
	keys := make([]uint64, n)
	for i := range keys {
		r := newRandom(uint64(seed), splitStream, uint64(i))
		keys[i] = r.next()
	}
	slices.SortStableFunc(rows, func(a, b int) int { return cmp.Compare(keys[a], keys[b]) })
	slices.Sort(rows[:held])
	slices.Sort(rows[held:])
	whole := strings.TrimSuffix(name, " train")
	return &part{set, whole + " train", rows[held:]}, &part{set, whole + " validation", rows[:held]}, nil
}

// splitStream tells the random numbers of Split from those of Digits.
const splitStream = 77

// part is some examples of a set, as a set of their own.
type part struct {
	set  Dataset
	name string
	rows []int
}

func (p *part) Len() int { return len(p.rows) }

func (p *part) Spec() Spec {
	s := p.set.Spec()
	s.Name = p.name
	return s
}

func (p *part) Batches(order iter.Seq[int], batch int) iter.Seq2[*Batch, error] {
	return func(yield func(*Batch, error) bool) {
		var wrong error
		rows := func(yield func(int) bool) {
			for i := range order {
				row := -1 // which no set has
				if i >= 0 && i < len(p.rows) {
					row = p.rows[i]
				} else {
					wrong = fmt.Errorf("data: %s: index %d, want [0, %d)", p.name, i, len(p.rows))
				}
				if !yield(row) {
					return
				}
			}
		}
		for b, err := range p.set.Batches(rows, batch) {
			if err != nil && wrong != nil {
				err = wrong
			}
			if !yield(b, err) {
				return
			}
		}
	}
}
