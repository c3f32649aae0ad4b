package compute_test

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/internal/rule"
)

func TestClosed(t *testing.T) {
	devices(t, func(t *testing.T, dev *compute.Device) {
		tape := compute.NewTape(dev)
		x, y := tape.Input("x", compute.F32, 4), tape.Zeros(4)
		run(x, y, 0)
		tape.Keep(y)
		p, err := tape.Compile()
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(p.Close(), p.Close()); err != nil {
			t.Error(err)
		}
		for _, err := range []error{p.Run(ctx), p.Write(x, make([]float32, 4)), p.Read(ctx, y, make([]float32, 4))} {
			if !errors.Is(err, compute.ErrClosed) {
				t.Errorf("got %v, want ErrClosed", err)
			}
		}
	})
}

// TestConstant wants a program to own its constants, and nothing to be left of them.
func TestConstant(t *testing.T) {
	devices(t, func(t *testing.T, dev *compute.Device) {
		before := len(dev.Ledger())
		tape := compute.NewTape(dev)
		values := ramp(5)
		c, y := tape.Constant("c", values, 5), tape.Zeros(5)
		run(c, y, 1)
		tape.Keep(y)
		values[0] = 100 // the tape has its own
		p, err := tape.Compile()
		if err != nil {
			t.Fatal(err)
		}
		got := make([]float32, 5)
		for range 2 {
			if err := errors.Join(p.Run(ctx), p.Read(ctx, y, got)); err != nil {
				t.Fatal(err)
			}
			if want := []float32{2.5, 1.5, 0.5, -0.5, -1.5}; !slices.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		}
		p.Close()
		if after := len(dev.Ledger()); after != before {
			t.Errorf("a closed program left %+v", dev.Ledger())
		}
		found, err := devicetest.Verify(tape, nil)
		if dev.IsReference() {
			return
		}
		devicetest.Check(t, found, err)
	})
}

// TestCompileTwice wants a tape to compile to the same program again, with tensors of its
// own, and to more once more is recorded.
func TestCompileTwice(t *testing.T) {
	devices(t, func(t *testing.T, dev *compute.Device) {
		tape := compute.NewTape(dev)
		rule.Use(tape, doubleRules()...)
		x, y, z := tape.Input("x", compute.F32, 5), tape.New(5), tape.New(5)
		nested.Run(doubleParams{5}, x, y)
		tape.Keep(y)
		program := func() *compute.Program {
			p, err := tape.Compile()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { p.Close() })
			return p
		}
		check := func(p *compute.Program, of *compute.Tensor, scale float32) {
			t.Helper()
			got := make([]float32, 5)
			if err := errors.Join(p.Run(ctx), p.Read(ctx, of, got)); err != nil {
				t.Fatal(err)
			}
			for i, v := range got {
				if v != scale*float32(i+1) {
					t.Errorf("got %v, want %v times 1 to 5", got, scale)
					break
				}
			}
		}
		first, second := program(), program()
		nested.Run(doubleParams{5}, y, z)
		tape.Keep(z)
		third := program()
		for i, p := range []*compute.Program{first, second, third} {
			if err := p.Write(x, []float32{1 * float32(i+1), 2 * float32(i+1), 3 * float32(i+1), 4 * float32(i+1), 5 * float32(i+1)}); err != nil {
				t.Fatal(err)
			}
		}
		check(first, y, 2)
		check(second, y, 4)
		check(third, y, 6)
		check(third, z, 12)
		a, errA := devicetest.Steps(first)
		b, errB := devicetest.Steps(second)
		for i := range b {
			b[i].Judged = a[i].Judged // the second time it is remembered
		}
		if diff := cmp.Diff(a, b); diff != "" || errA != nil || errB != nil {
			t.Errorf("the second program is another: %v, %v\n%s", errA, errB, diff)
		}
	})
}

// TestParams uploads once, shares between programs, and comes back.
func TestParams(t *testing.T) {
	devices(t, func(t *testing.T, dev *compute.Device) {
		sum := compute.NewParam("sum", 8)
		sum.Data[2] = 5
		before := devicetest.Machine(dev).Traffic()
		var programs []*compute.Program
		for range 2 {
			tape := compute.NewTape(dev)
			x := tape.Input("x", compute.F32, 8)
			run(x, tape.Param(sum), 1)
			p, err := tape.Compile()
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			programs = append(programs, p)
		}
		if up := devicetest.Machine(dev).Traffic().Up - before.Up; up != 32 {
			t.Errorf("%d bytes went up, want the parameter's 32 once", up)
		}
		for _, p := range programs {
			if err := p.Run(ctx); err != nil { // x is 0
				t.Fatal(err)
			}
		}
		if err := dev.Download(ctx, sum); err != nil || sum.Data[0] != -2 || sum.Data[2] != 3 {
			t.Errorf("%v: the parameter is %v, want -2 and 3", err, sum.Data)
		}
		sum.Data[0] = 9
		if err := errors.Join(dev.Upload(sum), programs[0].Run(ctx), dev.Download(ctx, sum)); err != nil || sum.Data[0] != 8 {
			t.Errorf("%v: the parameter is %v after an upload of 9 and a run, want 8", err, sum.Data[0])
		}
		dev.Forget(sum)
	})
}

// TestManyGoroutines reads and runs from several goroutines at once.
func TestManyGoroutines(t *testing.T) {
	devices(t, func(t *testing.T, dev *compute.Device) {
		var wg sync.WaitGroup
		for g := range 6 {
			wg.Go(func() {
				tape := compute.NewTape(dev)
				x, y := tape.Input("x", compute.F32, 333), tape.Zeros(333)
				run(x, y, float32(g))
				tape.Keep(y)
				p, err := tape.Compile()
				if err != nil {
					t.Error(err)
					return
				}
				defer p.Close()
				got := make([]float32, 333)
				for range 30 {
					if err := errors.Join(p.Write(x, ramp(333)), p.Run(ctx)); err != nil {
						t.Error(err)
						return
					}
					later, err := p.ReadLater(y)
					if err != nil {
						t.Error(err)
						return
					}
					if err := errors.Join(p.Run(ctx), later.Wait(ctx, got)); err != nil || got[300] != -(296.5+float32(g)) {
						t.Errorf("%v: goroutine %d reads %v", err, g, got[300])
						return
					}
				}
			})
		}
		wg.Wait()
	})
}
