package report

import (
	"image/color"
	"math"
	"slices"
	"testing"
)

// TestScales wants viridis to grow brighter, its ends to be its own, and the
// diverging scale to be light at zero and blue and red at its ends.
func TestScales(t *testing.T) {
	before := -1.0
	for i := range 101 {
		c := Sequential.At(float64(i) / 100)
		light := 0.2126*float64(c.R) + 0.7152*float64(c.G) + 0.0722*float64(c.B)
		if light <= before {
			t.Errorf("at %d%% the light is %v, after %v", i, light, before)
		}
		before = light
	}
	if Sequential.At(0) != (color.NRGBA{68, 1, 84, 255}) || Sequential.At(2) != (color.NRGBA{253, 231, 37, 255}) {
		t.Errorf("ends %v, %v", Sequential.At(0), Sequential.At(2))
	}
	if low, zero, high := Diverging.At(0), Diverging.At(0.5), Diverging.At(1); low.B <= low.R || high.R <= high.B || min(zero.R, zero.G, zero.B) < 200 {
		t.Errorf("ends %v, %v, middle %v", low, high, zero)
	}
}

// TestTiled wants each number at its place, in the colour of the scale.
func TestTiled(t *testing.T) {
	p := tiled(cut([]float32{0, 1, 2, 3, 4, 5, 6, 8, nan, 1, 1, 1}, 2, 2), Sequential)
	if p.Maps != 3 || p.Left != 0 || p.Low != 0 || p.High != 8 {
		t.Fatalf("%+v", p)
	}
	if b := p.Image.Bounds(); b.Dx() != 8 || b.Dy() != 2 {
		t.Fatalf("size %v, want three maps of 2x2 and two lines between them", b)
	}
	for _, c := range []struct {
		x, y int
		want color.Color
	}{
		{0, 0, Sequential.At(0)}, {1, 1, Sequential.At(3.0 / 8)}, {4, 1, Sequential.At(1)}, {6, 0, color.NRGBA{128, 128, 128, 255}}, {2, 0, color.NRGBA{}},
	} {
		if got := p.Image.At(c.x, c.y); got != c.want {
			t.Errorf("at %d, %d: %v, want %v", c.x, c.y, got, c.want)
		}
	}
	if d := tiled(cut([]float32{-1, 3}, 1, 1), Diverging); d.Low != -3 || d.High != 3 {
		t.Errorf("diverging from %v to %v", d.Low, d.High)
	}
	if many := tiled(cut(make([]float32, 100), 1, 1), Sequential); many.Maps != maxMaps || many.Left != 100-maxMaps {
		t.Errorf("%d maps, %d left out", many.Maps, many.Left)
	}
	grey := color.NRGBA{128, 128, 128, 255}
	for _, s := range []Scale{Sequential, Diverging} {
		if none := tiled(cut([]float32{nan, nan}, 1, 1), s); math.IsNaN(none.Low) || math.IsInf(none.High, 0) || none.Image.At(0, 0) != grey {
			t.Errorf("no numbers: from %v to %v in %v, want grey", none.Low, none.High, none.Image.At(0, 0))
		}
		inf := float32(math.Inf(1))
		for _, rest := range []float32{0, 2} {
			p := tiled(cut([]float32{-inf, 0, rest, inf, nan}, 1, 5), s)
			if p.Image.At(0, 0) != s.At(0) || p.Image.At(3, 0) != s.At(1) || p.Image.At(4, 0) != grey || math.IsInf(p.High-p.Low, 0) {
				t.Errorf("infinite numbers beside %v: %v", rest, p.Image)
			}
		}
	}
}

// TestLarge wants pictures of many numbers to be of their means, and no larger than a page
// has room for.
func TestLarge(t *testing.T) {
	x := make([]float32, 3*600*500)
	for i := range x {
		x[i] = float32(i % 3 / 2) // 0, 0, 1
	}
	p := photograph(x, 3, 600, 500)
	if b := p.Image.Bounds(); b.Dx() != 167 || b.Dy() != 200 || p.Shrunk != 3 || p.Size() != ", drawn at 1/3 of its size" {
		t.Errorf("%v at 1/%d", b, p.Shrunk)
	}
	if got := p.Image.At(10, 10); got != (color.NRGBA{85, 85, 85, 255}) { // a third
		t.Errorf("the mean is %v", got)
	}
	if p := photograph(x, 1, 256, 256); p.Shrunk != 0 || p.Size() != "" {
		t.Errorf("256 pixels are drawn at 1/%d", p.Shrunk)
	}
	for _, shape := range [][]int{{64, 224, 224}, {4000, 5}, {3, 70000}, {1 << 20}, {2000, 3}} {
		n := 1
		for _, d := range shape {
			n *= d
		}
		x := make([]float32, n)
		x[0], x[n-1] = -3, 5
		maps := planes(x, shape)
		before := maps[0].height
		p := tiled(maps, Sequential)
		if b := p.Image.Bounds(); b.Dx() > maxSheet || b.Dy() > maxSheet || p.Shrunk < 2 != (len(shape) == 1 && n < 1<<20) || p.Low != -3 || p.High != 5 {
			t.Errorf("%v: %v at 1/%d, from %v to %v", shape, b, p.Shrunk, p.Low, p.High)
		}
		if maps[0].height != before {
			t.Errorf("%v: the maps themselves shrank", shape)
		}
	}
	s := plane{[]float32{1, 3, 10, 5, 7, 20, 2, 4, 8}, 3, 3}.shrunk(2)
	if s.height != 2 || s.width != 2 || !slices.Equal(s.values, []float32{4, 15, 3, 8}) {
		t.Errorf("shrunk to %+v", s)
	}
}

// TestPlanes wants channels as maps, a matrix as one, and a row folded.
func TestPlanes(t *testing.T) {
	for _, c := range []struct {
		shape               []int
		maps, height, width int
	}{{[]int{3, 4, 5}, 3, 4, 5}, {[]int{6, 7}, 1, 6, 7}, {[]int{10}, 1, 1, 10}, {[]int{70}, 1, 3, 32}, {[]int{2, 2, 3, 3}, 4, 3, 3}} {
		n := 1
		for _, d := range c.shape {
			n *= d
		}
		x := make([]float32, n)
		maps := planes(x, c.shape)
		if len(maps) != c.maps || maps[0].height != c.height || maps[0].width != c.width {
			t.Errorf("%v: %d maps of %dx%d, want %d of %dx%d", c.shape, len(maps), maps[0].height, maps[0].width, c.maps, c.height, c.width)
		}
		fills := 0
		for _, m := range maps {
			for _, v := range m.values {
				if v != v {
					fills++
				}
			}
		}
		if want := c.maps*c.height*c.width - n; fills != want {
			t.Errorf("%v: %d numbers are filled up, want %d", c.shape, fills, want)
		}
	}
}

func TestPhotograph(t *testing.T) {
	x := []float32{0, 1, 0.5, 0, 0, 1} // two pixels in red, green, blue
	if got := photograph(x, 3, 1, 2).Image.At(0, 0); got != (color.NRGBA{0, 128, 0, 255}) {
		t.Errorf("RGB: %v", got)
	}
	if got := photograph(x, 1, 1, 2).Image.At(1, 0); got != (color.NRGBA{255, 255, 255, 255}) {
		t.Errorf("grey: %v", got)
	}
	if b := photograph(x, 3, 1, 2).Scaled(5).Bounds(); b.Dx() != 6 || b.Dy() != 3 {
		t.Errorf("scaled to %v, want 6x3", b)
	}
}
