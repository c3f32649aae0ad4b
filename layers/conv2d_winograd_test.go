package layers

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/internal/shader"
	"github.com/pumice-ml/pumice/layers/layertest"
)

// TestConv2DWinograd wants Winograd's convolution within its bound of the definition, in
// shapes that do not fill tiles, on numbers that hurt.
func TestConv2DWinograd(t *testing.T) {
	dev := devicetest.Open(t)
	devicetest.NoLeaks(t, dev)
	shapes := []struct{ n, c, h, w, k, pad int }{
		{1, 1, 3, 3, 1, 0}, {2, 3, 7, 6, 5, 1}, {1, 2, 1, 1, 3, 1}, {3, 5, 4, 9, 2, 3}, {2, 40, 9, 8, 33, 1},
	}
	patterns := map[string]func(stream uint32, i int) float64{
		"even": even,
		// Sums that cancel but for a few of the last bits.
		"cancel": func(stream uint32, i int) float64 {
			return float64(1-2*(i%2)) * (1 + float64(i/2%97)/97 + float64(stream)*0x1p-22)
		},
		// One pixel, and one weight, in some is a million times the others.
		"spikes": func(stream uint32, i int) float64 {
			if i%23 == 7 {
				return 1e6 * even(stream, i)
			}
			return even(stream, i)
		},
		// Normal numbers whose products are not.
		"tiny":  func(stream uint32, i int) float64 { return 0x1p-64 * even(stream, i) },
		"equal": func(stream uint32, _ int) float64 { return 0.7 },
	}
	for name, w := range map[string]*winograd{"winograd2": winograd2, "winograd4": winograd4} {
		for pattern, value := range patterns {
			t.Run(name+"/"+pattern, func(t *testing.T) {
				for i, s := range shapes {
					if pattern != "even" && i != 1 {
						continue
					}
					p := convShape([]int{s.n, s.c, s.h, s.w}, []int{s.k, s.c, 3, 3}, 1, s.pad, 1, 1)
					p.Biased, p.Rectified = uint32(i%2), uint32(i/2%2)
					for _, backward := range []bool{false, true} {
						whole := newWholeConv(p, backward, value)
						got, kernels := whole.run(t, dev, name)
						if !slices.Contains(kernels, name+".outputs") {
							t.Fatalf("%+v: %v", p, kernels)
						}
						c, x, weight := p, whole.a, whole.b
						if backward {
							c, x, weight = p.turned(), whole.b, whole.a
						}
						q := winogradParams{N: c.N, C: c.C, H: c.H, W: c.W, K: c.K, OH: c.OH, OW: c.OW, PadH: c.PadH, PadW: c.PadW, Biased: c.Biased}
						if backward {
							q.Turned = 1
						}
						start := slices.Repeat([]float64{float64(whole.start)}, len(got))
						whole.judge(t, got, w.bounds(q, widened(x), widened(weight), widened(whole.bias), start))
					}
				}
			})
		}
	}
}

// TestWinogradLayer takes the gradients of a layer.
func TestWinogradLayer(t *testing.T) {
	for _, name := range []string{"winograd2", "winograd4"} {
		l := NewConv2D(3, 4, 3)
		l.Padding = 1
		layertest.Run(t, Sequential{l, ReLU{}, Sigmoid{}}, forced(name, 2, 3, 7, 5))
	}
}

