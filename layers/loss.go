package layers

import "github.com/pumice-ml/pumice/compute"

// Loss records how far y is from the target: a tensor of one element, whose
// gradient it adds to the gradient of y.
type Loss interface {
	Loss(t *compute.Tape, y, target *compute.Tensor) *compute.Tensor
}
