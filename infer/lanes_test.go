package infer_test

import (
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/infer"
	"github.com/pumice-ml/pumice/layers"
)

// Who calls one at a time pays for one program.
func TestOneProgram(t *testing.T) {
	dev := devicetest.Open(t)
	devicetest.NoLeaks(t, dev)
	model := layers.Sequential{layers.NewLinear(5, 7), layers.Tanh{}, layers.NewLinear(7, 3)}
	layers.Initialize(model, 1)
	s, err := infer.Open(dev, model, nil, 5)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := s.Predict(t.Context(), make([]float32, 10)); err != nil {
			t.Fatal(err)
		}
	}
	programs := 0
	for _, u := range dev.Ledger() {
		if strings.HasPrefix(u.Owner, "program") {
			programs++
		}
	}
	if programs != 1 {
		t.Errorf("%d programs, want 1: %+v", programs, dev.Ledger())
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