// TestWinogradGate wants the growth of errors that the matrices have by hand, and the
// variants taken where their bounds are near that of a direct convolution.
func TestWinogradGate(t *testing.T) {
	// |A^T||G|1 * |B^T|1 is at most 8 and 48 in one dimension, where a direct sum has 3.
	for w, want := range map[*winograd]float64{winograd2: 64. / 9, winograd4: 48. * 48 / 9} {
		if got := w.growth(); math.Abs(got-want) > 1e-9 {
			t.Errorf("F(%d, 3): growth %v, want %v", w.outputs, got, want)
		}
		if one := w.relative(1) / w.growth(); math.Abs(one-compute.Gamma(w.roundings(1))/compute.Gamma(11)) > 1e-9 {
			t.Errorf("F(%d, 3): %v of the bound", w.outputs, one)
		}
	}
	for _, c := range []struct {
		w     *winograd
		c, k  int
		taken bool
	}{{winograd2, 16, 16, true}, {winograd2, 15, 16, false}, {winograd2, 16, 15, false}, {winograd2, 512, 512, true}, {winograd4, 16, 64, false}, {winograd4, 20, 16, true}} {
		if got := c.w.taken(convParams{C: uint32(c.c), K: uint32(c.k)}); got != c.taken {
			t.Errorf("F(%d, 3) of %d channels to %d, bound %.3g of a direct one's: taken %v", c.w.outputs, c.c, c.k, c.w.relative(c.c), got)
		}
	}
	gpu := compute.Info{Type: "discrete"}
	if winograd4Suits(gpu) {
		t.Error("F(4, 3) is taken where nobody asked for it")
	}
	t.Setenv("PUMICE_DEBUG", "-plan,+winograd4")
	if !winograd4Suits(gpu) || winograd4Suits(compute.Info{Type: "software"}) {
		t.Error("F(4, 3) is not taken where it is asked for, or on a processor")
	}
}

// TestWinogradDeclines wants other kernels than those of 3 x 3 taps at distance 1, and
// tensors that no binding holds, left to others.
func TestWinogradDeclines(t *testing.T) {
	dev := devicetest.Open(t)
	good := convShape([]int{1, 2, 5, 5}, []int{3, 2, 3, 3}, 1, 1, 1, 1)
	for name, change := range map[string]func(p *convParams){
		"": func(*convParams) {}, "rows": func(p *convParams) { p.R = 2 }, "columns": func(p *convParams) { p.S = 2 }, "stride down": func(p *convParams) { p.StrideH = 2 },
		"stride across": func(p *convParams) { p.StrideW = 2 }, "dilation down": func(p *convParams) { p.DilationH = 2 }, "dilation across": func(p *convParams) { p.DilationW = 2 },
		"groups": func(p *convParams) { p.Groups = 2 }, "no image": func(p *convParams) { p.N = 0 }, "too large": func(p *convParams) { p.N, p.OH, p.OW = 1<<10, 1<<10, 1<<10 },
	} {
		p := good
		change(&p)
		tape := compute.NewTape(dev)
		x, w, y := tape.Input("x", compute.F32, 50), tape.Input("w", compute.F32, 54), tape.Zeros(75)
		if got := winograd2.record(tape, p, false, x, w, w, y); got != (name == "") {
			t.Errorf("%s: recorded %v", name, got)
		}
	}
}

// TestWinogradProved wants the test of the whole to pass, and to find a chain whose
// kernels are right, each for itself, but not what they should be.
func TestWinogradProved(t *testing.T) {
	dev := devicetest.Open(t)
	devicetest.NoLeaks(t, dev)
	s, err := shader.Load("winograd2")
	if err != nil {
		t.Fatal(err)
	}
	wrong := *winograd2
	wrong.g = [][]float64{{1, 0, 0}, {0.5001, 0.5001, 0.5001}, {0.5, -0.5, 0.5}, {0, 0, 1}}
	text := s.Text
	for _, line := range []string{"t[3u + s] = 0.5 *", "to[4u * r + 1u] = 0.5 *"} {
		if strings.Count(text, line) != 1 {
			t.Fatalf("%d lines of %s", strings.Count(text, line), line)
		}
		text = strings.Replace(text, line, strings.Replace(line, "0.5", "0.5001", 1), 1)
	}
	wrong.filters = compute.NewKernelFS(fstest.MapFS{"winograd2.wgsl": {Data: []byte(text)}}, "winograd2.filters", wrong.defineFilters, bounded(wrong.magnitudes().defineFilters, wrong.roundingsG+2, wrong.flushed(wrong.g)))
	for _, backward := range []bool{false, true} {
		for _, w := range []*winograd{winograd2, winograd4} {
			if err := w.prove(dev, backward); err != nil {
				t.Errorf("F(%d, 3), backward %v: %v", w.outputs, backward, err)
			}
		}
		if err := wrong.prove(dev, backward); err == nil || !strings.Contains(fmt.Sprint(err), "at most") || strings.Contains(fmt.Sprint(err), "winograd2.filters") {
			t.Errorf("0.5001 in the place of 0.5: %v", err)
		}
	}
}
