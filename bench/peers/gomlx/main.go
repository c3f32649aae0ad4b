// Gomlx is GoMLX on its backend in pure Go, simplego, as a peer of bench/compare:
//
//	go run -C bench/peers/gomlx . --rows matmul/256,conv-a/dw,step/mlp
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/backends/notimplemented"
	"github.com/gomlx/gomlx/backends/simplego"
	. "github.com/gomlx/gomlx/pkg/core/graph" //nolint:staticcheck // as its documentation has it
	"github.com/gomlx/gomlx/pkg/core/tensors"
	"github.com/gomlx/gomlx/pkg/core/tensors/images"
	"github.com/gomlx/gomlx/pkg/ml/context"
	"github.com/gomlx/gomlx/pkg/ml/train/losses"
	"github.com/gomlx/gomlx/pkg/ml/train/optimizers"

	"github.com/pumice-ml/pumice/bench"
)

func main() {
	rows := flag.String("rows", "", "rows of package bench, separated by commas")
	sample := flag.Duration("sample", 300*time.Millisecond, "time that a row is measured")
	flag.Parse()
	if err := run(strings.Split(*rows, ","), *sample); err != nil {
		fmt.Fprintln(os.Stderr, "gomlx:", err)
		os.Exit(1)
	}
}

func run(rows []string, sample time.Duration) error {
	backend, err := simplego.New("")
	if err != nil {
		return err
	}
	version := "(devel)"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == "github.com/gomlx/gomlx" {
				version = m.Version
			}
		}
	}
	show(map[string]any{"system": bench.System{
		Name: "GoMLX simplego", Version: version, Adapter: fmt.Sprintf("%d processors", runtime.GOMAXPROCS(0)),
		Runtime: fmt.Sprintf("%s, %s/%s", runtime.Version(), runtime.GOOS, runtime.GOARCH),
	}})
	for _, row := range rows {
		line, err := measure(backend, row, sample)
		if errors.Is(err, notimplemented.NotImplementedError) {
			reason, _, _ := strings.Cut(err.Error(), " -- ")
			line, err = map[string]any{"skip": reason}, nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", row, err)
		}
		line["row"] = row
		show(line)
	}
	return nil
}

func show(line map[string]any) {
	if err := json.NewEncoder(os.Stdout).Encode(line); err != nil {
		panic(err) // of nothing but broken pipes
	}
}

func measure(backend backends.Backend, row string, sample time.Duration) (map[string]any, error) {
	kind, what, _ := strings.Cut(row, "/")
	n, _ := strconv.Atoi(what)
	switch shape := bench.ConvShapes[strings.TrimPrefix(kind, "conv-")]; {
	case row == "step/cnn":
		if backend.Capabilities().Operations[backends.OpTypeSelectAndScatterMax] {
			return nil, fmt.Errorf("simplego has SelectAndScatterMax now, which this program was written without")
		}
		return map[string]any{"skip": "simplego has no gradient of max pooling (SelectAndScatterMax)"}, nil
	case row == "step/mlp":
		return step(backend, sample)
	case kind == "matmul":
		return operation(backend, sample, nil, Dot, values(1, n, n), values(2, n, n))
	case kind == "linear" && what == "y":
		return operation(backend, sample, nil, func(x, w *Node) *Node { return Dot(x, Transpose(w, 0, 1)) }, values(1, 64, 784), values(2, 128, 784))
	case kind == "linear" && what == "dx":
		return operation(backend, sample, nil, Dot, values(3, 64, 128), values(2, 128, 784))
	case kind == "linear" && what == "dw":
		return operation(backend, sample, nil, func(dy, x *Node) *Node { return Dot(Transpose(dy, 0, 1), x) }, values(3, 64, 128), values(1, 64, 784))
	case shape.N > 0:
		return conv(backend, sample, shape, what)
	}
	return nil, fmt.Errorf("no such row")
}

func values(stream uint32, shape ...int) *tensors.Tensor {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return tensors.FromFlatDataAndDimensions(bench.Values(stream, n), shape...)
}

