package layers

import (
	"math"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/stat"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/testdata"
)

// TestPyTorch compares layers without parameters with numbers from PyTorch, on
// both devices.
func TestPyTorch(t *testing.T) {
	for group, layer := range map[string]func(c testdata.Case) Layer{
		"leaky_relu": func(c testdata.Case) Layer { return LeakyReLU{Slope: c.Float("negative_slope")} },
		"elu":        func(c testdata.Case) Layer { return ELU{Alpha: c.Float("alpha")} },
		"gelu":       func(c testdata.Case) Layer { return GELU{Tanh: c.Options["approximate"] == "tanh"} },
		"relu":       func(testdata.Case) Layer { return ReLU{} },
		"sigmoid":    func(testdata.Case) Layer { return Sigmoid{} },
		"tanh":       func(testdata.Case) Layer { return Tanh{} },
		"softplus":   func(testdata.Case) Layer { return Softplus{} },
		"silu":       func(testdata.Case) Layer { return SiLU{} },
		"max_pool2d": func(c testdata.Case) Layer {
			return MaxPool2D{Size: c.Int("kernel"), Stride: c.Int("stride"), Padding: c.Int("padding")}
		},
		"avg_pool2d": func(c testdata.Case) Layer {
			return AvgPool2D{Size: c.Int("kernel"), Stride: c.Int("stride"), Padding: c.Int("padding"), ExcludePadding: c.Options["count_include_pad"] == false}
		},
		"global_avg_pool": func(testdata.Case) Layer { return GlobalAvgPool{} },
		"softmax":         func(testdata.Case) Layer { return Softmax{} },
		"log_softmax":     func(testdata.Case) Layer { return LogSoftmax{} },
	} {
		t.Run(group, func(t *testing.T) {
			for _, c := range testdata.PyTorch(group) {
				t.Run(c.Name, func(t *testing.T) {
					// 2e-6 is 16 roundings of the GPU; the reference rounds its
					// float64 results, and the options, to float32.
					agree(t, devicetest.Open(t), layer(c), c, 2e-6)
					agree(t, compute.Reference(), layer(c), c, 2e-7)
				})
			}
		})
	}
}

// agree runs a layer forward and backward and compares with a case's y and dx.
func agree(t *testing.T, dev *compute.Device, l Layer, c testdata.Case, tolerance float64) {
	t.Helper()
	tape := compute.NewTape(dev)
	tape.Training = true
	x := tape.Input("x", compute.F32, c.Shape("x")...)
	y := l.Forward(tape, x)
	dy := tape.Input("dy", compute.F32, c.Shape("dy")...)
	tape.SetGrad(y, dy)
	tape.BackwardFromGrads()
	dx := tape.Grad(x)
	tape.Keep(y, dx)
	got := map[string][]float32{"y": make([]float32, y.Len()), "dx": make([]float32, x.Len())}
	run(t, tape, map[*compute.Tensor][]float32{x: c.F32("x"), dy: c.F32("dy")}, map[*compute.Tensor][]float32{y: got["y"], dx: got["dx"]})
	largest := max(slices.Max(c.F64("dy")), -slices.Min(c.F64("dy")))
	for name, v := range got {
		want := c.F64(name)
		if len(want) != len(v) {
			t.Fatalf("%v: %s has %d elements, want %d", dev, name, len(v), len(want))
		}
		for i := range v {
			// A derivative may cancel, so the bound is of dy, not of dx. PyTorch's
			// GELU is x(1+erf)/2 in float64, which loses what is below 1e-14.
			size := math.Abs(want[i])
			if name == "dx" {
				size += largest
			}
			if off := math.Abs(float64(v[i]) - want[i]); !(off <= tolerance*size+1e-14) {
				t.Errorf("%v: %s[%d] is %v, want %v", dev, name, i, v[i], want[i])
			}
		}
	}
}

// TestPyTorchStateDict loads the weights of a network that PyTorch saved and
// compares its logits.
func TestPyTorchStateDict(t *testing.T) {
	model := Sequential{
		NewConv2D(1, 8, 5), ReLU{}, MaxPool2D{Size: 2}, NewConv2D(8, 16, 5), ReLU{}, MaxPool2D{Size: 2}, Flatten{}, NewLinear(256, 10),
	}
	if err := Load(testdata.StateDict(), "cnn.safetensors", model); err != nil {
		t.Fatal(err)
	}
	for _, c := range testdata.PyTorch("cnn") {
		for _, dev := range []*compute.Device{compute.Reference(), devicetest.Open(t)} {
			tape := compute.NewTape(dev)
			x := tape.Input("x", compute.F32, c.Shape("x")...)
			y := model.Forward(tape, x)
			tape.Keep(y)
			got := make([]float32, y.Len())
			run(t, tape, map[*compute.Tensor][]float32{x: c.F32("x")}, map[*compute.Tensor][]float32{y: got})
			for i, want := range c.F64("y") {
				if math.Abs(float64(got[i])-want) > 1e-5 {
					t.Errorf("%v: logit %d is %v, want %v", dev, i, got[i], want)
				}
			}
			for _, p := range Params(model) {
				dev.Forget(p)
			}
		}
	}
}

// TestPyTorchInit compares bounds and deviations with those that PyTorch's
// initialisers have.
func TestPyTorchInit(t *testing.T) {
	for _, c := range testdata.PyTorch("init") {
		fanIn, fanOut := c.Int("fan_in"), c.Int("fan_out")
		rule, _, _ := strings.Cut(c.Name, ".")
		init := map[string]Initializer{
			"kaiming_uniform_default":      Uniform(1 / math.Sqrt(float64(fanIn))),
			"kaiming_uniform_relu":         KaimingUniform(fanIn),
			"kaiming_uniform_relu_fan_out": KaimingUniform(fanOut),
			"kaiming_normal_relu":          KaimingNormal(fanIn),
			"kaiming_normal_relu_fan_out":  KaimingNormal(fanOut),
			"xavier_uniform":               XavierUniform(fanIn, fanOut),
			"xavier_normal":                XavierNormal(fanIn, fanOut),
		}[rule]
		v := drawn(init, 1, 2)
		// Five deviations of an estimate from 200,000 numbers.
		if std := stat.StdDev(v, nil); math.Abs(std/c.Float("std")-1) > 5/math.Sqrt(400_000) {
			t.Errorf("%s: deviation %v, want %v", c.Name, std, c.Float("std"))
		}
		if strings.Contains(rule, "uniform") {
			if most := max(slices.Max(v), -slices.Min(v)); math.Abs(most/c.Float("bound")-1) > 1e-3 {
				t.Errorf("%s: largest %v, want %v", c.Name, most, c.Float("bound"))
			}
		}
	}
}
