package layers_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/layers"
)

func ExampleSummary() {
	model := layers.Sequential{
		layers.MaxPool2D{Size: 2}, layers.Flatten{},
		layers.Residual{
			Body:     layers.Sequential{layers.NewLinear(196, 64), layers.ReLU{}, layers.Dropout{P: 0.5}},
			Shortcut: layers.NewLinear(196, 64),
		},
		layers.NewLinear(64, 10),
	}
	if err := layers.Summary(os.Stdout, model, 128, 1, 28, 28); err != nil {
		fmt.Println(err)
	}
	fmt.Println(layers.CountParams(model))
	// Output:
	// layer                        output          parameters
	// 0 MaxPool2D(2)               [128 1 14 14]   0
	// 1 Flatten                    [128 196]       0
	// 2 Residual                   [128 64]        0
	//   body Sequential            [128 64]        0
	//     0 Linear(196, 64)        [128 64]        12,608
	//     1 ReLU                   [128 64]        0
	//     2 Dropout(0.5)           [128 64]        0
	//   shortcut Linear(196, 64)   [128 64]        12,608
	// 3 Linear(64, 10)             [128 10]        650
	// 25,866 parameters, 25,866 trained, 103,464 bytes
	// 25866
}

func TestSummaryErrors(t *testing.T) {
	err := layers.Summary(os.Stdout, layers.NewLinear(5, 3), 2, 4)
	if want := "layers: Summary of input [2 4]: layers: Linear: input shape [2 4], want (..., 5)"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	var b strings.Builder
	shared := layers.NewLinear(4, 4)
	shared.Bias.Frozen = true
	if err := layers.Summary(&b, layers.Sequential{shared, shared}, 1, 4); err != nil {
		t.Fatal(err)
	}
	if want := "20 parameters, 16 trained, 80 bytes\n"; !strings.HasSuffix(b.String(), want) {
		t.Errorf("got\n%s, want a last line %s", b.String(), want)
	}
}
