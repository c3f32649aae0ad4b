package layers

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/internal/tapeoption"
)

// convCase is a convolution of n images.
type convCase struct {
	n, in, out, kernel, height, width int
	stride, padding, dilation, groups int
}

// convCases fill no tile, or more than one.
var convCases = []convCase{
	{n: 3, in: 20, out: 133, kernel: 3, height: 7, width: 9, stride: 1, padding: 1, dilation: 1, groups: 1},
	{n: 2, in: 133, out: 9, kernel: 2, height: 7, width: 11, stride: 1, padding: 0, dilation: 1, groups: 1},
	{n: 1, in: 1, out: 1, kernel: 1, height: 1, width: 1, stride: 1, dilation: 1, groups: 1},
	{n: 2, in: 34, out: 14, kernel: 3, height: 11, width: 10, stride: 2, padding: 1, dilation: 1, groups: 2},
	{n: 2, in: 4, out: 5, kernel: 2, height: 5, width: 4, stride: 1, padding: 5, dilation: 2, groups: 1}, // padding wider than the kernel
	{n: 5, in: 7, out: 7, kernel: 3, height: 13, width: 17, stride: 3, padding: 0, dilation: 2, groups: 7},
	{n: 1, in: 3, out: 2, kernel: 5, height: 7, width: 5, stride: 9, padding: 0, dilation: 1, groups: 1}, // most of x is stepped over
}

func (c convCase) params() convParams {
	p := convShape([]int{c.n, c.in, c.height, c.width}, []int{c.out, c.in / c.groups, c.kernel, c.kernel}, c.stride, c.padding, c.dilation, c.groups)
	p.Biased, p.Splits = 1, 3
	return p
}

// input makes an input of t and the values to write to it, the same ones for each of n.
func input(t *compute.Tape, values map[*compute.Tensor][]float32, name string, n int, shape ...int) *compute.Tensor {
	x := t.Input(name, compute.F32, shape...)
	v := make([]float32, x.Len())
	for i := range v {
		v[i] = 2*float32(compute.Uniform(compute.RandomBits(6, uint32(len(values)), 0, uint32(i%(len(v)/n)))[0])) - 1
	}
	values[x] = v
	return x
}

// runTile records the three kernels of a tile.
func (c convCase) runTile(t *compute.Tape, tile convTile) (y, dx *compute.Tensor, values map[*compute.Tensor][]float32) {
	p := c.params()
	values = map[*compute.Tensor][]float32{}
	x, dy := input(t, values, "x", c.n, c.n, c.in, c.height, c.width), input(t, values, "dy", c.n, c.n, c.out, int(p.OH), int(p.OW))
	w, b := input(t, values, "w", 1, c.out, c.in/c.groups, c.kernel, c.kernel), input(t, values, "b", 1, c.out)
	y, dx = t.Zeros(dy.Shape()...), t.Zeros(x.Shape()...)
	part := t.New(int(p.Splits), p.length())
	tile.kernel.Run(p, x, w, w, b, y)
	tile.backwardX.Run(p, w, dy, dx)
	tile.backwardX.Run(p, w, dy, dx)
	tile.split.Run(p, x, dy, dy, part)
	p.Rectified = 1
	tile.kernel.Run(p, x, w, w, b, y)
	for _, z := range []*compute.Tensor{y, dx, part} {
		t.Keep(z)
	}
	return y, dx, values
}

func writeAll(values map[*compute.Tensor][]float32) func(*compute.Program) error {
	return func(p *compute.Program) (err error) {
		for x, v := range values {
			err = errors.Join(err, p.Write(x, v))
		}
		return err
	}
}

// unbaked are the passes left out for kernels that are large, so that drivers compile one
// text for all shapes, and one that adds where it could assign: most of the time of
// these tests is the driver's compiler.
func unbaked() []string {
	if devicetest.Full() {
		return []string{"specialise"}
	}
	return []string{"specialise", "accumulate"}
}

