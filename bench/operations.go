package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers"
)

// ConvShape is a convolution with a square kernel on square images.
type ConvShape struct{ N, C, Size, K, R, Padding int }

// ConvShapes are the convolutions that are compared, by name: the two layers of a
// small network for digits, and two common sizes.
var ConvShapes = map[string]ConvShape{
	"a": {64, 1, 28, 8, 5, 0}, "b": {64, 8, 12, 16, 5, 0}, "c": {32, 16, 14, 32, 3, 1}, "d": {8, 32, 28, 64, 3, 1},
}

// Out is the height and width of the result.
func (s ConvShape) Out() int { return s.Size + 2*s.Padding - s.R + 1 }

// Flops counts the forward pass, and either gradient: a multiplication and an
// addition for each tap, those on the padding too.
func (s ConvShape) Flops() float64 {
	return 2 * float64(s.N*s.K*s.Out()*s.Out()) * float64(s.C*s.R*s.R)
}

// Rows, inputs and outputs of the fully connected layer that is compared, and images
// of a training step.
const rows, in, out, batch = 64, 784, 128, 64

// MatMulNames, ConvNames and LinearNames are the rows of operations. A gradient is
// that of the input (dx) or of the weight (dw).
var (
	MatMulNames = []string{"matmul/256", "matmul/512", "matmul/1024"}
	ConvNames   = []string{
		"conv-a/y", "conv-a/dx", "conv-a/dw", "conv-b/y", "conv-b/dx", "conv-b/dw",
		"conv-c/y", "conv-c/dx", "conv-c/dw", "conv-d/y", "conv-d/dx", "conv-d/dw",
	}
	LinearNames = []string{"linear/y", "linear/dx", "linear/dw"}
)

// Open prepares a row's operation on the device. A name is matmul/N, conv-S/W with a
// name of ConvShapes, or linear/W, W being y, dx or dw.
func Open(dev *compute.Device, name string) (*Case, error) {
	kind, what, _ := strings.Cut(name, "/")
	switch {
	case kind == "matmul":
		n, err := strconv.Atoi(what)
		if err != nil || n < 1 || n > 1<<15 {
			return nil, fmt.Errorf("bench: row %q: want a size of 1 to 32768", name)
		}
		return matMul(dev, n)
	case what != "y" && what != "dx" && what != "dw":
	case kind == "linear":
		return linear(dev, what)
	case strings.HasPrefix(kind, "conv-"):
		if s, ok := ConvShapes[strings.TrimPrefix(kind, "conv-")]; ok {
			return conv(dev, name, s, what)
		}
	}
	return nil, fmt.Errorf("bench: no row %q", name)
}

// Work is what one run of a row does, and its unit: GFLOP of an operation, images of
// a training step; "" of a row that is not known.
func Work(name string) (work float64, unit string) {
	kind, what, _ := strings.Cut(name, "/")
	switch {
	case kind == "step":
		return batch, "images"
	case kind == "matmul":
		n, _ := strconv.ParseFloat(what, 64)
		return 2 * n * n * n / 1e9, "GFLOP"
	case kind == "linear":
		return 2.0 * rows * in * out / 1e9, "GFLOP"
	}
	if s, ok := ConvShapes[strings.TrimPrefix(kind, "conv-")]; ok {
		return s.Flops() / 1e9, "GFLOP"
	}
	return 0, ""
}

func matMul(dev *compute.Device, n int) (*Case, error) {
	t := compute.NewTape(dev)
	a, b, y := t.Input("a", compute.F32, n, n), t.Input("b", compute.F32, n, n), t.Zeros(n, n)
	layers.MatMul(a, b, y, layers.MatMulOptions{})
	return program(fmt.Sprintf("matmul/%d", n), t, y, a, b)
}

func linear(dev *compute.Device, what string) (*Case, error) {
	l := layers.NewLinear(in, out)
	l.Bias = nil
	return layer(dev, "linear/"+what, l, l.Weight, what, rows, in)
}

func conv(dev *compute.Device, name string, s ConvShape, what string) (*Case, error) {
	l := layers.NewConv2D(s.C, s.K, s.R)
	l.Padding, l.Bias = s.Padding, nil
	return layer(dev, name, l, l.Weight, what, s.N, s.C, s.Size, s.Size)
}

// layer is the forward pass or a gradient of a layer without bias: x is stream 1, the
// weight stream 2, dy stream 3.
func layer(dev *compute.Device, name string, l layers.Layer, w *compute.Param, what string, shape ...int) (*Case, error) {
	copy(w.Data, Values(2, w.Len()))
	t := compute.NewTape(dev)
	x := t.Input("x", compute.F32, shape...)
	y := l.Forward(t, x)
	dy := t.Input("dy", compute.F32, y.Shape()...)
	t.SetGrad(y, dy)
	t.BackwardFromGrads()
	keep := map[string]*compute.Tensor{"y": y, "dx": t.Grad(x), "dw": t.Grad(t.Param(w))}[what]
	c, err := program(name, t, keep, x, nil, dy)
	if err != nil {
		dev.Forget(w)
		return nil, err
	}
	program := c.Close
	c.Close = func() error { dev.Forget(w); return program() }
	return c, nil
}

