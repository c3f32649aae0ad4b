package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train/data"
)

// augmented runs a on images x of a shape, at a step of a clock whose seed is 5.
func augmented(t *testing.T, dev *compute.Device, a Augment, step uint32, x []float32, shape ...int) []float32 {
	t.Helper()
	tape := compute.NewTape(dev)
	tape.Clock = compute.NewParamU32("clock", 2)
	tape.Clock.Ints[0], tape.Clock.Ints[1] = step, 5
	defer dev.Forget(tape.Clock)
	in := tape.Input("x", compute.F32, shape...)
	y, _ := a.Apply(tape, in, nil)
	tape.Keep(y)
	p, err := tape.Compile()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	out, ctx := make([]float32, y.Len()), context.Background()
	if err := errors.Join(p.Write(in, x), p.Run(ctx), p.Read(ctx, y, out)); err != nil {
		t.Fatal(err)
	}
	return out
}

// places are images of two channels: the column and the row of each pixel, counted from
// 1. Where all four neighbours are in the image, interpolation gives the place that a
// pixel came from, since it is linear in both.
func places(batch, height, width int) (x []float32) {
	for range batch {
		for channel := range 2 {
			for i := range height * width {
				x = append(x, float32([]int{i % width, i / width}[channel]+1))
			}
		}
	}
	return x
}

// TestAugmentMaps wants of the map of each image, seen through its own coordinates, what
// a rotation, a scaling, a shear and a shift are known by, amounts in the whole of their
// range, and no other. Entries of matrices are rounded by 2^-17 at most, so that places
// are off by 6e-5 at 8 pixels, and angles by 0.0007 degrees.
func TestAugmentMaps(t *testing.T) {
	const batch, height, width = 200, 21, 17
	const middleX, middleY = (width - 1) / 2, (height - 1) / 2
	type point struct{ x, y float64 }
	for _, c := range []struct {
		name   string
		a      Augment
		amount func(p, s point) (float64, bool) // of the map that takes p, from the middle, to s
		most   float64
	}{
		{"shift x", Augment{Shift: 2}, func(p, s point) (float64, bool) { return p.x - s.x, true }, 2},
		{"shift y", Augment{Shift: 2}, func(p, s point) (float64, bool) { return p.y - s.y, true }, 2},
		{"rotate", Augment{Rotate: 30}, func(p, s point) (float64, bool) {
			turn := math.Remainder(math.Atan2(p.y, p.x)-math.Atan2(s.y, s.x), 2*math.Pi)
			return turn * 180 / math.Pi, math.Abs(math.Hypot(p.x, p.y)-math.Hypot(s.x, s.y)) < 1e-4
		}, 30},
		{"scale", Augment{Scale: 0.25}, func(p, s point) (float64, bool) {
			return math.Hypot(p.x, p.y)/math.Hypot(s.x, s.y) - 1, math.Abs(p.x*s.y-p.y*s.x) < 1e-4
		}, 0.25},
		{"shear", Augment{Shear: 0.5}, func(p, s point) (float64, bool) { return (p.x - s.x) / p.y, math.Abs(p.y-s.y) < 1e-4 }, 0.5},
	} {
		t.Run(c.name, func(t *testing.T) {
			devices(t, func(t *testing.T, dev *compute.Device) {
				y := augmented(t, dev, c.a, 7, places(batch, height, width), batch, 2, height, width)
				var amounts []float64
				for image := range batch {
					var of []float64
					for _, p := range []point{{3, -4}, {-5, 3}, {4, 4}} {
						at := image*2*height*width + (int(p.y)+middleY)*width + int(p.x) + middleX
						s := point{float64(y[at]) - 1 - middleX, float64(y[at+height*width]) - 1 - middleY}
						amount, fits := c.amount(p, s)
						if of = append(of, amount); !fits || math.Abs(amount-of[0]) > 2e-3 || math.Abs(amount) > c.most+1e-3 {
							t.Fatalf("image %d: %v comes from %v: an amount of %v, of the first point %v", image, p, s, amount, of[0])
						}
					}
					amounts = append(amounts, of[0])
				}
				slices.Sort(amounts)
				// Uniform amounts miss the outer tenths with probability 0.9^200 each.
				if low, middle, high := amounts[0]/c.most, amounts[batch/2]/c.most, amounts[batch-1]/c.most; low > -0.8 || high < 0.8 || math.Abs(middle) > 0.3 {
					t.Errorf("amounts of %v to %v times %v, the median %v", low, high, c.most, middle)
				}
			})
		})
	}
}

