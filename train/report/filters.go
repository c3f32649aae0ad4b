package report

import (
	"fmt"
	"math"

	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train/data"
)

var nan = float32(math.NaN())

// Filters are the weights that meet the pixels first, drawn as pictures.
type Filters struct {
	Layer   string
	Of      string // what a map is
	Shape   []int
	Picture *Picture
}

// FirstFilters draws the weights of the first layer of a model: of a Conv2D a map for
// each output and input channel, of a Linear over all pixels of an image one of the
// image's size for each output and channel. It returns nil where the first layer with
// weights that can be trained is neither.
func FirstFilters(model layers.Layer, s data.Spec) *Filters {
	for name, l := range layers.Each(model) {
		switch l := l.(type) {
		case *layers.Conv2D:
			w := l.Weight
			f := &Filters{Layer: name, Shape: w.Shape, Of: "the kernel of an output channel"}
			if w.Shape[1] > 1 {
				f.Of = fmt.Sprintf("the kernel of an output channel for one of %d input channels", w.Shape[1])
			}
			f.Picture = tiled(cut(w.Data, w.Shape[2], w.Shape[3]), Diverging)
			return f
		case *layers.Linear:
			channels, height, width, ok := image3(s)
			if !ok || l.Weight.Shape[1] != channels*height*width {
				return nil
			}
			return &Filters{
				Layer: name, Shape: l.Weight.Shape, Of: "the weights of an output, each at the place of its pixel",
				Picture: tiled(cut(l.Weight.Data, height, width), Diverging),
			}
		default:
			for _, w := range layers.Params(l) {
				if !w.Frozen { // unlike those of Standardize, by which pixels stay pixels
					return nil
				}
			}
		}
	}
	return nil
}

// cut returns the maps of a size that follow each other in x.
func cut(x []float32, height, width int) (maps []plane) {
	for size := height * width; len(x) >= size; x = x[size:] {
		maps = append(maps, plane{x[:size], height, width})
	}
	return maps
}
