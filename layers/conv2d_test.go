package layers

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/internal/tapeoption"
	"github.com/pumice-ml/pumice/layers/layertest"
)

func TestConv2D(t *testing.T) {
	for _, c := range []struct {
		in, out, height, width, groups int
		stride, padding, dilation      int
		noBias                         bool
		x                              []int
	}{
		{1, 3, 5, 5, 1, 1, 0, 1, false, []int{2, 1, 9, 11}},
		{3, 9, 3, 3, 1, 1, 0, 1, false, []int{2, 3, 8, 7}},
		{5, 5, 3, 3, 1, 1, 1, 1, false, []int{3, 5, 33, 12}},        // whole quads, more tiles than a workgroup
		{4, 6, 3, 2, 2, 2, 1, 2, false, []int{2, 4, 9, 8}},          // steps of stride and dilation alike
		{2, 3, 3, 3, 1, 2, 1, 1, false, []int{1, 2, 8, 9}},          // and not alike
		{6, 6, 3, 3, 6, 1, 1, 1, true, []int{1, 6, 5, 6}},           // a group for each channel
		{130, 130, 1, 1, 130, 1, 0, 1, false, []int{5, 130, 2, 11}}, // more strips than splits
		{17, 2, 1, 1, 1, 1, 1, 1, false, []int{1, 17, 3, 4}},        // padding wider than the kernel
		{4, 2, 9, 9, 2, 1, 2, 1, false, []int{2, 4, 7, 8}},          // too many taps for a tile of weights
		{2, 2, 2, 3, 2, 1, 1, 65, true, []int{1, 2, 67, 133}},       // and columns too far apart for a tile of y
	} {
		l := NewConv2DGroups(c.in, c.out, c.height, c.width, c.groups)
		l.Stride, l.Padding, l.Dilation = c.stride, c.padding, c.dilation
		if c.noBias {
			l.Bias = nil
		}
		t.Run(l.String(), func(t *testing.T) { layertest.Run(t, l, layertest.Shape(c.x...)) })
	}
}

func TestConv2DPanics(t *testing.T) {
	tape := compute.NewTape(compute.Reference())
	x := tape.Input("x", compute.F32, 2, 3, 4, 5)
	panics(t, "layers: Conv2D: input shape [2 3 4 5], want (n, 2, h, w)", func() { NewConv2D(2, 3, 3).Forward(tape, x) })
	panics(t, "layers: Conv2D: input shape [2 3 4 5], want an image that holds a kernel of 5x5, padding 0, dilation 1", func() { NewConv2D(3, 3, 5).Forward(tape, x) })
	panics(t, "layers: NewConv2D: 3 to 4 channels in 2 groups, kernel 1x1, want 1 or more of each, and groups that divide both", func() { NewConv2DGroups(3, 4, 1, 1, 2) })
	panics(t, "layers: NewConv2D: 0 to 4 channels in 1 groups, kernel 3x3, want 1 or more of each, and groups that divide both", func() { NewConv2D(0, 4, 3) })
}

