package layers

import (
	"slices"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers/layertest"
)

func TestResidual(t *testing.T) {
	layertest.Run(t, Residual{Body: ReLU{}}, layertest.Shape(3, 5))
	r := Residual{Body: Sequential{NewLinear(5, 7), ReLU{}}, Shortcut: NewLinear(5, 7)}
	layertest.Run(t, Sequential{r, NewLinear(7, 2)}, layertest.Shape(3, 5))
	var names []string
	for name := range Params(r) {
		names = append(names, name)
	}
	if want := []string{"body.0.weight", "body.0.bias", "shortcut.weight", "shortcut.bias"}; !slices.Equal(names, want) {
		t.Errorf("got parameters %v, want %v", names, want)
	}
	tape := compute.NewTape(compute.Reference())
	panics(t, "layers: Residual: body gives [2 7], shortcut [2 5], want the same shape", func() {
		Residual{Body: NewLinear(5, 7)}.Forward(tape, tape.Input("x", compute.F32, 2, 5))
	})
}

func TestFlattenReshape(t *testing.T) {
	layertest.Run(t, Sequential{Flatten{}, ReLU{}, Reshape{[]int{5, 1, 3}}}, layertest.Shape(2, 3, 5))
	tape := compute.NewTape(compute.Reference())
	x := tape.Input("x", compute.F32, 2, 3, 5)
	if y := (Flatten{}).Forward(tape, x); !slices.Equal(y.Shape(), []int{2, 15}) {
		t.Errorf("Flatten: got %v, want [2 15]", y.Shape())
	}
	if y := (Reshape{[]int{5, 3}}).Forward(tape, x); !slices.Equal(y.Shape(), []int{2, 5, 3}) {
		t.Errorf("Reshape: got %v, want [2 5 3]", y.Shape())
	}
	panics(t, "layers: Reshape: input shape [2 3 5], want (batch, ...) with 4 elements each for [4]", func() { Reshape{[]int{4}}.Forward(tape, x) })
}
