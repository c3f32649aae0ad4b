package layers

import (
	"fmt"
	"slices"

	"github.com/pumice-ml/pumice/compute"
)

// Flatten makes one dimension of all but the first: (batch, ...) to (batch, n).
// It is a view; nothing is copied.
type Flatten struct{}

// Forward panics where x has no dimension.
func (Flatten) Forward(t *compute.Tape, x *compute.Tensor) *compute.Tensor {
	want(len(x.Shape()) >= 1, "Flatten", x, "(batch, ...)")
	return t.Reshape(x, x.Dim(0), compute.Elements(x.Shape()[1:]))
}

func (Flatten) String() string { return "Flatten" }

// Reshape gives the elements of each sample another shape: (batch, ...) to
// (batch, Shape...). It is a view; nothing is copied.
type Reshape struct {
	Shape []int // of one sample, without the batch
}

// Forward panics where a sample of x has another number of elements than Shape.
func (l Reshape) Forward(t *compute.Tape, x *compute.Tensor) *compute.Tensor {
	n := compute.Elements(l.Shape)
	want(len(x.Shape()) >= 1 && compute.Elements(x.Shape()[1:]) == n, "Reshape", x, "(batch, ...) with %d elements each for %v", n, l.Shape)
	return t.Reshape(x, slices.Concat([]int{x.Dim(0)}, l.Shape)...)
}

func (l Reshape) String() string { return fmt.Sprintf("Reshape%v", l.Shape) }
