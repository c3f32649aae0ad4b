package main

import (
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/infer/explain"
	"github.com/pumice-ml/pumice/train"
	"github.com/pumice-ml/pumice/train/report"
)

// readPNG decodes a picture that a command wrote.
func readPNG(t *testing.T, path string) image.Image {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// writePNG writes a picture for a command.
func writePNG(t *testing.T, path string, img image.Image) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, img); err != nil {
		t.Fatal(err)
	}
}

func TestExplain(t *testing.T) {
	for _, model := range []string{"cnn", "mlp"} {
		t.Run(model, func(t *testing.T) {
			dir := t.TempDir()
			must(t, "train", "--images", "500", "--epochs", "1", "--model", model, "--out", dir)
			predicted := must(t, "predict", "--images", "500", "--out", dir, "--index", "3")
			out := must(t, "explain", "--images", "500", "--out", dir, "--index", "3")
			// The probabilities are those of predict, and the class is the likeliest.
			bars := predicted[strings.Index(predicted, "this is"):]
			if !strings.Contains(out, bars) {
				t.Errorf("explain prints\n%s\nwithout the probabilities of predict\n%s", out, bars)
			}
			if class := strings.Fields(bars)[2]; !strings.Contains(out, "explain.png explains "+class) {
				t.Errorf("explain prints %q, want class %s", out, class)
			}
			if got := strings.Contains(out, "no convolution"); got != (model == "mlp") {
				t.Errorf("explain prints %q", out)
			}
			picture := readPNG(t, filepath.Join(dir, "explain.png"))
			if size := picture.Bounds().Size(); size.X < 1200 || size.Y < 400 || (size.Y > 900) != (model == "cnn") {
				t.Errorf("a picture of %v", size)
			}
			// Yellow, at the top of the scale, is drawn; so is the orange bar.
			for _, want := range []color.RGBA{color.RGBA(report.Sequential.At(1)), orange} {
				if count(picture, want) < 50 {
					t.Errorf("%d pixels of %v", count(picture, want), want)
				}
			}
			other := must(t, "explain", "--images", "500", "--out", dir, "--index", "3", "--class", "9", "--device", "reference")
			if !strings.Contains(other, "explains 9") {
				t.Errorf("explain --class 9 prints %q", other)
			}
			for want, args := range map[string][]string{
				`--class "ten", the model has`:                {"--index", "3", "--class", "ten"},
				"explain wants an image file or --index N":    {},
				"--index 100, the test set has images 0 to 9": {"--index", "100"},
				"image: open nothing.png":                     {"nothing.png"},
			} {
				if _, err := demo(t, append([]string{"explain", "--images", "500", "--out", dir}, args...)...); err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("explain %v: got %v, want %s", args, err, want)
				}
			}
		})
	}
}

// count is how many pixels of a picture have a colour.
func count(img image.Image, c color.RGBA) (n int) {
	b := img.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			if color.RGBAModel.Convert(img.At(x, y)) == c {
				n++
			}
		}
	}
	return n
}

// TestViridis grows brighter, so that readers who see no colours read it too.
func TestViridis(t *testing.T) {
	last := -1.0
	for i := range 256 {
		c := span{0, 255}.colour(float32(i))
		// Relative luminance, of sRGB as if it were linear, grows with the real one.
		y := 0.2126*float64(c.R) + 0.7152*float64(c.G) + 0.0722*float64(c.B)
		if y < last-0.5 {
			t.Errorf("colour %d is darker than the one before: %v after %v", i, y, last)
		}
		last = y
	}
}

// TestNotFinite has numbers that are none where pictures and bars are drawn.
func TestNotFinite(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	grey, top := color.NRGBA{128, 128, 128, 255}, report.Sequential.At(1)
	for _, rest := range [][]float32{{1, 2}, {1, 1}, {1e38, 1e38}, {nan, -inf}} {
		m := explain.Map{Height: 1, Width: 4, Values: append(rest, inf, nan)}
		of := spanOf(m)
		if !finite(of.low) || !finite(of.high) || !(of.low < of.high) {
			t.Errorf("%v: from %v to %v", m.Values, of.low, of.high)
		}
		if img := coloured(m, of); img.RGBAAt(2, 0) != color.RGBA(top) || img.RGBAAt(3, 0) != color.RGBA(grey) {
			t.Errorf("%v is drawn as %v", m.Values, img.Pix)
		}
	}
	for _, p := range []float32{nan, inf, -1} {
		if err := bars(io.Discard, []string{"a", "b"}, []float32{0.5, p}); err == nil || !strings.Contains(err.Error(), "class b the probability") {
			t.Errorf("probability %v: %v", p, err)
		}
	}
	for _, rate := range []float64{1e-6, 1, 3} { // a search that ends at its first step
		path := filepath.Join(t.TempDir(), "rates.png")
		if err := drawRates(path, "one", &train.RateCurve{Points: []train.RatePoint{{Rate: rate, Loss: 2, Smoothed: 2}}}); err != nil {
			t.Error(err)
		}
	}
}

func TestKernel(t *testing.T) {
	dir := t.TempDir()
	matrix, file := filepath.Join(dir, "half.txt"), filepath.Join(dir, "in.png")
	if err := os.WriteFile(matrix, []byte("0 0 0\n1/2 0 0 # the pixel to the left\n0 0 0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	in := image.NewRGBA(image.Rect(0, 0, 5, 3))
	for i := range in.Pix {
		in.Pix[i] = byte(i * 4)
		if i%4 == 3 {
			in.Pix[i] = 255
		}
	}
	writePNG(t, file, in)
	out := must(t, "kernel", file, "--filter", matrix, "--out", dir)
	if !strings.Contains(out, "half.txt: 3x3, weights add up to 0.5: even areas become 0.5 times as bright") || !strings.Contains(out, "5x3 pixels") {
		t.Errorf("kernel prints %q", out)
	}
	result := readPNG(t, filepath.Join(dir, "kernel-result.png"))
	for y := range 3 {
		for x := range 5 {
			left := in.RGBAAt(max(x-1, 0), y)
			want := color.RGBA{(left.R + 1) / 2, (left.G + 1) / 2, (left.B + 1) / 2, 255}
			if got := color.RGBAModel.Convert(result.At(x, y)); got != want {
				t.Errorf("row %d, column %d: %v, want %v", y, x, got, want)
			}
		}
	}
	for _, name := range []string{"edge", "blur", "sharpen"} {
		must(t, "kernel", "--filter", name, "--out", dir, "--device", "reference")
		if size := readPNG(t, filepath.Join(dir, "kernel.png")).Bounds().Size(); size.X < 1000 || size.Y < 400 {
			t.Errorf("%s: a picture of %v", name, size)
		}
		if size := readPNG(t, filepath.Join(dir, "kernel-result.png")).Bounds().Size(); size != image.Pt(256, 256) {
			t.Errorf("%s: a result of %v", name, size)
		}
	}
	if err := os.WriteFile(matrix, []byte("1 2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"--filter emboss: neither edge, blur or sharpen nor a file":       {"--filter", "emboss"},
		"half.txt: line 1: 2 numbers, want an odd number of them":         {"--filter", matrix},
		"half.txt is no PNG or JPEG image":                                {matrix},
		"accepts at most 1 arg(s), received 2":                            {file, file},
		"--out " + file + ": cannot make the folder: mkdir " + file + ":": {"--out", file},
	} {
		if _, err := demo(t, append([]string{"kernel", "--out", dir}, args...)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("kernel %v: got %v, want %s", args, err, want)
		}
	}
}
