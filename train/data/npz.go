package data

import (
	"fmt"
	"slices"
)

// LoadNPZ reads a training and a test set from an .npz file with the arrays x_train,
// y_train, x_test and y_test, as Keras has them, or x and y, which are parted by the
// fraction and the seed (see Split). Inputs are, without the first size, their number:
//
//	uint8 (height, width) or (channels, height, width)    images of bytes
//	uint8, float32 or float64 of other sizes               numbers
//	whole numbers of 2 bytes or more                       indices, of tokens
//
// and y is whole numbers (n) or (n, 1), classes from 0 on, or floats (n) or (n,
// targets). It returns an error, with the file and the array, where one is missing or
// damaged, inputs and targets differ in number, or the two sets in shape.
func LoadNPZ(path string, fraction float64, seed uint32) (train, test Dataset, err error) {
	arrays, err := ReadNPZFile(path)
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
	case x.Bytes != nil:
		a.All.Bytes = x.Bytes
	case x.Floats != nil:
		a.About.DType, a.All.Floats = Float32, x.Floats
	default:
		a.About.DType, a.About.Shape, a.All.Ints = Uint32, slices.Clone(x.Shape[1:]), x.Ints
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
