package filter

import (
	"context"
	"errors"
	"image"
	"image/color"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
)

// speckled is an image of random colours, not at the origin.
func speckled(width, height int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(3, -2, 3+width, height-2))
	for i := range img.Pix {
		img.Pix[i] = byte(compute.RandomBits(1, 2, 0, uint32(i))[0])
		if i%4 == 3 {
			img.Pix[i] = 255
		}
	}
	return img
}

// TestApply compares with the sum of products in float64, with one strip and with more.
func TestApply(t *testing.T) {
	ctx := context.Background()
	skew := Kernel{"skew", 3, []float32{0, 0.5, 0, 0, 0, 0, 0, 0, -0.25}}
	for _, dev := range []*compute.Device{compute.Reference(), devicetest.Open(t)} {
		t.Run(dev.Info().Backend, func(t *testing.T) {
			devicetest.NoLeaks(t, dev)
			for _, c := range []struct {
				kernel        Kernel
				width, height int
			}{
				{Edge, 17, 9}, {Blur, 31, 20}, {Sharpen, 1, 1}, {skew, 5, 1}, {skew, 70001, 33}, {Kernel{"one", 1, []float32{2}}, 4, 4},
			} {
				img := speckled(c.width, c.height)
				r, err := Apply(ctx, dev, c.kernel, img)
				if err != nil {
					t.Fatal(err)
				}
				if r.Height != c.height || r.Width != c.width || len(r.Values) != 3*c.width*c.height {
					t.Fatalf("%s: %d values of %dx%d, want %dx%d", c.kernel.Name, len(r.Values), r.Width, r.Height, c.width, c.height)
				}
				n := c.kernel.Size
				stride := max(1, len(r.Values)/20011) // the long one is sampled
				for i := 0; i < len(r.Values); i += stride {
					channel, y, x := i/(c.width*c.height), i/c.width%c.height, i%c.width
					want, size := 0.0, 0.0
					for k, w := range c.kernel.Weights {
						at := image.Pt(min(max(x+k%n-n/2, 0), c.width-1), min(max(y+k/n-n/2, 0), c.height-1)).Add(img.Rect.Min)
						v := float64(img.Pix[img.PixOffset(at.X, at.Y)+channel]) / 255
						want += v * float64(w)
						size += v * math.Abs(float64(w))
					}
					// Each pixel is rounded once before the sum.
					if off := math.Abs(float64(r.Values[i]) - want); off > compute.Gamma(float64(n*n+2))*size {
						t.Fatalf("%s, %dx%d: value %d is %v, want %v", c.kernel.Name, c.width, c.height, i, r.Values[i], want)
					}
				}
			}
		})
	}
}

func TestPicture(t *testing.T) {
	r := Result{Kernel: Edge, Height: 1, Width: 2, Values: []float32{-0.5, 1.5, 0, -3, 0.2, 1}}
	if got, want := r.Picture().Pix, []byte{128, 0, 51, 255, 255, 255, 255, 255}; !slices.Equal(got, want) {
		t.Errorf("edge: %v, want magnitudes %v", got, want)
	}
	r.Kernel = Sharpen
	if got, want := r.Picture().Pix, []byte{0, 0, 51, 255, 255, 0, 255, 255}; !slices.Equal(got, want) {
		t.Errorf("sharpen: %v, want %v", got, want)
	}
	ninths, err := Parse("ninths", strings.NewReader("-1/9 -1/9 -1/9\n-1/9 8/9 -1/9\n-1/9 -1/9 -1/9"))
	if err != nil || !ninths.Differences() {
		t.Errorf("weights of ninths that add up to 0 are no differences: %v, %v", ninths, err)
	}
}

// TestWhite takes what is transparent for white.
func TestWhite(t *testing.T) {
	dev := compute.Reference()
	defer dev.Close()
	img := image.NewNRGBA(image.Rect(0, 0, 2, 1))
	img.Set(1, 0, color.NRGBA{0, 0, 255, 255})
	r, err := Apply(context.Background(), dev, Kernel{"one", 1, []float32{1}}, img)
	if err != nil || !slices.Equal(r.Values, []float32{1, 0, 1, 0, 1, 1}) {
		t.Errorf("%v, %v", r, err)
	}
}

