package main

import (
	"image"
	"image/color"
	"math"

	"github.com/pumice-ml/pumice/infer/explain"
	"github.com/pumice-ml/pumice/train/report"
)

// blue and orange are told apart by colour-blind readers (Okabe and Ito 2008).
var (
	blue   = color.RGBA{0, 114, 178, 255}
	orange = color.RGBA{230, 159, 0, 255}
)

// span is the range of numbers that colours stand for.
type span struct{ low, high float64 }

// spanOf is the range of the finite numbers of maps, never empty.
func spanOf(maps ...explain.Map) span {
	s := span{math.Inf(1), math.Inf(-1)}
	for _, m := range maps {
		for _, v := range m.Values {
			if x := float64(v); finite(x) {
				s.low, s.high = min(s.low, x), max(s.high, x)
			}
		}
	}
	if s.low > s.high {
		s.low, s.high = 0, 0
	}
	if s.low == s.high {
		s.high = s.low + max(1, math.Abs(s.low))
	}
	return s
}

// colour is that of report.Sequential: grey for NaN, the end of the scale for what is beyond.
func (s span) colour(v float32) color.NRGBA {
	return report.Sequential.At((float64(v) - s.low) / (s.high - s.low))
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// coloured draws a map in colours.
func coloured(m explain.Map, s span) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, m.Width, m.Height))
	for i, v := range m.Values {
		img.Set(i%m.Width, i/m.Width, s.colour(v))
	}
	return img
}

// shown draws pixels (channels, height, width) from 0 to 1: three channels as red, green
// and blue, others as the grey of their mean.
func shown(pixels []float32, channels, height, width int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	plane := height * width
	bright := func(v float32) uint8 { return uint8(min(max(v, 0), 1)*255 + 0.5) }
	for i := range plane {
		c := color.RGBA{A: 255}
		if channels == 3 {
			c.R, c.G, c.B = bright(pixels[i]), bright(pixels[plane+i]), bright(pixels[2*plane+i])
		} else {
			mean := float32(0)
			for k := range channels {
				mean += pixels[k*plane+i] / float32(channels)
			}
			c.R, c.G, c.B = bright(mean), bright(mean), bright(mean)
		}
		img.SetRGBA(i%width, i/width, c)
	}
	return img
}

// overlay lays colours over the grey of an image, three parts to two.
func overlay(over, under *image.RGBA) *image.RGBA {
	img := image.NewRGBA(under.Bounds())
	for i := 0; i < len(img.Pix); i += 4 {
		grey := (float64(under.Pix[i]) + float64(under.Pix[i+1]) + float64(under.Pix[i+2])) / 3
		for c := range 3 {
			img.Pix[i+c] = uint8(0.6*float64(over.Pix[i+c]) + 0.4*grey + 0.5)
		}
		img.Pix[i+3] = 255
	}
	return img
}
