// Package data reads what models are trained on: images from folders and IDX files,
// MNIST from its public mirrors, tables, arrays of NumPy, and text; and it draws a set of
// digits that needs no file at all.
//
// A [Dataset] is examples of one shape and type with their classes, or with numbers to
// predict; a training loop takes any. [Split] parts one, [Moments] measures it.
//
//	images    Digits, MNIST, LoadDir (IDX), LoadFolder (PNG and JPEG), LoadNPZ
//	numbers   ReadCSV, LoadNPZ, or Arrays of one's own
//	text      Topics, ReadTexts; then Texts.Terms (TFIDF, CountTerms) or Texts.IDs
//
// A [Set] is images with labels, kept as bytes: a quarter of the memory of
// float32, and exactly what the files hold.
//
//	train, test := data.Digits(data.DigitsOptions{})
//	fmt.Println(train.Len(), test.Len(), train.Classes)
//
// Digits are drawn by integer arithmetic from outlines, so that a seed means
// the same bytes on every platform; a checksum of the default set is pinned by
// a test. What was given up for that: the rasterizer and the random numbers of
// other packages, whose bits may differ between processors.
package data

import (
	"fmt"
	"iter"
	"math"
)

// Set is N images with labels. Pixels holds them one after the other in NCHW
// order, a byte from 0 to 255 per sample; Labels holds one index into Classes
// per image.
type Set struct {
	Name                    string
	Channels, Height, Width int
	Classes                 []string
	Pixels                  []byte
	Labels                  []byte
}

// Len is the number of images.
func (s *Set) Len() int { return len(s.Labels) }

// Spec says that the images are bytes of shape (Channels, Height, Width).
func (s *Set) Spec() Spec {
	return Spec{Name: s.Name, Shape: []int{s.Channels, s.Height, s.Width}, DType: Uint8, Classes: s.Classes}
}

// Batches yields the images and labels of an order.
func (s *Set) Batches(order iter.Seq[int], batch int) iter.Seq2[*Batch, error] {
	return batches(s.Name, s.Len(), order, batch, func(b *Batch, i int) error {
		b.Bytes, b.Labels = append(b.Bytes, s.Image(i)...), append(b.Labels, uint32(s.Labels[i]))
		return nil
	})
}

// Image is the pixels of image i, (Channels, Height, Width), sharing memory
// with the set. It panics if i is not in [0, Len).
func (s *Set) Image(i int) []byte {
	if i < 0 || i >= s.Len() {
		panic(fmt.Sprintf("data: Image: index %d, want [0, %d)", i, s.Len()))
	}
	size := s.Channels * s.Height * s.Width
	return s.Pixels[i*size : (i+1)*size : (i+1)*size]
}

// Slice is the images from first up to, not including, last; it shares memory
// with s. It panics unless 0 <= first <= last <= Len.
func (s *Set) Slice(first, last int) *Set {
	if first < 0 || last < first || last > s.Len() {
		panic(fmt.Sprintf("data: Slice: [%d, %d), want within [0, %d)", first, last, s.Len()))
	}
	part := *s
	size := s.Channels * s.Height * s.Width
	part.Pixels = s.Pixels[first*size : last*size : last*size]
	part.Labels = s.Labels[first:last:last]
	return &part
}

// Check returns an error unless the sizes are positive, Pixels has exactly
// Len*Channels*Height*Width bytes and every label is below len(Classes).
func (s *Set) Check() error {
	if s.Channels < 1 || s.Height < 1 || s.Width < 1 {
		return fmt.Errorf("data: %s: images of %dx%dx%d, want positive sizes", s.Name, s.Channels, s.Height, s.Width)
	}
	want, ok := product(s.Len(), s.Channels, s.Height, s.Width)
	if !ok || len(s.Pixels) != want {
		return fmt.Errorf("data: %s: %d bytes of pixels, want %d images of %dx%dx%d",
			s.Name, len(s.Pixels), s.Len(), s.Channels, s.Height, s.Width)
	}
	for i, label := range s.Labels {
		if int(label) >= len(s.Classes) {
			return fmt.Errorf("data: %s: label %d at index %d, want below %d", s.Name, label, i, len(s.Classes))
		}
	}
	return nil
}

// product multiplies sizes that are not negative; ok is false if the result
// does not fit an int.
func product(sizes ...int) (total int, ok bool) {
	total = 1
	for _, size := range sizes {
		if size == 0 {
			return 0, true
		}
	}
	for _, size := range sizes {
		if total > math.MaxInt/size {
			return 0, false
		}
		total *= size
	}
	return total, true
}
