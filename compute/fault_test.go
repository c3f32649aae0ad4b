package compute

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
)

// failing is an engine whose allocation number n fails.
type failing struct {
	engine
	left int
}

func (f *failing) alloc(label string, dtype DType, n int) (*buffer, error) {
	if f.left--; f.left == 0 {
		return nil, fmt.Errorf("test: %w", ErrOutOfMemory)
	}
	return f.engine.alloc(label, dtype, n)
}

// TestOutOfMemory lets each allocation of a program fail in turn: the error says
// which tensor, nothing is left behind, and the device works afterwards.
func TestOutOfMemory(t *testing.T) {
	t.Setenv("PUMICE_CACHE", "/dev/null/none") // nothing has passed, and nothing is kept
	gpu, err := Open(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, dev := range []*Device{gpu, Reference()} {
		t.Run(dev.Info().Backend, func(t *testing.T) {
			defer dev.Close()
			p := NewParam("p", 3)
			p.Data[0], p.Data[1], p.Data[2] = 1, 2, 3
			compile := func() (*Program, *Tensor, error) {
				tape := NewTape(dev)
				tape.Input("unused", F32, 5)
				tape.Constant("constant", []float32{1}, 1)
				y := tape.New(3)
				fill.Run(fillParams{3, 2}, y)
				fill.Run(fillParams{3, 4}, tape.Param(p))
				tape.Keep(y)
				program, err := tape.Compile(Prune)
				return program, y, err
			}
			plain := dev.eng
			dev.eng = &failing{plain, 1} // on a GPU, of the test of fill, which is no verdict on it
			if _, _, err := compile(); !errors.Is(err, ErrOutOfMemory) {
				t.Errorf("the first allocation: got %v, want ErrOutOfMemory", err)
			}
			dev.eng = plain
			if program, _, err := compile(); err != nil {
				t.Fatal(err)
			} else {
				program.Close()
				dev.Forget(p)
			}
			failures := 0
			for n := 1; ; n++ {
				dev.eng = &failing{plain, n}
				program, _, err := compile()
				dev.eng = plain
				dev.Forget(p)
				if err == nil {
					program.Close()
					break
				}
				failures++
				if !errors.Is(err, ErrOutOfMemory) || len(err.Error()) < 30 {
					t.Errorf("allocation %d: got %v, want ErrOutOfMemory and the tensor's name", n, err)
				}
				if left := dev.Ledger(); len(left) > 0 {
					t.Errorf("allocation %d: %+v is left", n, left)
				}
			}
			if failures != 3 {
				t.Errorf("%d allocations failed, want 3: an input, a result and a parameter", failures)
			}
			program, y, err := compile()
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
// driver that says too early that work is done.
func TestNonce(t *testing.T) {
	dev, err := Open(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	tape := NewTape(dev)
	y := tape.New(3)
	fill.Run(fillParams{3, 2}, y)
	tape.Keep(y)
	p, err := tape.Compile()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []uint32{0, 1} {
		late, err := p.ReadLater(y)
		if err != nil {
			t.Fatal(err)
		}
		late.r.(*reader).nonce += wrong
		got := []float32{7, 7, 7}
		err = late.Wait(context.Background(), got)
		if wrong == 0 && (err != nil || !slices.Equal(got, []float32{2, 2, 2})) {
			t.Errorf("got %v, %v", got, err)
		}
		if wrong != 0 && (!errors.Is(err, ErrDeviceLost) || got[0] != 7) {
			t.Errorf("with a wrong nonce: got %v and numbers %v, want ErrDeviceLost and none", err, got)
		}
	}
}
