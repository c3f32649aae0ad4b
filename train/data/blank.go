package data

import "iter"

// Blank is a set of zeros, of the sizes of a set that is still to be read: a program is
// compiled for those, whatever the numbers (see train.Loop.Warm).
type Blank struct {
	Of    Spec
	Count int
}

// Len is the number of examples.
func (b Blank) Len() int { return b.Count }

// Spec says what the examples are.
func (b Blank) Spec() Spec { return b.Of }

// Batches yields zeros, all of class 0 where there are classes.
func (b Blank) Batches(order iter.Seq[int], batch int) iter.Seq2[*Batch, error] {
	return batches(b.Of.Name, b.Count, order, batch, func(to *Batch, _ int) error {
		size := b.Of.Size()
		switch b.Of.DType {
		case Uint8:
			to.Bytes = append(to.Bytes, make([]byte, size)...)
		case Float32:
			to.Floats = append(to.Floats, make([]float32, size)...)
		case Uint32:
			to.Ints = append(to.Ints, make([]uint32, size)...)
		}
		if b.Of.Targets > 0 {
			to.Targets = append(to.Targets, make([]float32, b.Of.Targets)...)
		} else {
			to.Labels = append(to.Labels, 0)
		}
		return nil
	})
}

// Like reports whether a set has the sizes of b, names aside.
func (b Blank) Like(set Dataset) bool {
	return set.Len() == b.Count && b.Of.Fits(set.Spec()) == nil
}

// BlankDigits are blank sets of the sizes that Digits draws.
func BlankDigits(opts DigitsOptions) (train, test Blank) {
	train, test = blankDigits("digits train", opts.Train), blankDigits("digits test", opts.Test)
	if opts.Train == 0 {
		train.Count = defaultTrain
	}
	if opts.Test == 0 {
		test.Count = defaultTest
	}
	return train, test
}

// BlankMNIST are blank sets of the sizes that MNIST returns.
func BlankMNIST() (train, test Blank) {
	return blankDigits("mnist train", 60000), blankDigits("mnist test", 10000)
}

func blankDigits(name string, n int) Blank {
	return Blank{Of: Spec{Name: name, Shape: []int{1, side, side}, DType: Uint8, Classes: numbers(10)}, Count: n}
}
