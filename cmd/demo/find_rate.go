package main

import (
	"context"
	"fmt"
	"image/color"
	"io"
	"math"
	"path/filepath"

	"github.com/spf13/cobra"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	plotdraw "gonum.org/v1/plot/vg/draw"

	"github.com/pumice-ml/pumice/train"
)

func findRateCommand() *cobra.Command {
	var o trainOptions
	var low, high float64
	var steps int
	cmd := &cobra.Command{
		Use:   "find-rate",
		Short: "Suggest a learning rate",
		Long: `Find-rate trains a new model with a learning rate that grows from step to step, and
suggests the rate at which the loss falls most steeply (Smith 2017). The output folder
gets find-rate.png, the loss over the rate; nothing else there changes. Flags are those
of train, of which --lr, --schedule and --epochs do not matter.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.fewDocuments(cmd.Flags().Changed)
			return o.findRate(cmd.Context(), cmd.OutOrStdout(), low, high, steps)
		},
	}
	f := cmd.Flags()
	o.deviceFlags(f)
	o.dataFlags(f, "")
	f.StringVar(&o.out, "out", defaultOut, "folder for find-rate.png")
	o.dtypeFlag(f, true)
	o.flags(f)
	f.Float64Var(&low, "low", 1e-6, "learning rate of the first step")
	f.Float64Var(&high, "high", 10, "learning rate of the last step; the loss may end it before")
	f.IntVar(&steps, "steps", 140, "steps, 10 or more")
	return cmd
}

func (o *trainOptions) findRate(ctx context.Context, out io.Writer, low, high float64, steps int) error {
	loop, err := o.recipe()
	if err != nil {
		return err
	}
	if err := o.makeFolder(); err != nil {
		return err
	}
	dev, why, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer dev.Close()
	fmt.Fprintln(out, "device:", why)
	trainSet, _, err := o.load(ctx)
	if err != nil {
		return err
	}
	if loop.Model, err = o.untrained(trainSet); err != nil {
		return err
	}
	curve, err := train.FindRate(ctx, dev, loop, trainSet, low, high, steps)
	if err != nil {
		return err
	}
	path := filepath.Join(o.out, "find-rate.png")
	if err := drawRates(path, fmt.Sprintf("Loss over learning rate: %s, %s, batches of %d", o.model, o.optimizer, o.batch), curve); err != nil {
		return err
	}
	last := curve.Points[len(curve.Points)-1].Rate
	ended := "all of them"
	if curve.Diverged {
		ended = fmt.Sprintf("where the loss blew up at %.2g", last)
	}
	fmt.Fprintf(out, "%d of %d steps, %s, in batches of %d\n%s\n", len(curve.Points), steps, ended, o.batch, path)
	if curve.Suggestion == 0 {
		fmt.Fprintf(out, "the loss never fell from %.2g to %.2g: no suggestion; try a wider range\n", low, last)
		return nil
	}
	fmt.Fprintf(out, "suggestion: --lr %.2g\n", curve.Suggestion)
	return nil
}

// drawRates writes the loss over the rate, with the suggestion.
func drawRates(path, title string, c *train.RateCurve) error {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, "learning rate (logarithmic)", "loss of a batch"
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, decades{}
	// What blows up at the end shall not press the rest together.
	first := c.Points[0].Smoothed
	most := 1.6 * first
	var raw, smooth plotter.XYs
	lowest := first
	for _, at := range c.Points {
		lowest = min(lowest, at.Loss)
		if at.Loss <= most {
			raw = append(raw, plotter.XY{X: at.Rate, Y: at.Loss})
		}
		smooth = append(smooth, plotter.XY{X: at.Rate, Y: min(at.Smoothed, most)})
	}
	points, err := plotter.NewScatter(raw)
	if err != nil {
		return fmt.Errorf("find-rate: %w", err)
	}
	points.Color, points.Shape, points.Radius = color.Gray{Y: 120}, plotdraw.CircleGlyph{}, vg.Points(2)
	line, err := plotter.NewLine(smooth)
	if err != nil {
		return fmt.Errorf("find-rate: %w", err)
	}
	line.Color, line.Width = blue, vg.Points(2.5)
	p.Add(plotter.NewGrid(), points, line)
	p.Legend.Add("of one batch", points)
	p.Legend.Add("smoothed", line)
	bottom := min(0, lowest)
	if c.Suggestion > 0 {
		mark, err := plotter.NewLine(plotter.XYs{{X: c.Suggestion, Y: bottom}, {X: c.Suggestion, Y: most}})
		if err != nil {
			return fmt.Errorf("find-rate: %w", err)
		}
		mark.Color, mark.Width, mark.Dashes = orange, vg.Points(2.5), []vg.Length{vg.Points(6), vg.Points(3)}
		p.Add(mark)
		p.Legend.Add(fmt.Sprintf("suggestion: %.2g", c.Suggestion), mark)
	}
	p.Legend.Left, p.Legend.Top = true, false
	p.Legend.Padding, p.Legend.XOffs, p.Legend.YOffs = vg.Points(3), vg.Points(8), vg.Points(8)
	p.X.Min, p.X.Max = c.Points[0].Rate, c.Points[len(c.Points)-1].Rate
	if p.X.Min == p.X.Max { // a logarithmic axis cannot reach down to 0
		p.X.Min, p.X.Max = p.X.Min/2, p.X.Max*2
	}
	p.Y.Min, p.Y.Max = bottom, most
	s := newSheet(8, 5)
	p.Draw(s.at(0.1, 0.1, 7.7, 4.8))
	return s.write(path)
}

// decades marks powers of ten on a logarithmic axis, and 2 to 9 times those without text.
type decades struct{}

func (decades) Ticks(low, high float64) (ticks []plot.Tick) {
	for e := math.Floor(math.Log10(low)); math.Pow(10, e) <= high; e++ {
		for f := 1.0; f < 10; f++ {
			t := plot.Tick{Value: f * math.Pow(10, e)}
			if f == 1 {
				t.Label = fmt.Sprintf("1e%.0f", e)
			}
			if t.Value >= low*(1-1e-9) && t.Value <= high*(1+1e-9) {
				ticks = append(ticks, t)
			}
		}
	}
	return ticks
}
