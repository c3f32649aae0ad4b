package data_test

import (
	"bytes"
	"fmt"
	"log"
	"strings"

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

func ExampleReadCSV() {
	table, err := data.ReadCSV(strings.NewReader("width,height,kind\n1,2,rose\n3,4,lily\n5,6,rose\n"), "flowers", "flowers.csv", data.CSVOptions{Label: "kind"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(table.Len(), "rows of", table.Columns, "and classes", table.Spec().Classes)

	_, err = data.ReadCSV(strings.NewReader("width,kind\n1,rose\nwide,lily\n"), "flowers", "flowers.csv", data.CSVOptions{})
	fmt.Println(err)
	// Output:
	// 3 rows of [width height] and classes [lily rose]
	// data: flowers.csv:3: column width is "wide", want a finite number
}

func ExampleSplit() {
	digits, _ := data.Digits(data.DigitsOptions{Train: 100, Test: 10})
	train, validation, err := data.Split(digits, 0.2, 1)
	fmt.Println(train.Len(), validation.Len(), err)
	for b, err := range validation.Batches(data.Range(0, validation.Len()), 8) {
		fmt.Println(b.Rows, "images,", len(b.Bytes), "bytes,", err)
	}
	// Output:
	// 80 20 <nil>
	// 8 images, 6272 bytes, <nil>
	// 8 images, 6272 bytes, <nil>
	// 4 images, 3136 bytes, <nil>
}

func ExampleMoments() {
	digits, _ := data.Digits(data.DigitsOptions{Train: 200, Test: 10})
	mean, deviation, err := data.Moments(digits)
	if err != nil {
		log.Fatal(err)
	}
	// As the first layer of a model: layers.NewStandardize(mean, deviation).
	fmt.Printf("mean %.1f, deviation %.1f\n", mean[0], deviation[0])
	// Output: mean 0.1, deviation 0.3
}

func ExampleTFIDF() {
	documents := []data.Document{{Text: "The cat sat."}, {Text: "The dog sat down."}, {Text: "A cat!"}}
	v, err := data.NewVocabulary(documents, 1, 0)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(data.CountTerms(v).Row("the cat and the dog"))
	fmt.Printf("%.2f\n", data.TFIDF(v, documents).Row("the cat and the dog"))
	fmt.Println(v.IDs("the cat and the dog", 7))
	// Output:
	// [1 0 2 0 1 0]
	// [0.39 0.00 0.77 0.00 0.51 0.00]
	// [4 2 1 4 6 0 0]
}