// TestAugmentExact wants of flips, crops and squares whole pixels of the image, to the bit.
func TestAugmentExact(t *testing.T) {
	const batch, side = 60, 6
	x := places(batch, side, side)
	whole := func(t *testing.T, dev *compute.Device, a Augment, want func(image, column, row int) (fromX, fromY int)) {
		t.Helper()
		y := augmented(t, dev, a, 2, x, batch, 2, side, side)
		for i, got := range y {
			image, channel, row, column := i/(2*side*side), i/(side*side)%2, i/side%side, i%side
			fromX, fromY := want(image, column, row)
			value := float32([]int{fromX, fromY}[channel] + 1)
			if fromX < 0 || fromX >= side || fromY < 0 || fromY >= side {
				value = 0
			}
			if got != value {
				t.Fatalf("%+v: image %d, channel %d at (%d, %d) is %v, want that of (%d, %d)", a, image, channel, column, row, got, fromX, fromY)
			}
		}
	}
	devices(t, func(t *testing.T, dev *compute.Device) {
		whole(t, dev, Augment{FlipX: 1}, func(_, column, row int) (int, int) { return side - 1 - column, row })
		whole(t, dev, Augment{FlipY: 1}, func(_, column, row int) (int, int) { return column, side - 1 - row })
		whole(t, dev, Augment{FlipX: 1, FlipY: 1}, func(_, column, row int) (int, int) { return side - 1 - column, side - 1 - row })

		// Which images are flipped shows in a corner, and the rest follows.
		corner := augmented(t, dev, Augment{FlipX: 0.5}, 2, x, batch, 2, side, side)
		flipped := 0
		whole(t, dev, Augment{FlipX: 0.5}, func(image, column, row int) (int, int) {
			if corner[image*2*side*side] != side {
				return column, row
			}
			flipped++
			return side - 1 - column, row
		})
		if flipped /= 2 * side * side; flipped < batch/5 || flipped > batch*4/5 {
			t.Errorf("%d of %d images are flipped, want about half", flipped, batch)
		}

		// A window of which the pixel (2, 2) of the image, at least, is always seen.
		cropped, seen := augmented(t, dev, Augment{Crop: 2}, 2, x, batch, 2, side, side), map[[2]int]bool{}
		whole(t, dev, Augment{Crop: 2}, func(image, column, row int) (int, int) {
			at := image*2*side*side + 2*side + 2
			dx, dy := int(cropped[at])-1-2, int(cropped[at+side*side])-1-2
			seen[[2]int{dx, dy}] = true
			if dx*dx > 4 || dy*dy > 4 {
				t.Fatalf("image %d moves by (%d, %d), want at most 2", image, dx, dy)
			}
			return column + dx, row + dy
		})
		if len(seen) < 15 {
			t.Errorf("%d of 25 windows are seen in %d images", len(seen), batch)
		}
	})
}

// TestAugmentCutout wants a square of zeros, cut at the edges, and nothing else changed.
func TestAugmentCutout(t *testing.T) {
	const batch, height, width, side = 300, 7, 9, 4
	x := places(batch, height, width)
	devices(t, func(t *testing.T, dev *compute.Device) {
		y := augmented(t, dev, Augment{Cutout: side}, 1, x, batch, 2, height, width)
		firsts := map[[2]int]bool{}
		for image := range batch {
			first, last := [2]int{width, height}, [2]int{-1, -1}
			zeros := 0
			for i := range height * width {
				at := image*2*height*width + i
				if y[at] != y[at+height*width] && (y[at] == 0 || y[at+height*width] == 0) || y[at] != 0 && y[at] != x[at] {
					t.Fatalf("image %d, pixel %d: %v and %v", image, i, y[at], y[at+height*width])
				}
				if y[at] == 0 {
					zeros++
					first, last = [2]int{min(first[0], i%width), min(first[1], i/width)}, [2]int{max(last[0], i%width), max(last[1], i/width)}
				}
			}
			w, h := last[0]-first[0]+1, last[1]-first[1]+1
			// The middle, which a square of 4 has behind two of its pixels, is in the image.
			if zeros != w*h || w < side && first[0] > 0 && last[0] < width-1 || h < side && first[1] > 0 && last[1] < height-1 || w > side || h > side || w < 2 || h < 2 {
				t.Fatalf("image %d: %d zeros from %v to %v", image, zeros, first, last)
			}
			firsts[first] = true
		}
		// The middle is in one of width*height places, of which two rows and columns more
		// than one begin at the edge.
		if want := (width - 2) * (height - 2); len(firsts) < want*9/10 || len(firsts) > want {
			t.Errorf("squares begin at %d places, want nearly all of %d", len(firsts), want)
		}
	})
}

// TestAugmentNoise wants the moments of the sum of eight uniform numbers.
func TestAugmentNoise(t *testing.T) {
	const n, sigma = 40_000, 0.25
	devices(t, func(t *testing.T, dev *compute.Device) {
		y := augmented(t, dev, Augment{Noise: sigma}, 3, slices.Repeat([]float32{0.5}, n), 4, 1, 100, 100)
		var mean, square, fourth float64
		for _, v := range y {
			d := (float64(v) - 0.5) / sigma
			mean, square, fourth = mean+d/n, square+d*d/n, fourth+d*d*d*d/n
		}
		// Five standard errors; the kurtosis of eight uniform numbers is 3 - 1.2/8.
		if math.Abs(mean) > 5/math.Sqrt(n) || math.Abs(square-1) > 5*math.Sqrt(1.85/n) || math.Abs(fourth-2.85) > 5*math.Sqrt(80.0/n) {
			t.Errorf("mean %v, variance %v, fourth moment %v; want 0, 1 and 2.85", mean, square, fourth)
		}
	})
}

