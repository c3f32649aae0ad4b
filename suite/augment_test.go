package suite

import (
	"testing"

	"github.com/pumice-ml/pumice/compute/conform"
	"github.com/pumice-ml/pumice/compute/devicetest"
)

// TestAugmentations runs all shapes of augmentation, for which the first, of one pixel,
// says little.
func TestAugmentations(t *testing.T) {
	conform.TestOps(t, devicetest.Open(t), augmentations()...)
}
