package layers

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/internal/tapeoption"
)

// chained runs what is recorded with elements handed on, and without, and wants the same
// bits, where tensors are stored as f16 too. It returns the launches that hand them on.
func chained(t *testing.T, dev *compute.Device, variant string, record func(tape *compute.Tape, value func(dims ...int) *compute.Tensor) *compute.Tensor) (launches []string) {
	t.Helper()
	launches = chainedF32(t, dev, variant, record)
	if dev.Stores(compute.F16) == nil { // suite TestCheckF16 wants an error otherwise
		if halves := chainedAs(t, dev, compute.F16, variant, record); !slices.Equal(halves, launches) {
			t.Errorf("launches %v, as f16 %v", launches, halves)
		}
	}
	return launches
}

func chainedF32(t *testing.T, dev *compute.Device, variant string, record func(tape *compute.Tape, value func(dims ...int) *compute.Tensor) *compute.Tensor) []string {
	t.Helper()
	return chainedAs(t, dev, compute.F32, variant, record)
}

func chainedAs(t *testing.T, dev *compute.Device, storage compute.DType, variant string, record func(tape *compute.Tape, value func(dims ...int) *compute.Tensor) *compute.Tensor) (launches []string) {
	t.Helper()
	var first []uint32
	for _, without := range [][]string{{"join"}, {"join", "chain"}} {
		tape := compute.NewTape(dev, &tapeoption.Switches{Variant: variant})
		tape.Storage, tape.Training, tape.Clock = storage, true, compute.NewParamU32("clock", 2)
		var inputs []*compute.Tensor
		y := record(tape, func(dims ...int) *compute.Tensor {
			x := tape.Input("x", compute.F32, dims...)
			inputs = append(inputs, x)
			return x
		})
		tape.Keep(y)
		p, err := tape.Compile(without...)
		if err != nil {
			t.Fatal(err)
		}
		defer dev.Forget(tape.Clock)
		defer p.Close()
		for i, x := range inputs {
			v := make([]float32, x.Len())
			for j := range v {
				v[j] = 2*float32(compute.Uniform(compute.RandomBits(5, uint32(i), 0, uint32(j))[0])) - 1
			}
			if err := p.Write(x, v); err != nil {
				t.Fatal(err)
			}
		}
		got := make([]float32, y.Len())
		for range 2 { // the second time upon what the first one left
			if err := p.Run(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.Read(context.Background(), y, got); err != nil {
			t.Fatal(err)
		}
		if first == nil {
			steps, err := devicetest.Steps(p)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range steps {
				if strings.Contains(s.Kernel, "+") {
					launches = append(launches, s.Kernel)
				}
			}
			for _, v := range got {
				first = append(first, math.Float32bits(v))
			}
			continue
		}
		for i, v := range got {
			if math.Float32bits(v) != first[i] {
				t.Fatalf("%v: element %d is %v, want %v", launches, i, math.Float32frombits(first[i]), v)
			}
		}
		if slices.Max(got) == slices.Min(got) {
			t.Errorf("all elements are %v", got[0])
		}
	}
	return launches
}

// TestMatMulChain hands elements of each variant's result to a bias, an activation, and a
// sum with what was there: the same bits as one run after the other, in shapes that fill
// no tile.
func TestMatMulChain(t *testing.T) {
	dev := devicetest.Open(t)
	devicetest.NoLeaks(t, dev)
	for _, variant := range variantsOf(matmulForward) {
		if elsewhere(dev, variant) || slices.Contains([]string{"subgroup8x32", "workgroup64", "workgroup32"}, variant) || variant == deepTile.name && !devicetest.Full() { // others of their files run
			continue
		}
		t.Run(variant, func(t *testing.T) {
			s := productShape{batch: 2, m: 97, k: 68, n: 131}
			if variant == "matvec" {
				s.m = 5
			}
			handed := chainedF32
			if variant == "plain" || variant == "matvec" || devicetest.Full() {
				handed = chained
			}
			launches := handed(t, dev, variant, func(tape *compute.Tape, value func(dims ...int) *compute.Tensor) *compute.Tensor {
				y := tape.Zeros(s.batch, s.m, s.n)
				MatMul(value(s.batch, s.m, s.k), value(s.batch, s.k, s.n), y, s.o)
				addBias(tape, y, value(s.n), s.batch*s.m, 1)
				return Add(tape, ReLU{}.Forward(tape, y), value(s.batch, s.m, s.n))
			})
			if want := "+bias.forward+relu.forward+broadcast.add_same"; len(launches) != 1 || !strings.HasSuffix(launches[0], want) {
				t.Errorf("launches %v, want one that ends in %s", launches, want)
			} else if (variant == "plain") != strings.HasPrefix(launches[0], "matmul.forward") {
				t.Errorf("%s takes it", launches[0])
			}
		})
	}
}

// TestConv2DChain hands elements of each variant's result on, in rows of whole quads and
// in others: of the convolution to an activation and a sum, and of its input gradient to
// the gradient of the activation before.
func TestConv2DChain(t *testing.T) {
	dev := devicetest.Open(t)
	devicetest.NoLeaks(t, dev)
	type shape struct{ channels, outputs, kernel, groups int }
	shapes := map[string]shape{ // that the variant takes
		"workgroup16": {16, 24, 3, 1}, "direct_depthwise": {6, 6, 3, 6}, "matmul": {5, 6, 1, 1},
	}
	for _, variant := range variantsOf(convForward) {
		if elsewhere(dev, variant) || strings.HasPrefix(variant, "workgroup") && variant != "workgroup16" { // another of its file runs
			continue
		}
		if variant == "winograd4" && !devicetest.Full() {
			continue // winograd2 hands on alike
		}
		s, ok := shapes[variant]
		if !ok {
			s = shape{5, 6, 3, 1}
		}
		quadded := variant == "tiled" || strings.HasPrefix(variant, "subgroup")
		for _, width := range []int{12, 11} {
			if width == 12 && !quadded && !devicetest.Full() {
				continue // these do not tell quads from others
			}
			t.Run(fmt.Sprint(variant, width), func(t *testing.T) {
				p := convShape([]int{2, s.channels, 9, width}, []int{s.outputs, s.channels / s.groups, s.kernel, s.kernel}, 1, s.kernel/2, 1, s.groups)
				p.Biased = 1
				handed := chainedF32
				if variant == "plain" || variant == "subgroup8" && width == 12 || variant == "tiled" && width == 12 && devicetest.Full() { // of quads, and one by one
					handed = chained
				}
				run := func(record func(tape *compute.Tape, x, weight, bias, y *compute.Tensor) *compute.Tensor) []string {
					return handed(t, dev, variant, func(tape *compute.Tape, value func(dims ...int) *compute.Tensor) *compute.Tensor {
						return record(tape, value(2, s.channels, 9, width), value(s.outputs, s.channels/s.groups, s.kernel, s.kernel), value(s.outputs), value(2, s.outputs, 9, width))
					})
				}
				check := func(want string, launches []string) {
					t.Helper()
					if len(launches) != 1 || !strings.HasSuffix(launches[0], want) || (variant == "plain") != strings.HasPrefix(launches[0], "conv2d.") {
						t.Errorf("launches %v, want one that ends in %s", launches, want)
					}
				}
				check("+leaky_relu.forward+broadcast.add_same", run(func(tape *compute.Tape, x, weight, bias, more *compute.Tensor) *compute.Tensor {
					y := tape.Zeros(more.Shape()...)
					p.forward(x, weight, bias, y)
					return Add(tape, LeakyReLU{}.Forward(tape, y), more)
				}))
				check("+leaky_relu.backward", run(func(tape *compute.Tape, x, weight, _, dy *compute.Tensor) *compute.Tensor {
					y := LeakyReLU{}.Forward(tape, x)
					p.inputGradient(weight, dy, tape.Grad(y))
					tape.BackwardFromGrads()
					return tape.Grad(x)
				}))
				if !quadded && variant != "plain" && variant != "direct" && !devicetest.Full() {
					return
				}
				// Where the gradient has a value it is read, which whole quads do not allow.
				launches := run(func(tape *compute.Tape, result, weight, _, dz *compute.Tensor) *compute.Tensor {
					dy, dx := tape.Zeros(result.Shape()...), tape.Zeros(result.Shape()...)
					sumInto(tape, sumRows(result.Len(), 3), tape.Zeros(result.Len(), 3), dx)
					p.inputGradient(weight, dz, dy)
					reluBackward.Run(reluParams{uint32(dx.Len())}, result, dy, dx)
					return dx
				})
				read := slices.ContainsFunc(launches, func(l string) bool {
					return strings.HasSuffix(l, "+relu.backward") && !strings.HasPrefix(l, "sum.")
				})
				quads := width%4 == 0 && quadded
				if read == quads {
					t.Errorf("launches %v: handed to a gradient that has a value: %v, want %v", launches, read, !quads)
				}
			})
		}
	}
}

// TestLayerChains hands on elements of pools' gradients and of norms.
func TestLayerChains(t *testing.T) {
	dev := devicetest.Open(t)
	devicetest.NoLeaks(t, dev)
	for name, c := range map[string]struct {
		layer   Layer
		forward bool // the result is handed on, else the gradient
		want    string
	}{
		"pairs":      {MaxPool2D{Size: 2}, false, "max_pool2d_pairs.backward+leaky_relu.backward"},
		"max pool":   {MaxPool2D{Size: 3}, false, "max_pool2d.backward+leaky_relu.backward"},
		"avg pool":   {AvgPool2D{Size: 3}, false, "avg_pool2d.backward+leaky_relu.backward"},
		"layer norm": {NewLayerNorm(12), true, "normalize.forward+leaky_relu.forward"},
		"batch norm": {NewBatchNorm2D(3), true, "normalize.forward+leaky_relu.forward"},
		"norm back":  {NewLayerNorm(12), false, "normalize.backward+leaky_relu.backward"},
		"dropout":    {Dropout{P: 0.3}, true, "dropout.forward+leaky_relu.forward"},
		"gelu":       {GELU{}, false, "leaky_relu.forward+gelu.backward+leaky_relu.backward"},
	} {
		t.Run(name, func(t *testing.T) {
			launches := chained(t, dev, "", func(tape *compute.Tape, value func(dims ...int) *compute.Tensor) *compute.Tensor {
				x := value(2, 3, 10, 12)
				if c.forward {
					return LeakyReLU{}.Forward(tape, c.layer.Forward(tape, x))
				}
				y := c.layer.Forward(tape, LeakyReLU{}.Forward(tape, x))
				tape.SetGrad(y, value(y.Shape()...))
				tape.BackwardFromGrads()
				return tape.Grad(x)
			})
			if !slices.Contains(launches, c.want) {
				t.Errorf("launches %v, want %s", launches, c.want)
			}
			for _, p := range Params(c.layer) {
				dev.Forget(p)
			}
		})
	}
}
