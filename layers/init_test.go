package layers

import (
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/stat"

	"github.com/pumice-ml/pumice/compute"
)

// drawn is a large parameter filled by init.
func drawn(init Initializer, seed, stream uint32) []float64 {
	p := compute.NewParam("p", 200_000)
	init(p, seed, stream)
	v := make([]float64, p.Len())
	for i := range v {
		v[i] = float64(p.Data[i])
	}
	return v
}

func TestInitializers(t *testing.T) {
	for _, c := range []struct {
		name       string
		init       Initializer
		std, bound float64 // bound 0: normal
	}{
		{"uniform", Uniform(0.3), 0.3 / math.Sqrt(3), 0.3},
		{"normal", Normal(2), 2, 0},
		{"kaiming_uniform", KaimingUniform(24), math.Sqrt(2.0 / 24), 0.5},
		{"kaiming_normal", KaimingNormal(50), 0.2, 0},
		{"xavier_uniform", XavierUniform(14, 10), math.Sqrt(2.0 / 24), 0.5},
		{"xavier_normal", XavierNormal(30, 20), 0.2, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := drawn(c.init, 1, 2)
			n := float64(len(v))
			mean, std := stat.MeanStdDev(v, nil)
			// Five deviations of the estimates.
			if math.Abs(mean) > 5*c.std/math.Sqrt(n) || math.Abs(std/c.std-1) > 5/math.Sqrt(2*n) {
				t.Errorf("mean %v, deviation %v, want 0 and %v", mean, std, c.std)
			}
			kurtosis := stat.ExKurtosis(v, nil)
			largest := max(slices.Max(v), -slices.Min(v))
			if c.bound == 0 {
				if math.Abs(kurtosis) > 5*math.Sqrt(24/n) || largest < 4*c.std || largest > 6.7*c.std {
					t.Errorf("excess kurtosis %v, largest %v, want those of a normal distribution, 0 and about %v", kurtosis, largest, 4.6*c.std)
				}
			} else if math.Abs(kurtosis+1.2) > 0.02 || largest > c.bound*(1+0x1p-24) || largest < c.bound*0.999 {
				t.Errorf("excess kurtosis %v, largest %v, want those of a uniform distribution, -1.2 and %v", kurtosis, largest, c.bound)
			}
			for other, w := range map[string][]float64{"seed": drawn(c.init, 2, 2), "stream": drawn(c.init, 1, 3)} {
				if r := stat.Correlation(v, w, nil); math.Abs(r) > 5/math.Sqrt(n) {
					t.Errorf("correlation %v with another %s, want 0", r, other)
				}
			}
			if again := drawn(c.init, 1, 2); !slices.Equal(again, v) {
				t.Error("the same seed and stream gave other numbers")
			}
		})
	}
	for want, init := range map[float64]Initializer{0: Zeros(), 1: Ones(), -2.5: Constant(-2.5)} {
		if v := drawn(init, 1, 1); slices.Min(v) != want || slices.Max(v) != want {
			t.Errorf("got %v to %v, want %v", slices.Min(v), slices.Max(v), want)
		}
	}
}

func TestInitializerByName(t *testing.T) {
	for name, want := range map[string]Initializer{
		"zeros": Zeros(), "ones": Ones(), "kaiming_uniform": KaimingUniform(3), "kaiming_normal": KaimingNormal(3),
		"xavier_uniform": XavierUniform(3, 5), "xavier_normal": XavierNormal(3, 5),
	} {
		init, err := InitializerByName(name, 3, 5)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(drawn(init, 1, 2), drawn(want, 1, 2)) {
			t.Errorf("%s is another initializer", name)
		}
	}
	_, err := InitializerByName("he", 3, 5)
	if want := `layers: initializer "he", want one of kaiming_normal, kaiming_uniform, ones, xavier_normal, xavier_uniform, zeros`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	panics(t, "layers: XavierNormal: fanIn 3, fanOut 0, want at least 1", func() { XavierNormal(3, 0) })
}
