package data_test

import (
	"bytes"
	"fmt"

	"github.com/pumice-ml/pumice/train/data"
)

func ExampleDigits() {
	train, test := data.Digits(data.DigitsOptions{Train: 100, Test: 20})
	fmt.Println(train.Len(), "images to learn from,", test.Len(), "to test with")
	fmt.Printf("%dx%d pixels, classes %v\n", train.Height, train.Width, train.Classes)
	// Output:
	// 100 images to learn from, 20 to test with
	// 28x28 pixels, classes [0 1 2 3 4 5 6 7 8 9]
}

func ExampleReadIDX() {
	file := []byte{0, 0, data.TypeUint8, 1, 0, 0, 0, 3, 7, 2, 1}
	labels, err := data.ReadIDX(bytes.NewReader(file))
	fmt.Println(labels.Dims, labels.Data, err)

	_, err = data.ReadIDX(bytes.NewReader(file[:10]))
	fmt.Println(err)
	// Output:
	// [3] [7 2 1] <nil>
	// data: ReadIDX: offset 8: 2 bytes of data, want 3: unexpected EOF
}