// TestConv2DWorkgroup judges each tile, forwards and backwards, at shapes that do not
// fill it and that fill more than one, in grids that are folded. The params are not baked,
// so that the tile is compiled once for all shapes.
func TestConv2DWorkgroup(t *testing.T) {
	dev := devicetest.Open(t)
	devicetest.NoLeaks(t, dev)
	for _, tile := range convTiles {
		if !devicetest.RunsOn(tile.kernel, dev) {
			continue
		}
		for _, c := range convCases {
			t.Run(fmt.Sprint(tile.name, c), func(t *testing.T) {
				tape := compute.NewTape(dev, &tapeoption.Switches{Row: 4})
				_, _, values := c.runTile(tape, tile)
				found, err := devicetest.Verify(tape, writeAll(values), unbaked()...)
				devicetest.Check(t, found, err)
			})
		}
	}
}

// TestConv2DWorkgroupVariants judges what the variants record, with what goes before and
// behind it, and with baked params.
func TestConv2DWorkgroupVariants(t *testing.T) {
	dev := devicetest.Open(t)
	devicetest.NoLeaks(t, dev)
	grouped := NewConv2DGroups(194, 192, 2, 2, 2)
	grouped.Stride, grouped.Padding = 2, 1
	for name, l := range map[string]*Conv2D{"workgroup128": NewConv2D(100, 97, 3), "workgroup32": grouped} {
		if name == "workgroup128" && !devicetest.Full() {
			continue
		}
		tile := convTiles[slices.IndexFunc(convTiles, func(c convTile) bool { return c.name == name })]
		Initialize(l, 3)
		tape := compute.NewTape(dev, &tapeoption.Switches{Variant: tile.name})
		values := map[*compute.Tensor][]float32{}
		x := input(tape, values, "x", 1, 3, l.Weight.Shape[1]*max(l.Groups, 1), 12, 10)
		y := l.Forward(tape, x)
		tape.SetGrad(y, input(tape, values, "dy", 1, y.Shape()...))
		tape.BackwardFromGrads()
		for _, z := range []*compute.Tensor{y, tape.Grad(x), tape.Grad(tape.Param(l.Weight)), tape.Grad(tape.Param(l.Bias))} {
			tape.Keep(z)
		}
		taken := 0
		for _, d := range devicetest.Lowered(tape) {
			if slices.Contains([]*compute.Kernel{tile.kernel, tile.backwardX, tile.split}, (*compute.Kernel)(d.Kernel)) {
				taken++
			}
		}
		if taken != 3 {
			t.Errorf("%s: %d kernels of the tile, want 3", tile.name, taken)
		}
		found, err := devicetest.Verify(tape, writeAll(values))
		devicetest.Check(t, found, err)
		dev.Forget(l.Weight, l.Bias)
	}
}

// TestConv2DWorkgroupBits wants the bits of an image in y and dx whatever the tile and
// however many images there are.
func TestConv2DWorkgroupBits(t *testing.T) {
	dev := devicetest.Open(t)
	var first [2][]float32
	for i, tile := range convTiles {
		if !devicetest.RunsOn(tile.kernel, dev) {
			continue
		}
		for _, n := range []int{1, 2 + i} {
			c := convCase{n: n, in: 5, out: 18, kernel: 3, height: 6, width: 7, stride: 2, padding: 1, dilation: 1, groups: 1}
			tape := compute.NewTape(dev)
			y, dx, values := c.runTile(tape, tile)
			p, err := tape.Compile(unbaked()...)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(writeAll(values)(p), p.Run(context.Background())); err != nil {
				t.Fatal(err)
			}
			for i, z := range []*compute.Tensor{y, dx} {
				got := make([]float32, z.Len())
				if err := p.Read(context.Background(), z, got); err != nil {
					t.Fatal(err)
				}
				size := z.Len() / n
				if first[i] == nil {
					first[i] = got[:size]
				}
				for image := range n {
					if !slices.EqualFunc(got[image*size:][:size], first[i], func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }) {
						t.Errorf("%s: image %d of %d differs in tensor %d", tile.name, image, n, i)
					}
				}
			}
			p.Close()
		}
	}
}

