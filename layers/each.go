package layers

import (
	"iter"
	"strconv"
	"strings"
)

// Each yields the layers that a model runs one after another, those of a Sequential inside
// another in its place, each with its place and what it is: "3.0 Conv2D(8, 32, 5x5)". A
// model that is no Sequential is one layer, without a place.
func Each(model Layer) iter.Seq2[string, Layer] {
	return func(yield func(string, Layer) bool) { each("", model, yield) }
}

// each reports whether yield wants more.
func each(place string, l Layer, yield func(string, Layer) bool) bool {
	s, ok := l.(Sequential)
	if !ok {
		return yield(strings.TrimPrefix(place+" "+Describe(l), " "), l)
	}
	for i, inner := range s {
		at := strings.TrimPrefix(place+"."+strconv.Itoa(i), ".")
		if !each(at, inner, yield) {
			return false
		}
	}
	return true
}