// TestAugmentRandom wants other changes in another step and in another image, and the
// same ones, where they are of whole pixels to the bit, on both devices.
func TestAugmentRandom(t *testing.T) {
	const batch, side = 8, 12
	x := places(batch, side, side)
	all := map[string][]float32{}
	devices(t, func(t *testing.T, dev *compute.Device) {
		a := Augment{FlipX: 0.5, FlipY: 0.5, Crop: 3, Cutout: 5}
		first := augmented(t, dev, a, 1, x, batch, 2, side, side)
		if again := augmented(t, dev, a, 1, x, batch, 2, side, side); !slices.Equal(first, again) {
			t.Error("a second run of the step gives other images")
		}
		if other := augmented(t, dev, a, 2, x, batch, 2, side, side); slices.Equal(first, other) {
			t.Error("another step gives the same images")
		}
		if size := 2 * side * side; slices.Equal(first[:size], first[size:2*size]) {
			t.Error("two images of a batch are changed alike")
		}
		all[t.Name()] = first
	})
	if a, b := all[t.Name()+"/reference"], all[t.Name()+"/gpu"]; a == nil || !slices.Equal(a, b) {
		t.Error("the devices draw different changes")
	}
}

// TestAugmentNothing wants a step without augmentation to stay as it was, one launch
// more with it, and no traffic in either.
func TestAugmentNothing(t *testing.T) {
	dev := devicetest.Open(t)
	devicetest.NoLeaks(t, dev)
	ctx := context.Background()
	launches := func(a *Augment) (n int) {
		l := &Loop{Model: small(), Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &AdamW{}, Batch: 16, Seed: 1, Augment: a}
		defer forget(dev, l.Model)
		err := l.Inspect(dev, stripes(160, 1), func(p *compute.Program) error {
			for range 5 {
				if err := p.Run(ctx); err != nil {
					return err
				}
			}
			before := devicetest.Machine(dev).Traffic()
			allocated := testing.AllocsPerRun(20, func() {
				if err := p.Run(ctx); err != nil {
					t.Error(err)
				}
			})
			if after := devicetest.Machine(dev).Traffic(); after != before || allocated != 0 {
				t.Errorf("%+v: steps move %d bytes up and %d down, and allocate %v times; want 0", a, after.Up-before.Up, after.Down-before.Down, allocated)
			}
			steps, err := devicetest.Steps(p)
			n = len(steps)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	none := launches(nil)
	if n := launches(&Augment{}); n != none {
		t.Errorf("an Augment that changes nothing makes %d launches of %d", n, none)
	}
	if n := launches(&Augment{Shift: 2, Rotate: 10, Scale: 0.1, Shear: 0.1, FlipX: 0.5, Crop: 1, Cutout: 3, Noise: 0.1}); n != none+1 {
		t.Errorf("with augmentation a step has %d launches, want one more than %d", n, none)
	}
	if n := launches(&Augment{Mixup: 0.2}); n <= none {
		t.Errorf("with mixup a step has %d launches, without %d", n, none)
	}
}

// TestAugmentRefuses wants errors before training starts.
func TestAugmentRefuses(t *testing.T) {
	dev := compute.Reference()
	defer dev.Close()
	for want, a := range map[string]Augment{
		"train: augment: Shift is -1, want 0 to 4096":                        {Shift: -1},
		"train: augment: Rotate is NaN, want 0 to 180":                       {Rotate: math.NaN()},
		"train: augment: Scale is 1, want 0 to 0.9":                          {Scale: 1},
		"train: augment: FlipX is 1.5, want 0 to 1":                          {FlipX: 1.5},
		"train: augment: Crop is -2, want 0 to 4096":                         {Crop: -2},
		"train: augment: Noise is +Inf, want 0 to 1000":                      {Noise: math.Inf(1)},
		"train: augment: Mixup is -0.5, want 0 for none, or 0.01 to 100":     {Mixup: -0.5},
		"train: augment: Mixup needs a batch of 2 or more, this one is of 1": {Mixup: 0.2},
	} {
		l := Loop{Model: small(), Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &SGD{}, Batch: 1, Augment: &a}
		if _, err := l.Run(context.Background(), dev, stripes(20, 1), stripes(20, 1)); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	rows := data.Spec{Name: "rows", Shape: []int{64}, DType: data.Float32}
	for want, a := range map[string]*Augment{
		"train: augment: rows has float32 inputs of [64], want images (channels, height, width)": {Shift: 1},
		"<nil>": {Mixup: 1},
	} {
		if err := a.fits(4, rows); fmt.Sprint(err) != want {
			t.Errorf("%+v of rows of numbers: got %v, want %s", *a, err, want)
		}
	}
	rows.DType = data.Uint32
	if err := (&Augment{Mixup: 1}).fits(4, rows); err == nil || (&Augment{}).fits(4, rows) != nil {
		t.Error("indices are mixed, or not even left as they are")
	}
}