// program is a tape that makes a tensor from inputs, of which number i holds stream
// i+1.
func program(name string, t *compute.Tape, keep *compute.Tensor, inputs ...*compute.Tensor) (*Case, error) {
	t.Keep(keep)
	p, err := t.Compile()
	if err != nil {
		return nil, fmt.Errorf("bench: %s: %w", name, err)
	}
	for i, x := range inputs {
		if x == nil {
			continue
		}
		if err := p.Write(x, Values(uint32(i+1), x.Len())); err != nil {
			p.Close()
			return nil, fmt.Errorf("bench: %s: %w", name, err)
		}
	}
	work, unit := Work(name)
	return &Case{
		Row: name, System: "pumice", Work: work, Unit: unit,
		Run: func(ctx context.Context, n int) error { return repeat(ctx, p, t.Device(), n) },
		Output: func(ctx context.Context) ([]float32, error) {
			y := make([]float32, keep.Len())
			if err := p.Run(ctx); err != nil {
				return nil, err
			}
			return y, p.Read(ctx, keep, y)
		},
		Close: p.Close,
	}, nil
}

// repeat runs a program n times and waits for it.
func repeat(ctx context.Context, p *compute.Program, dev *compute.Device, n int) error {
	for range n {
		if err := p.Run(ctx); err != nil {
			return err
		}
	}
	return dev.Wait(ctx)
}

// Gonum prepares a row's operation for gonum's single-precision BLAS on all
// processors. It knows matrix products and the fully connected layer.
func Gonum(name string) (*Case, error) {
	kind, what, _ := strings.Cut(name, "/")
	general := func(stream uint32, r, c int) blas32.General {
		return blas32.General{Rows: r, Cols: c, Stride: c, Data: Values(stream, r*c)}
	}
	var a, b, y blas32.General
	ta, tb := blas.NoTrans, blas.NoTrans
	n, err := strconv.Atoi(what)
	switch {
	case kind == "matmul" && err == nil && n > 0 && n <= 1<<15:
		a, b, y = general(1, n, n), general(2, n, n), general(0, n, n)
	case name == "linear/y":
		a, b, y, tb = general(1, rows, in), general(2, out, in), general(0, rows, out), blas.Trans
	case name == "linear/dx":
		a, b, y = general(3, rows, out), general(2, out, in), general(0, rows, in)
	case name == "linear/dw":
		a, b, y, ta = general(3, rows, out), general(1, rows, in), general(0, out, in), blas.Trans
	default:
		return nil, fmt.Errorf("bench: gonum has no row %q", name)
	}
	work, unit := Work(name)
	return &Case{
		Row: name, System: blasName, Work: work, Unit: unit,
		Run: func(ctx context.Context, n int) error {
			for range n {
				if err := ctx.Err(); err != nil {
					return err
				}
				blas32.Gemm(ta, tb, 1, a, b, 0, y)
			}
			return nil
		},
		Output: func(context.Context) ([]float32, error) {
			blas32.Gemm(ta, tb, 1, a, b, 0, y)
			return y.Data, nil
		},
	}, nil
}

// ErrNumbers says that two systems did not compute the same.
var ErrNumbers = errors.New("the numbers differ")

// Check compares what two cases make of the same operands, in sums of k products of
// the generator's numbers. Up to 1024 of them float32 holds every partial sum
// exactly, so that any difference is a fault; from there on elements may differ by
// what rounding allows. The convolutions' sums are no larger either, long as they
// are, since their terms cancel.
func Check(ctx context.Context, a, b *Case, k int) error {
	x, err := a.Output(ctx)
	if err != nil {
		return fmt.Errorf("bench: %s of %s: %w", a.Row, a.System, err)
	}
	y, err := b.Output(ctx)
	if err != nil {
		return fmt.Errorf("bench: %s of %s: %w", b.Row, b.System, err)
	}
	if len(x) != len(y) {
		return fmt.Errorf("bench: %s: %d elements of %s, %d of %s: %w", a.Row, len(x), a.System, len(y), b.System, ErrNumbers)
	}
	bound := 0.0
	if k > 1024 {
		n := float64(k+1) * 0x1p-24
		bound = 2 * n / (1 - n) * float64(k) // the magnitudes' sum is at most k
	}
	for i := range x {
		if !(math.Abs(float64(x[i])-float64(y[i])) <= bound) {
			return fmt.Errorf("bench: %s: element %d is %v by %s, %v by %s, at most %.3g apart: %w", a.Row, i, x[i], a.System, y[i], b.System, bound, ErrNumbers)
		}
	}
	return nil
}