// TestConv2DOnGPUs wants large tiles where they are many and full, splits that are
// enough work for a GPU, and other kernels where even the lowest tile is half empty.
func TestConv2DOnGPUs(t *testing.T) {
	for _, c := range []struct {
		x, w                   []int
		pad, groups            int
		y, dx, dw, weightSplit int
	}{
		{[]int{64, 256, 28, 28}, []int{256, 256, 3, 3}, 1, 1, 128, 128, 128, 8},  // 2 by 18 tiles of weights
		{[]int{16, 128, 16, 16}, []int{128, 128, 3, 3}, 1, 1, 64, 64, 128, 16},   // 32 tiles of 128, fewer spots than 29 splits are worth
		{[]int{1, 128, 14, 14}, []int{128, 128, 3, 3}, 1, 1, 32, 32, 128, 1},     // few of any
		{[]int{64, 64, 28, 28}, []int{16, 64, 3, 3}, 1, 1, 16, 64, 16, 52},       // 5 tiles
		{[]int{64, 32, 28, 28}, []int{32, 32, 3, 3}, 1, 1, 32, 32, 32, 52},       // as many
		{[]int{64, 1, 28, 28}, []int{8, 1, 5, 5}, 0, 1, 0, 0, 0, 0},              // a small network's first layer
		{[]int{64, 256, 28, 28}, []int{256, 1, 3, 3}, 1, 256, 0, 0, 0, 0},        // a group for each channel
		{[]int{64, 256, 28, 28}, []int{256, 64, 3, 3}, 1, 4, 64, 64, 64, 8},      // 4 by 9 tiles
		{[]int{3000, 64, 56, 56}, []int{64, 64, 1, 1}, 0, 1, 64, 64, 64, 256},    // one tile of weights
		{[]int{1_000_000, 64, 6, 6}, []int{64, 64, 1, 1}, 0, 1, 64, 64, 64, 720}, // as many splits as loops need
		{[]int{64, 3, 224, 224}, []int{64, 3, 7, 7}, 3, 1, 64, 0, 64, 86},        // 3 input channels
		{[]int{64, 3, 224, 224}, []int{96, 3, 7, 7}, 3, 1, 128, 0, 128, 128},     // 96 fill a tile of 128
		{[]int{64, 512, 4, 4}, []int{10, 512, 4, 4}, 0, 1, 0, 64, 0, 0},          // 10 output channels
		{[]int{64, 512, 4, 4}, []int{12, 512, 4, 4}, 0, 1, 16, 64, 16, 1},        // 12 of 16
		{[]int{0, 64, 28, 28}, []int{64, 64, 3, 3}, 1, 1, 32, 32, 64, 1},         // nothing to do
		{[]int{64, 64, 28, 28}, []int{64, 64, 3, 3}, 1, 1, 64, 64, 64, 29},       // 9 tiles
		{[]int{64, 20, 28, 28}, []int{20, 20, 3, 3}, 1, 1, 32, 32, 16, 64},       // 4 tiles
		{[]int{64, 10, 28, 28}, []int{20, 10, 1, 1}, 0, 1, 32, 0, 0, 0},          // 10 taps
	} {
		p := convShape(c.x, c.w, 1, c.pad, 1, c.groups)
		dw, splits := p.ranges()
		y, dx := outputTile(p.K/p.Groups, p.N*p.OH*p.OW, p.Groups), outputTile(p.C/p.Groups, p.N*p.H*p.W, p.Groups)
		if y != c.y || dx != c.dx || dw != c.dw || int(splits) != c.weightSplit {
			t.Errorf("%v by %v: tiles of %d, %d and %d rows, %d splits, want %d, %d, %d, %d", c.x, c.w, y, dx, dw, splits, c.y, c.dx, c.dw, c.weightSplit)
		}
		gpu, processor := p.splitsOn(compute.Info{Type: "discrete"}), p.splitsOn(compute.Info{Type: "software"})
		tiled, ok := weightTiles(p, 256, maxProducts)
		if !ok {
			tiled.Splits = p.splits()
		}
		if dw > 0 && gpu != splits || dw == 0 && gpu == 0 || processor != tiled.Splits {
			t.Errorf("%v by %v: %d splits on a GPU, %d on a processor, want %d and %d", c.x, c.w, gpu, processor, splits, tiled.Splits)
		}
		if p.Splits = splits; dw > 0 && p.part() > longest {
			t.Errorf("%v by %v: splits of %d", c.x, c.w, p.part())
		}
	}
}
