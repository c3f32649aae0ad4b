package compiler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/pumice-ml/pumice/internal/engine"
	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/internal/tune"
)

// failing is an engine whose allocation number n fails.
type failing struct {
	engine.Engine
	left int
}

func (f *failing) Alloc(label string, dtype ir.DType, n int) (*engine.Buffer, error) {
	if f.left--; f.left == 0 {
		return nil, fmt.Errorf("test: %w", ir.ErrOutOfMemory)
	}
	return f.Engine.Alloc(label, dtype, n)
}

// TestOutOfMemory lets each allocation of a program fail in turn: the error says
// which tensor, nothing is left behind, and the device works afterwards.
func TestOutOfMemory(t *testing.T) {
	t.Setenv("PUMICE_CACHE", "/dev/null/none") // nothing has passed, and nothing is kept
	gpu, err := open(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, dev := range []*tune.Device{gpu, Reference().dev} {
		t.Run(dev.Info().Backend, func(t *testing.T) {
			defer dev.Close()
			p := ir.NewParam("p", 3)
			p.Data[0], p.Data[1], p.Data[2] = 1, 2, 3
			made := func() (*Program, *ir.Tensor, error) {
				tape := newTape(dev)
				tape.Input("unused", ir.F32, 5)
				tape.Constant("constant", []float32{1}, 1)
				y := tape.New(3)
				ir.Fill.Run(ir.FillParams{N: 3, Value: 2}, y)
				ir.Fill.Run(ir.FillParams{N: 3, Value: 4}, tape.Param(p))
				tape.Keep(y)
				program, err := Compile(tape, ir.Prune)
				return program, y, err
			}
			plain := dev.Engine
			dev.Engine = &failing{plain, 1} // on a GPU, of the test of fill, which is no verdict on it
			if _, _, err := made(); !errors.Is(err, ir.ErrOutOfMemory) {
				t.Errorf("the first allocation: got %v, want ErrOutOfMemory", err)
			}
			dev.Engine = plain
			if program, _, err := made(); err != nil {
				t.Fatal(err)
			} else {
				program.Close()
				dev.Forget(p)
			}
			failures := 0
			for n := 1; ; n++ {
				dev.Engine = &failing{plain, n}
				program, _, err := made()
				dev.Engine = plain
				dev.Forget(p)
				if err == nil {
					program.Close()
					break
				}
				failures++
				if !errors.Is(err, ir.ErrOutOfMemory) || len(err.Error()) < 30 {
					t.Errorf("allocation %d: got %v, want ErrOutOfMemory and the tensor's name", n, err)
				}
				if left := dev.Ledger(); len(left) > 0 {
					t.Errorf("allocation %d: %+v is left", n, left)
				}
			}
			if failures != 3 {
				t.Errorf("%d allocations failed, want 3: an input, a result and a parameter", failures)
			}
			program, y, err := made()
			if err != nil {
				t.Fatal(err)
			}
			defer program.Close()
			got := make([]float32, 3)
			if err := errors.Join(program.Run(context.Background()), program.Read(context.Background(), y, got)); err != nil || !slices.Equal(got, []float32{2, 2, 2}) {
				t.Errorf("afterwards: got %v, %v", got, err)
			}
		})
	}
}

// TestNonce reads back with another nonce than the one that was sent, as after a
