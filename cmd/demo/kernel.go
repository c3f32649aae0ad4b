package main

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	plotdraw "gonum.org/v1/plot/vg/draw"

	"github.com/pumice-ml/pumice/infer/filter"
	"github.com/pumice-ml/pumice/safetensors"
)

func kernelCommand() *cobra.Command {
	var o choices
	var name string
	cmd := &cobra.Command{
		Use:   "kernel [IMAGE]",
		Short: "Slide one convolution kernel over an image",
		Long: `Kernel convolves the red, green and blue of a PNG or JPEG file with a small matrix
on the device, as a convolutional layer does: the first lesson of every course. The
output folder gets kernel.png (before, the matrix, after) and kernel-result.png (the
result in the image's own size). Without a file it draws an image. A file for --filter
holds one row of the matrix on each line, numbers such as -0.5 or 1/9 with spaces or
commas between them; the matrix is a square of odd size, 63 at most.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			file := ""
			if len(args) == 1 {
				file = args[0]
			}
			return o.kernel(cmd.Context(), cmd.OutOrStdout(), name, file)
		},
	}
	o.deviceFlags(cmd.Flags())
	cmd.Flags().StringVar(&o.out, "out", "pumice-run", "folder for the pictures")
	cmd.Flags().StringVar(&name, "filter", "edge", "edge, blur, sharpen, or a file with a matrix of numbers")
	return cmd
}

func (c *choices) kernel(ctx context.Context, out io.Writer, name, file string) error {
	kernel, err := chosenKernel(name)
	if err != nil {
		return err
	}
	before, title := drawn(), "Before: an image of demo's own"
	if file != "" {
		if before, err = decode(file); err != nil {
			return err
		}
		title = "Before: " + filepath.Base(file)
	}
	if err := c.makeFolder(); err != nil {
		return err
	}
	dev, why, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer dev.Close()
	fmt.Fprintln(out, "device:", why)
	r, err := filter.Apply(ctx, dev, kernel, before)
	if err != nil {
		return err
	}
	after := r.Picture()
	path, whole := filepath.Join(c.out, "kernel.png"), filepath.Join(c.out, "kernel-result.png")
	if err := drawKernel(path, title, before, after, kernel); err != nil {
		return err
	}
	if err := safetensors.WriteDurable(whole, func(w io.Writer) error { return png.Encode(w, after) }); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: %dx%d, weights add up to %.4g: %s\n", kernel.Name, kernel.Size, kernel.Size, kernel.Sum(), meaning(kernel))
	fmt.Fprintf(out, "%s\n%s, %dx%d pixels\n", path, whole, r.Width, r.Height)
	return nil
}

// meaning tells what the sum of the weights does to even areas.
func meaning(k filter.Kernel) string {
	if k.Differences() {
		return "even areas become black, and magnitudes of differences are shown"
	}
	if math.Abs(k.Sum()-1) < 1e-6 {
		return "even areas keep their brightness"
	}
	return fmt.Sprintf("even areas become %.4g times as bright", k.Sum())
}

// chosenKernel is what --filter says.
func chosenKernel(name string) (filter.Kernel, error) {
	if k, ok := filter.ByName(name); ok {
		return k, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return filter.Kernel{}, fmt.Errorf("--filter %s: neither edge, blur or sharpen nor a file: %w", name, err)
	}
	defer f.Close()
	k, err := filter.Parse(name, f)
	if err != nil {
		return k, fmt.Errorf("--filter: %w", err)
	}
	k.Name = filepath.Base(name)
	return k, nil
}

// drawn is an image with edges of all directions, even areas and a fine pattern.
func drawn() image.Image {
	const size = 256
	img := image.NewRGBA(image.Rect(0, 0, size, size))
	for y := range size {
		for x := range size {
			c := color.RGBA{uint8(60 + x/4), uint8(80 + y/4), 120, 255}
			switch dx, dy := float64(x-88), float64(y-92); {
			case math.Hypot(dx, dy) < 52:
				c = color.RGBA{230, 159, 0, 255}
			case x > 150 && x < 232 && y > 30 && y < 112:
				c = color.RGBA{0, 114, 178, 255}
			case y > 150 && y < 236 && x > 40 && x < 40+(y-150):
				c = color.RGBA{240, 228, 66, 255}
			case x > 156 && x < 236 && y > 156 && y < 236 && (x/8+y/8)%2 == 0:
				c = color.RGBA{255, 255, 255, 255}
			}
			img.SetRGBA(x, y, c)
		}
	}
	return img
}

// drawKernel writes the image, the matrix and the result side by side.
func drawKernel(path, title string, before, after image.Image, k filter.Kernel) error {
	s := newSheet(15, 5.4)
	s.picture(s.at(0.2, 0.2, 5.2, 5), title, before, false)
	s.matrix(s.at(5.6, 0.2, 4.0, 5), fmt.Sprintf("Kernel %s: weight of each pixel", k.Name), k)
	s.picture(s.at(9.7, 0.2, 5.2, 5), "After: brightness, channel by channel", after, false)
	return s.write(path)
}

// numbersUpTo is the largest kernel whose numbers are written into its squares.
const numbersUpTo = 9

// matrix draws a kernel's weights as squares, from the lowest in dark blue to the highest
// in yellow, and as numbers where there is room.
func (s *sheet) matrix(c plotdraw.Canvas, title string, k filter.Kernel) {
	n := k.Size
	of := span{float64(k.Weights[0]), float64(k.Weights[0])}
	for _, w := range k.Weights {
		of.low, of.high = min(of.low, float64(w)), max(of.high, float64(w))
	}
	if of.low == of.high {
		of.high++
	}
	img := image.NewRGBA(image.Rect(0, 0, n, n))
	for i, w := range k.Weights {
		img.Set(i%n, i/n, of.colour(w))
	}
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, "column, from the pixel", "row, from the pixel"
	p.Title.Padding = vg.Points(4)
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, float64(n), 0, float64(n)
	p.X.Padding, p.Y.Padding = 0, 0
	p.X.Tick.Marker, p.Y.Tick.Marker = offsetTicks{n, false}, offsetTicks{n, true}
	p.Add(plotter.NewImage(scaled(img), 0, 0, float64(n), float64(n)))
	inner := p.DataCanvas(c)
	size := inner.Max.Sub(inner.Min)
	c.Min.Y += max(0, size.Y-size.X)
	p.Draw(c)
	if n > numbersUpTo {
		return
	}
	inner = p.DataCanvas(c)
	style := p.X.Label.TextStyle
	style.XAlign, style.YAlign = plotdraw.XCenter, plotdraw.YCenter
	style.Font.Size = vg.Points(min(14, 60/float64(n)))
	for i, w := range k.Weights {
		style.Color = color.White
		if (float64(w)-of.low)/(of.high-of.low) > 0.6 {
			style.Color = color.Black
		}
		text := fmt.Sprintf("%.3g", w)
		inner.FillText(style, vg.Point{X: inner.X((float64(i%n) + 0.5) / float64(n)), Y: inner.Y(1 - (float64(i/n)+0.5)/float64(n))}, text)
	}
}

// offsetTicks counts rows or columns from the one in the middle.
type offsetTicks struct {
	n      int
	turned bool
}

func (t offsetTicks) Ticks(_, _ float64) (ticks []plot.Tick) {
	step := niceStep(float64(t.n) / 9)
	for i := -(t.n / 2) / step * step; i <= t.n/2; i += step {
		at := float64(t.n)/2 + float64(i)
		if t.turned {
			at = float64(t.n)/2 - float64(i)
		}
		ticks = append(ticks, plot.Tick{Value: at, Label: fmt.Sprint(i)})
	}
	return ticks
}
