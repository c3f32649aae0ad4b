package bench

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/internal/compiler"
	"github.com/pumice-ml/pumice/internal/tune"
)

// Tuned is a choice that a row's operation was compiled with.
type Tuned struct {
	Row  string `json:"row"`
	From string `json:"from"` // measured, or cache: by an earlier process
	tune.Choice
}

// Tune turns tuning on for the device, compiles rows' operations, and returns the choices
// made for them. One that an earlier row has made is not returned again.
func Tune(dev *compute.Device, names ...string) ([]Tuned, error) {
	dev.Tune(true)
	var all []Tuned
	for _, name := range names {
		before := len((*compiler.Device)(dev).Machine().Choices())
		c, err := Open(dev, name)
		if err != nil {
			return nil, err
		}
		if err := c.Close(); err != nil {
			return nil, err
		}
		for _, choice := range (*compiler.Device)(dev).Machine().Choices()[before:] {
			from := "measured"
			if choice.Cached {
				from = "cache"
			}
			all = append(all, Tuned{name, from, choice})
		}
	}
	return all, nil
}

// writeTuned writes choices as a table each, times in microseconds. The chosen variant
// has a star.
func writeTuned(out io.Writer, all []Tuned) error {
	us := func(t time.Duration) string {
		if t == 0 {
			return "-"
		}
		return Short(float64(t) / float64(time.Microsecond))
	}
	if len(all) == 0 {
		_, err := fmt.Fprintln(out, "no kernel had variants to choose from")
		return err
	}
	for _, c := range all {
		fmt.Fprintf(out, "\n%s: %s %s\n", c.Row, c.Kernel, c.Class)
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "  variant\tfloor us\tmedian us\tleast\tmost\tsamples\t")
		for _, x := range c.Candidates {
			mark := " "
			if x.Variant == c.Variant {
				mark = "*"
			}
			fmt.Fprintf(w, "%s %s\t%s\t%s\t%s\t%s\t%d\t%s\n", mark, x.Variant, us(x.Floor), us(x.Median), us(x.Least), us(x.Most), x.Samples, x.Left)
		}
		if err := w.Flush(); err != nil {
			return err
		}
		fmt.Fprintf(out, "  %s (%s): %s\n", c.Variant, c.From, c.Reason)
	}
	return nil
}
