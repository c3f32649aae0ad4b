package layers

import (
	"math"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/layers/layertest"
)

var activations = []Layer{
	LeakyReLU{}, LeakyReLU{Slope: 0.2}, ELU{}, ELU{Alpha: 0.5}, GELU{}, GELU{Tanh: true}, SiLU{}, Sigmoid{}, Tanh{}, Softplus{}, Softplus{Beta: 2.5}, Exp{}, Log{}, Erf{},
}

func name(l Layer) string { return l.(interface{ String() string }).String() }

func TestActivations(t *testing.T) {
	for _, l := range activations {
		t.Run(name(l), func(t *testing.T) {
			layertest.Run(t, l, layertest.Shape(1), layertest.Shape(3, 5), layertest.Input{Shape: []int{2, 67}, Scale: 25})
		})
	}
}

// spread returns numbers of all signs and exponents, in order, and more where
// the functions bend.
func spread(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		bits := compute.RandomBits(1, 1, 0, uint32(i))
		switch unit := compute.Uniform(bits[1]); i % 4 {
		case 0:
			x[i] = math.Float32frombits(uint32(uint64(i)<<32/uint64(n)) | bits[0]&0xfff)
			if math.IsNaN(float64(x[i])) || math.IsInf(float64(x[i]), 0) {
				x[i] = unit
			}
		case 1:
			x[i] = 2*unit - 1
		case 2:
			x[i] = 28*unit - 14
		default:
			x[i] = 180*unit - 90
		}
	}
	return x
}

// TestActivationAccuracy judges many numbers by the error models; those of
// GELU, Sigmoid and Tanh are a promise in ULP.
func TestActivationAccuracy(t *testing.T) {
	dev := devicetest.Open(t)
	few, many := spread(1<<17), spread(1<<20)
	for _, l := range activations {
		t.Run(name(l), func(t *testing.T) {
			x := few
			switch l {
			case GELU{}, Sigmoid{}, Tanh{}, Exp{}, Log{}, Erf{}:
				x = many
			}
			tape := compute.NewTape(dev)
			in := tape.Input("x", compute.F32, len(x))
			y := l.Forward(tape, in)
			tape.Keep(y, tape.Grad(in))
			tape.Backward(y)
			found, err := devicetest.Verify(tape, func(p *compute.Program) error { return p.Write(in, x) })
			devicetest.Check(t, found, err)
		})
	}
}

// TestActivationExtremes holds large, zero and subnormal inputs to the limits of
// the functions: nothing overflows to Inf or NaN.
func TestActivationExtremes(t *testing.T) {
	x := []float32{-3e38, -1e4, -100, -88.5, -88, -87.4, -87.3, 87.3, 87.4, 88, 88.5, 100, 1e4, 3e38, 0, float32(math.Copysign(0, -1)), 1e-40, -1e-40}
	low := float32(-87.33654475)     // log(2^-126)
	limits := map[string][2]float32{ // y at -1e4 and at 1e4
		"LeakyReLU(0.01)": {-100, 1e4}, "LeakyReLU(0.2)": {-2000, 1e4}, "ELU(1)": {-1, 1e4}, "ELU(0.5)": {-0.5, 1e4}, "GELU": {0, 1e4}, "GELU(tanh)": {0, 1e4},
		"SiLU": {0, 1e4}, "Sigmoid": {0, 1}, "Tanh": {-1, 1}, "Softplus(1)": {0, 1e4}, "Softplus(2.5)": {0, 1e4},
		"Exp": {0, 3.4027985e38}, "Log": {low, 9.210340372}, "Erf": {-1, 1},
	}
	for _, l := range activations {
		t.Run(name(l), func(t *testing.T) {
			tape := compute.NewTape(devicetest.Open(t))
			in := tape.Input("x", compute.F32, len(x))
			y := l.Forward(tape, in)
			tape.Backward(y)
			tape.Keep(y, tape.Grad(in))
			got, dx := make([]float32, len(x)), make([]float32, len(x))
			run(t, tape, map[*compute.Tensor][]float32{in: x}, map[*compute.Tensor][]float32{y: got, tape.Grad(in): dx})
			for i := range x {
				for what, v := range map[string]float32{"y": got[i], "dx": dx[i]} {
					if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
						t.Errorf("%s at %v is %v, want a finite number", what, x[i], v)
					}
				}
			}
			for i, at := range []int{1, 12} {
				if want := limits[name(l)][i]; got[at] != want {
					t.Errorf("y at %v is %v, want %v", x[at], got[at], want)
				}
			}
		})
	}
}
