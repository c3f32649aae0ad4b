package data

import (
	"fmt"
	"iter"
	"math"
)

// Dataset is labelled examples that a training loop can take: all inputs have one
// shape and type, and each example has a class or a row of numbers as its target.
// A [Set] of images is one, and so is whatever else has these three methods.
type Dataset interface {
	// Len is the number of examples.
	Len() int
	// Spec says what an example is.
	Spec() Spec
	// Batches yields the examples of an order, batch at a time, and what is left at
	// the end as a smaller one. A batch is valid until the next one is asked for. The
	// first error ends the sequence. It may be called any number of times, also by
	// several goroutines, and gives the same examples each time.
	Batches(order iter.Seq[int], batch int) iter.Seq2[*Batch, error]
}

// Spec says what the examples of a data set are.
type Spec struct {
	Name    string
	Shape   []int    // of one input: (channels, height, width) of images
	DType   DType    // of inputs
	Classes []string // names of the classes; nil where targets are numbers
	Targets int      // numbers of a target; 0 where there are classes
}

// Size is the number of elements of one input.
func (s Spec) Size() int {
	size, _ := product(s.Shape...)
	return size
}

// Check returns an error unless the sizes are positive, the type is known and there
// are either classes or numbers as targets.
func (s Spec) Check() error {
	size, ok := product(s.Shape...)
	for _, n := range s.Shape {
		ok = ok && n > 0
	}
	switch {
	case !ok || len(s.Shape) == 0 || size > math.MaxInt32:
		return fmt.Errorf("data: %s: inputs of shape %v, want positive sizes", s.Name, s.Shape)
	case s.DType > Uint32:
		return fmt.Errorf("data: %s: inputs of type %d, want Uint8, Float32 or Uint32", s.Name, s.DType)
	case s.Targets < 0 || (s.Targets > 0) == (len(s.Classes) > 0):
		return fmt.Errorf("data: %s: %d classes and %d numbers as target, want either", s.Name, len(s.Classes), s.Targets)
	}
	return nil
}

// Fits returns an error unless a model for examples of one spec can take those of
// another: the same shape, type and targets, and as many classes.
func (s Spec) Fits(other Spec) error {
	a, b := s.kind(), other.kind()
	if a != b {
		return fmt.Errorf("data: %s has %s, want %s as in %s", other.Name, b, a, s.Name)
	}
	return nil
}

func (s Spec) kind() string {
	if s.Targets > 0 {
		return fmt.Sprintf("%v inputs of %v and targets of %d numbers", s.DType, s.Shape, s.Targets)
	}
	return fmt.Sprintf("%v inputs of %v and %d classes", s.DType, s.Shape, len(s.Classes))
}

// DType is the type of the elements of inputs.
type DType uint8

// The types of inputs.
const (
	Uint8   DType = iota // a byte b stands for the number b/255
	Float32              // numbers
	Uint32               // indices, of tokens
)

func (d DType) String() string {
	switch d {
	case Uint8:
		return "uint8"
	case Float32:
		return "float32"
	case Uint32:
		return "uint32"
	}
	return fmt.Sprintf("DType(%d)", uint8(d))
}

// Batch is examples, one after the other: inputs in the array of their type, and
// either Labels or Targets.
type Batch struct {
	Rows    int
	Bytes   []byte    // inputs of Uint8, (Rows, Shape...)
	Floats  []float32 // inputs of Float32
	Ints    []uint32  // inputs of Uint32
	Labels  []uint32  // indices into Classes, (Rows)
	Targets []float32 // (Rows, Targets)
}

// Check returns an error unless the batch has the sizes that the spec says, every
// label has a class and every number is finite. Rows are counted from first in its
// text.
func (b *Batch) Check(s Spec, first int) error {
	return b.CheckOrder(s, func(row int) int { return first + row })
}

// CheckOrder is Check of the rows of an order: its text names the example of the set that
// a row is.
func (b *Batch) CheckOrder(s Spec, example func(row int) int) error {
	length := map[DType]int{Uint8: len(b.Bytes), Float32: len(b.Floats), Uint32: len(b.Ints)}
	if want := b.Rows * s.Size(); length[s.DType] != want || len(b.Bytes)+len(b.Floats)+len(b.Ints) != want {
		return fmt.Errorf("data: %s: %d bytes, %d floats and %d ints of %d inputs, want %d of %v", s.Name, len(b.Bytes), len(b.Floats), len(b.Ints), b.Rows, want, s.DType)
	}
	labels := b.Rows
	if s.Targets > 0 {
		labels = 0
	}
	if len(b.Labels) != labels || len(b.Targets) != b.Rows*s.Targets {
		return fmt.Errorf("data: %s: %d labels and %d target numbers of %d examples, want %d and %d", s.Name, len(b.Labels), len(b.Targets), b.Rows, labels, b.Rows*s.Targets)
	}
	for i, label := range b.Labels {
		if int64(label) >= int64(len(s.Classes)) {
			return fmt.Errorf("data: %s: label %d at index %d, want below %d", s.Name, label, example(i), len(s.Classes))
		}
	}
	for _, numbers := range []struct {
		what string
		of   []float32
		row  int
	}{{"input", b.Floats, s.Size()}, {"target", b.Targets, s.Targets}} {
		for i, v := range numbers.of {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				return fmt.Errorf("data: %s: %s %d, element %d is %v, want a finite number", s.Name, numbers.what, example(i/numbers.row), i%numbers.row, v)
			}
		}
	}
	return nil
}

// reset empties a batch and keeps its arrays.
func (b *Batch) reset() {
	b.Rows, b.Bytes, b.Floats, b.Ints, b.Labels, b.Targets = 0, b.Bytes[:0], b.Floats[:0], b.Ints[:0], b.Labels[:0], b.Targets[:0]
}

// Range is the order first, first+1 ... last-1.
func Range(first, last int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := first; i < last && yield(i); i++ {
		}
	}
}

// batches gathers the rows of an order, each by add, which appends row i of n to a
// batch.
func batches(name string, n int, order iter.Seq[int], size int, add func(b *Batch, i int) error) iter.Seq2[*Batch, error] {
	return func(yield func(*Batch, error) bool) {
		if size < 1 {
			yield(nil, fmt.Errorf("data: %s: batches of %d, want 1 or more", name, size))
			return
		}
		var b Batch
		for i := range order {
			if i < 0 || i >= n {
				yield(nil, fmt.Errorf("data: %s: index %d, want [0, %d)", name, i, n))
				return
			}
			if err := add(&b, i); err != nil {
				yield(nil, err)
				return
			}
			if b.Rows++; b.Rows == size {
				if !yield(&b, nil) {
					return
				}
				b.reset()
			}
		}
		if b.Rows > 0 {
			yield(&b, nil)
		}
	}
}