func TestKernels(t *testing.T) {
	for name, sum := range map[string]float64{"edge": 0, "blur": 1, "sharpen": 1} {
		k, ok := ByName(name)
		if !ok || k.Check() != nil || k.Sum() != sum {
			t.Errorf("%s: %v, %v, sum %v, want %v", name, ok, k.Check(), k.Sum(), sum)
		}
	}
	if _, ok := ByName("emboss"); ok {
		t.Error("there is an emboss")
	}
	got, err := Parse("m.txt", strings.NewReader("# a comment\n\n1, 1/4 ,-2e-1\r\n0\t0 0 # zeros\n+3 .5 4\n\n"))
	if want := []float32{1, 0.25, -0.2, 0, 0, 0, 3, 0.5, 4}; err != nil || got.Size != 3 || !slices.Equal(got.Weights, want) {
		t.Errorf("%+v, %v, want %v", got, err, want)
	}
	for text, want := range map[string]string{
		"":                         "filter: m.txt holds no numbers, want a square matrix",
		"1 2 3\n1 2 3":             "filter: m.txt: 2 rows of 3 numbers, want a square matrix",
		"1 2\n3 4":                 "filter: m.txt: line 1: 2 numbers, want an odd number of them, 1 to 63",
		"1 2 3\n\n1 2":             "filter: m.txt: line 3: 2 numbers, want 3 as in the first row",
		"1\n2":                     "filter: m.txt: line 2: row 2, want 1 rows as there are columns",
		"1 x 3":                    `filter: m.txt: line 1: "x", want a number such as -0.5 or 1/9`,
		"NaN":                      `filter: m.txt: line 1: "NaN", want a number such as -0.5 or 1/9`,
		"1/0":                      `filter: m.txt: line 1: "1/0", want a number such as -0.5 or 1/9`,
		"1e39":                     `filter: m.txt: line 1: "1e39", want a number such as -0.5 or 1/9`,
		strings.Repeat("1 ", 65):   "filter: m.txt: line 1: 65 numbers, want an odd number of them, 1 to 63",
		strings.Repeat("1", 70000): "filter: m.txt: bufio.Scanner: token too long",
	} {
		if _, err := Parse("m.txt", strings.NewReader(text)); err == nil || err.Error() != want {
			t.Errorf("%.20q: got %v, want %s", text, err, want)
		}
	}
}

func TestRefuses(t *testing.T) {
	ctx := context.Background()
	dev := compute.Reference()
	defer dev.Close()
	for want, k := range map[string]Kernel{
		"filter: kernel even: 4 weights for a size of 2, want a square of odd size, 1 to 63":    {"even", 2, make([]float32, 4)},
		"filter: kernel short: 8 weights for a size of 3, want a square of odd size, 1 to 63":   {"short", 3, make([]float32, 8)},
		"filter: kernel bad: row 1, column 1 is +Inf, want a finite number":                     {"bad", 1, []float32{float32(math.Inf(1))}},
		"filter: kernel big: 4225 weights for a size of 65, want a square of odd size, 1 to 63": {"big", 65, make([]float32, 65*65)},
	} {
		if _, err := Apply(ctx, dev, k, speckled(2, 2)); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if _, err := Apply(ctx, dev, Edge, speckled(0, 5)); err == nil || err.Error() != "filter: the image has 0x5 pixels, want 1 or more" {
		t.Errorf("an empty image: %v", err)
	}
	stopped, stop := context.WithCancel(ctx)
	stop()
	if _, err := Apply(stopped, dev, Edge, speckled(2, 2)); !errors.Is(err, context.Canceled) {
		t.Errorf("with a cancelled context: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("1 2 3\n4 5/6 7\n,8\t9 1e3 # end")
	f.Fuzz(func(t *testing.T, text string) {
		if k, err := Parse("f", strings.NewReader(text)); err == nil && k.Check() != nil {
			t.Errorf("%q: %v", text, k.Check())
		}
	})
}
