package layers_test

import (
	"slices"
	"testing"

	"github.com/pumice-ml/pumice/layers"
)

// TestEach wants layers in order, by their places, and no more than are asked for.
func TestEach(t *testing.T) {
	nested := layers.Sequential{layers.ReLU{}, layers.Sequential{layers.Flatten{}, layers.Sequential{layers.NewLinear(2, 3)}}, layers.Residual{Body: layers.Sequential{layers.ReLU{}}}}
	for _, c := range []struct {
		model layers.Layer
		want  []string
	}{
		{nested, []string{"0 ReLU", "1.0 Flatten", "1.1.0 Linear(2, 3)", "2 Residual"}},
		{layers.ReLU{}, []string{"ReLU"}},
		{layers.Sequential{}, nil},
	} {
		var got []string
		for name, l := range layers.Each(c.model) {
			got = append(got, name)
			if l == nil {
				t.Errorf("%s is nil", name)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
	for name := range layers.Each(nested) {
		if name == "1.1.0 Linear(2, 3)" {
			break // which panics where more are yielded
		}
	}
}