// operation measures a graph of two operands, and sums its result in the order of rows
// that all systems have.
func operation(backend backends.Backend, sample time.Duration, order []int, f func(a, b *Node) *Node, a, b *tensors.Tensor) (map[string]any, error) {
	exec, err := NewExec(backend, f)
	if err != nil {
		return nil, err
	}
	ms, err := clock(sample, func() error {
		y, err := exec.Exec1(a, b)
		if err == nil {
			err = y.FinalizeAll()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	y, err := exec.Exec1(a, b)
	if err != nil {
		return nil, err
	}
	if order != nil {
		if y, err = ExecOnce(backend, func(y *Node) *Node { return TransposeAllAxes(y, order...) }, y); err != nil {
			return nil, err
		}
	}
	flat, err := tensors.CopyFlatData[float32](y)
	if err != nil {
		return nil, err
	}
	return map[string]any{"ms": ms, "sums": bench.Sum(flat)}, nil
}

// clock is the milliseconds of one run, in as many as fill the sample.
func clock(sample time.Duration, run func() error) (float64, error) {
	runs := func(n int) (time.Duration, error) {
		start := time.Now()
		for range n {
			if err := run(); err != nil {
				return 0, err
			}
		}
		return time.Since(start), nil
	}
	n := 1
	for i := 0; ; i++ {
		t, err := runs(n)
		if err != nil {
			return 0, err
		}
		if i >= 2 && (t >= sample/2 || n > 1<<20) {
			return 1e3 * t.Seconds() / float64(n), nil
		}
		if i >= 2 {
			n = max(n+1, int(float64(n)*float64(sample)/float64(max(t, 1))))
		}
	}
}

// conv measures a convolution in the layout that suits simplego, channels last, as its
// examples have it. The gradients are those that GoMLX derives.
func conv(backend backends.Backend, sample time.Duration, s bench.ConvShape, what string) (map[string]any, error) {
	forward := func(x, w *Node) *Node {
		return Convolve(x, w).ChannelsAxis(images.ChannelsLast).Strides(1).PaddingPerDim([][2]int{{s.Padding, s.Padding}, {s.Padding, s.Padding}}).Done()
	}
	last := func(x *tensors.Tensor, order ...int) (*tensors.Tensor, error) {
		return ExecOnce(backend, func(x *Node) *Node { return TransposeAllAxes(x, order...) }, x)
	}
	x, err := last(values(1, s.N, s.C, s.Size, s.Size), 0, 2, 3, 1)
	if err != nil {
		return nil, err
	}
	w, err := last(values(2, s.K, s.C, s.R, s.R), 2, 3, 1, 0)
	if err != nil {
		return nil, err
	}
	dy, err := last(values(3, s.N, s.K, s.Out(), s.Out()), 0, 2, 3, 1)
	if err != nil {
		return nil, err
	}
	// The forward pass of which a gradient is derived has a constant operand, which is of
	// the right shape; of a convolution neither gradient depends on its value.
	switch what {
	case "y":
		return operation(backend, sample, []int{0, 3, 1, 2}, forward, x, w)
	case "dx":
		return operation(backend, sample, []int{0, 3, 1, 2}, func(dy, w *Node) *Node {
			x := Zeros(dy.Graph(), x.Shape())
			return Gradient(ReduceAllSum(Mul(forward(x, w), dy)), x)[0]
		}, dy, w)
	default:
		return operation(backend, sample, []int{3, 2, 0, 1}, func(dy, x *Node) *Node {
			w := Zeros(x.Graph(), w.Shape())
			return Gradient(ReduceAllSum(Mul(forward(x, w), dy)), w)[0]
		}, dy, x)
	}
}

// step trains the fully connected network of bench.Model on the images of bench.Images.
func step(backend backends.Backend, sample time.Duration) (map[string]any, error) {
	const batch = 64
	set := bench.Images(batch)
	pixels, labels := make([]float32, len(set.Pixels)), make([]int32, batch)
	for i, v := range set.Pixels {
		pixels[i] = float32(v) / 255
	}
	for i, v := range set.Labels {
		labels[i] = int32(v)
	}
	x, y := tensors.FromFlatDataAndDimensions(pixels, batch, 784), tensors.FromFlatDataAndDimensions(labels, batch, 1)
	weight := func(stream uint32, out, in int) *tensors.Tensor {
		v := bench.Values(stream, out*in)
		for i := range v {
			v[i] /= 8
		}
		return tensors.FromFlatDataAndDimensions(v, out, in)
	}
	ctx := context.New()
	start := time.Now()
	w1, b1 := ctx.VariableWithValue("w1", weight(10, 128, 784)), ctx.VariableWithValue("b1", make([]float32, 128))
	w2, b2 := ctx.VariableWithValue("w2", weight(11, 10, 128)), ctx.VariableWithValue("b2", make([]float32, 10))
	adam := optimizers.Adam().LearningRate(1e-3).Epsilon(1e-8).Done()
	exec, err := context.NewExec(backend, ctx, func(ctx *context.Context, x, y *Node) *Node {
		g := x.Graph()
		linear := func(x *Node, w, b *context.Variable) *Node {
			return Add(Dot(x, Transpose(w.ValueGraph(g), 0, 1)), ExpandLeftToRank(b.ValueGraph(g), 2))
		}
		logits := linear(Max(linear(x, w1, b1), ScalarZero(g, x.DType())), w2, b2)
		loss := ReduceAllMean(losses.SparseCategoricalCrossEntropyLogits([]*Node{y}, []*Node{logits}))
		adam.UpdateGraph(ctx, g, loss)
		return loss
	})
	if err != nil {
		return nil, err
	}
	train := func() (float64, error) {
		loss, err := exec.Exec1(x, y)
		if err != nil {
			return 0, err
		}
		v, err := tensors.CopyFlatData[float32](loss)
		if err != nil {
			return 0, err
		}
		return float64(v[0]), loss.FinalizeAll()
	}
	loss, err := train()
	if err != nil {
		return nil, err
	}
	first := 1e3 * time.Since(start).Seconds()
	for range 2 {
		next, err := train()
		if err != nil {
			return nil, err
		}
		loss += next
	}
	ms, err := clock(sample, func() error { _, err := train(); return err })
	return map[string]any{"ms": ms, "first_ms": first, "loss": loss / 3}, err
}
