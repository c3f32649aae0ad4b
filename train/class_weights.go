package train

import (
	"fmt"

	"github.com/pumice-ml/pumice/train/data"
)

// BalancedWeights are class weights for a loss by which every class of a set has the same
// part in it, however many examples it has: examples / (classes * examples of the class)
// (as scikit-learn's class_weight="balanced"), and 0 for a class without any. It returns
// an error of a set without classes.
func BalancedWeights(set data.Dataset) ([]float32, error) {
	classes := set.Spec().Classes
	if len(classes) == 0 {
		return nil, fmt.Errorf("train: BalancedWeights: %s has numbers as targets, want classes", set.Spec().Name)
	}
	counts := make([]int, len(classes))
	if err := read(set, func(_ int, b *data.Batch) {
		for _, label := range b.Labels {
			counts[label]++
		}
	}); err != nil {
		return nil, err
	}
	weights := make([]float32, len(classes))
	for i, n := range counts {
		if n > 0 {
			weights[i] = float32(float64(set.Len()) / float64(len(classes)*n))
		}
	}
	return weights, nil
}
