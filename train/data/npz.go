package data

import (
	"fmt"
	"slices"
)

// LoadNPZ reads a training and a test set from an .npz file with the arrays x_train,
// y_train, x_test and y_test, as Keras has them, or x and y, which are parted by the
// fraction and the seed (see Split); other arrays are left alone. Inputs are, without the
// first size, their number:
//
//	uint8 (height, width) or (channels, height, width)    images of bytes
//	uint8, float32 or float64 of other sizes               numbers
//	bool                                                   0 and 1
//	other whole numbers                                    indices, of tokens
//
// Images (height, width, channels) of 1, 3 or 4 channels and more than 4 pixels in height,
// as Keras has them, become (channels, height, width); so do floats of such sizes. y is
// whole numbers (n) or (n, 1), classes from 0 on, or floats (n) or (n, targets). LoadNPZ
// returns an error, with the file and the array, where one is missing or damaged, inputs
// and targets differ in number, or the two sets in shape.
func LoadNPZ(path string, fraction float64, seed uint32) (train, test Dataset, err error) {
	arrays, err := ReadNPZFile(path, "x", "y", "x_train", "y_train", "x_test", "y_test")
	if err != nil {
		return nil, nil, err
	}
	if arrays["x"] != nil {
		whole, err := arrays["x"].dataset(path+": x, y", arrays["y"])
		if err != nil {
			return nil, nil, err
		}
		return Split(whole, fraction, seed)
	}
	first, err := arrays["x_train"].dataset(path+": x_train, y_train", arrays["y_train"])
	if err != nil {
		return nil, nil, err
	}
	second, err := arrays["x_test"].dataset(path+": x_test, y_test", arrays["y_test"])
	if err != nil {
		return nil, nil, err
	}
	if n := max(len(first.About.Classes), len(second.About.Classes)); n > 0 && first.About.Targets+second.About.Targets == 0 {
		first.About.Classes, second.About.Classes = numbers(n), numbers(n)
	}
	return first, second, first.About.Fits(second.About)
}

// dataset makes a set of inputs and their targets.
func (x *NPY) dataset(name string, y *NPY) (*Arrays, error) {
	if x == nil || y == nil {
		return nil, fmt.Errorf("data: LoadNPZ: %s: an array is missing, want x_train, y_train, x_test and y_test, or x and y", name)
	}
	if len(x.Shape) < 2 || len(y.Shape) < 1 || len(y.Shape) > 2 || x.Shape[0] != y.Shape[0] || x.Shape[0] == 0 {
		return nil, fmt.Errorf("data: LoadNPZ: %s: sizes %v and %v, want (n, ...) and (n) or (n, targets), of 1 example or more", name, x.Shape, y.Shape)
	}
	a := &Arrays{About: Spec{Name: name, Shape: slices.Clone(x.Shape[1:])}, All: Batch{Rows: x.Shape[0]}}
	if s := a.About.Shape; len(s) == 2 {
		a.About.Shape = []int{1, s[0], s[1]}
	}
	switch {
	case x.Type == "|i1":
		a.About.DType, a.About.Shape = Uint32, slices.Clone(x.Shape[1:])
		for _, v := range x.Bytes {
			a.All.Ints = append(a.All.Ints, uint32(v))
		}
	case x.Type == "|b1":
		a.About.DType = Float32
		for _, v := range x.Bytes {
			a.All.Floats = append(a.All.Floats, float32(min(v, 1)))
		}
	case x.Bytes != nil:
		a.All.Bytes = x.Bytes
	case x.Floats != nil:
		a.About.DType, a.All.Floats = Float32, x.Floats
	default:
		a.About.DType, a.About.Shape, a.All.Ints = Uint32, slices.Clone(x.Shape[1:]), x.Ints
	}
	if s := a.About.Shape; a.About.DType != Uint32 && len(s) == 3 && s[0] > 4 && (s[2] == 1 || s[2] == 3 || s[2] == 4) {
		channelsFirst(a.All.Bytes, s[0]*s[1], s[2])
		channelsFirst(a.All.Floats, s[0]*s[1], s[2])
		a.About.Shape = []int{s[2], s[0], s[1]}
	}
	if y.Floats != nil {
		a.All.Targets, a.About.Targets = y.Floats, len(y.Floats)/a.All.Rows
		return a, a.Check()
	}
	for _, v := range y.Bytes {
		a.All.Labels = append(a.All.Labels, uint32(v))
	}
	a.All.Labels = append(a.All.Labels, y.Ints...)
	if len(a.All.Labels) != a.All.Rows {
		return nil, fmt.Errorf("data: LoadNPZ: %s: labels of sizes %v, want (%d)", name, y.Shape, a.All.Rows)
	}
	const most = 1 << 16
	top := slices.Max(a.All.Labels)
	if top >= most {
		return nil, fmt.Errorf("data: LoadNPZ: %s: label %d, want below %d", name, top, most)
	}
	a.About.Classes = numbers(int(top) + 1)
	return a, a.Check()
}

// channelsFirst puts the planes of images one after the other, whose pixels have one
// number of each channel.
func channelsFirst[T any](images []T, pixels, channels int) {
	last := make([]T, pixels*channels)
	for image := range slices.Chunk(images, len(last)) {
		copy(last, image)
		for i := range image {
			image[i] = last[i%pixels*channels+i/pixels]
		}
	}
}