// TestConv2DBatches wants the same bits for an image in batches of any size.
func TestConv2DBatches(t *testing.T) {
	dev, ctx := devicetest.Open(t), context.Background()
	l := NewConv2D(3, 9, 3)
	defer dev.Forget(l.Weight, l.Bias)
	const size = 3 * 10 * 9
	var first []float32
	for _, n := range []int{1, 2, 5, 33} {
		tape := compute.NewTape(dev)
		x := tape.Input("x", compute.F32, n, 3, 10, 9)
		y := l.Forward(tape, x)
		tape.Keep(y)
		p, err := tape.Compile()
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		in, got := make([]float32, n*size), make([]float32, y.Len())
		for i := range in { // the last image is always the same
			in[i] = float32(math.Sin(float64(i - (n-1)*size)))
		}
		for _, err := range []error{p.Write(x, in), p.Run(ctx), p.Read(ctx, y, got)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		got = got[(n-1)*len(got)/n:]
		if first == nil {
			first = got
		}
		for i := range got {
			if math.Float32bits(got[i]) != math.Float32bits(first[i]) {
				t.Fatalf("batch of %d: y[%d] is %v, alone %v", n, i, got[i], first[i])
			}
		}
	}
}

// TestConv2DVariants judges each variant, and the plain kernels, forwards and backwards.
func TestConv2DVariants(t *testing.T) {
	dev := devicetest.Open(t)
	devicetest.NoLeaks(t, dev)
	for _, name := range append(variantsOf(convForward), "looked_up") {
		for i, c := range []struct{ in, out, kernel, pad, dilation, height, width int }{{3, 9, 3, 1, 1, 7, 8}, {2, 5, 3, 2, 2, 6, 7}} {
			if i > 0 && !devicetest.Full() {
				break
			}
			l := NewConv2D(c.in, c.out, c.kernel)
			l.Padding, l.Dilation = c.pad, c.dilation
			Initialize(Sequential{l}, 3)
			tape := compute.NewTape(dev, &tapeoption.Switches{Variant: name, Row: 4})
			x := tape.Input("x", compute.F32, 3, c.in, c.height, c.width)
			y := l.Forward(tape, x)
			dy := tape.Input("dy", compute.F32, y.Shape()...)
			tape.SetGrad(y, dy)
			tape.BackwardFromGrads()
			tape.Keep(y)
			tape.Keep(tape.Grad(x))
			tape.Keep(tape.Grad(tape.Param(l.Weight)))
			found, err := devicetest.Verify(tape, func(p *compute.Program) error {
				values := make([]float32, x.Len()+dy.Len())
				for i := range values {
					values[i] = 2*float32(compute.Uniform(compute.RandomBits(6, 0, 0, uint32(i))[0])) - 1
				}
				return errors.Join(p.Write(x, values[:x.Len()]), p.Write(dy, values[x.Len():]))
			})
			devicetest.Check(t, found, err)
			dev.Forget(l.Weight)
			dev.Forget(l.Bias)
		}
	}
}

// registers is the length of a shader's array, in vec4s.
func registers(t *testing.T, k *compute.Kernel, array string) uint32 {
	t.Helper()
	m := regexp.MustCompile(`var<private> ` + array + `: array<(f32|vec4<f32>), (\d+)>`).FindStringSubmatch((*ir.Kernel)(k).Shader().Text)
	if m == nil {
		t.Fatalf("%s has no array %s", k.Name(), array)
	}
	n, _ := strconv.Atoi(m[2])
	if m[1] == "f32" {
		n /= 4
	}
	return uint32(n)
}

// TestConv2DTiles wants tiles inside the shaders' arrays and loops inside the
// budget, whatever the shape.
func TestConv2DTiles(t *testing.T) {
	const budget = 60_000
	for _, s := range [][]int{ // n, c, h, w, k, r, s, stride, padding, dilation
		{128, 1, 28, 28, 8, 5, 5, 1, 0, 1}, {128, 8, 12, 12, 16, 5, 5, 1, 0, 1}, {8, 32, 28, 28, 64, 3, 3, 1, 1, 1},
		{1, 3, 224, 224, 64, 7, 7, 2, 3, 1}, {1_000_003, 1, 8, 8, 1, 3, 3, 1, 0, 1}, {1, 1, 70_000, 5, 1, 3, 3, 1, 0, 1},
		{1, 512, 7, 7, 512, 1, 1, 1, 0, 1}, {2, 1, 200, 200, 3, 1, 99, 1, 0, 1}, {2, 1, 200, 200, 3, 1, 120, 1, 0, 1},
		{2, 4, 300, 300, 3, 11, 11, 4, 2, 1}, {2, 4, 300, 300, 3, 3, 3, 40, 2, 40}, {70_001, 1, 12, 12, 1, 12, 12, 1, 3, 1},
	} {
		t.Run(fmt.Sprint(s), func(t *testing.T) {
			p := convShape(s[:4], []int{s[4], s[1], s[5], s[6]}, s[7], s[8], s[9], 1)
			if y, ok := tiles(p, false); ok {
				if y.Rows < 1 || y.Channels%4 != 0 || y.Channels*y.Rows > registers(t, convTiled, "sum") || y.Rows*y.Quads > registers(t, convTiled, "seen") {
					t.Errorf("tile %+v", y)
				}
				if (y.Shift+(y.S-1)*y.DilationW+3*y.StrideW)/4 >= y.Quads || y.W%4 == 0 && (int32(y.Shift)+y.PadW)%4 != 0 {
					t.Errorf("window %+v", y)
				}
			}
			if w, ok := weightTiles(p, 256, maxProducts); ok {
				if w.R*w.S*((w.Channels+3)/4)*w.Inputs > registers(t, convTiledSplit, "sum") || w.Inputs*w.R*w.Quads > registers(t, convTiledSplit, "seen") {
					t.Errorf("tile of weights %+v", w)
				}
				strips := p.N * ((p.OW + 3) / 4)
				if trips := (strips + w.Splits - 1) / w.Splits * p.OH; trips > budget {
					t.Errorf("%d trips for %+v", trips, w)
				}
			} else if splits := p.splits(); (p.N*p.OH*p.OW+splits-1)/splits > budget {
				t.Errorf("%d splits for %+v", splits, p)
			}
		})
	}
}

// TestTilesFit wants the tiles of every convolution to fit the arrays of the shaders,
// which hold them in registers.
func TestTilesFit(t *testing.T) {
	sums, seen := registers(t, convTiled, "sum"), registers(t, convTiled, "seen")
	subgroup8 := (*compute.Kernel)(ir.Kernels()[slices.IndexFunc(ir.Kernels(), func(k *ir.Kernel) bool { return k.Name() == "conv2d_subgroup.forward" })])
	subgroupSums, subgroupSeen, subgroupWeights := registers(t, subgroup8, "sum"), registers(t, subgroup8, "seen"), registers(t, subgroup8, "weights")
	weightSums, weightSeen := registers(t, convTiledSplit, "sum"), registers(t, convTiledSplit, "seen")
	tiled := 0
	for _, channels := range [][2]int{{1, 1}, {1, 8}, {6, 7}, {3, 5}, {7, 6}, {5, 33}, {16, 16}, {17, 9}, {2, 4}} {
		for r := 1; r <= 11; r++ {
			for s := 1; s <= 11; s++ {
				for _, stride := range []int{1, 2, 3, 9} {
					for _, w := range []int{33, 64} {
						p := convShape([]int{2, channels[0], 30, w}, []int{channels[1], channels[0], r, s}, stride, r/2, 1+stride%2, 1)
						if a, ok := tiles(p, false); ok {
							tiled++
							if a.Channels*a.Rows > sums || a.Rows*a.Quads > seen || a.Rows < 1 {
								t.Errorf("%+v: channels %d, rows %d, quads %d: want products of at most %d and %d", p, a.Channels, a.Rows, a.Quads, sums, seen)
							}
						}
						if a, ok := subgroupTile(p, false, 800); ok {
							tiled++
							if a.Channels*a.Rows > subgroupSums || a.Rows*a.Quads > subgroupSeen || (a.S*a.Channels+15)/16 > subgroupWeights || a.Rows*a.S > registers(t, subgroup8, "met") || a.S > registers(t, subgroup8, "tap") || a.Rows < 1 {
								t.Errorf("%+v: channels %d, rows %d, quads %d: want products of at most %d, %d and %d", p, a.Channels, a.Rows, a.Quads, subgroupSums, subgroupSeen, subgroupWeights)
							}
						}
						if a, ok := weightTiles(p, 256, maxProducts); ok {
							tiled++
							if (a.Channels+3)/4*a.Inputs*p.R*p.S > weightSums || a.Inputs*p.R*a.Quads > weightSeen || a.Inputs < 1 || a.Channels < 1 {
								t.Errorf("%+v: channels %d, inputs %d, quads %d: want products of at most %d and %d", p, a.Channels, a.Inputs, a.Quads, weightSums, weightSeen)
							}
						}
					}
				}
			}
		}
	}
	if tiled < 1000 {
		t.Errorf("%d shapes are tiled, want most", tiled)
	}
}

// TestConv2DChannels runs channels that do not fill the quads of a tile.
func TestConv2DChannels(t *testing.T) {
	for _, channels := range [][2]int{{6, 7}, {7, 6}, {3, 5}, {17, 9}} {
		l := NewConv2D(channels[0], channels[1], 3)
		Initialize(l, 1)
		layertest.Run(t, l, layertest.Shape(2, channels[0], 5, 6))
	}
}
