package data

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// Document is a text and its class.
type Document struct {
	Text  string
	Label int // index into Classes
}

// Texts is documents with the names of their classes.
type Texts struct {
	Name      string
	Classes   []string
	Documents []Document
}

// ReadTexts reads documents of classes from a folder (os.DirFS makes one of a path):
//
//	train/CLASS.txt  a document a line
//	test/CLASS.txt   likewise, with the same classes
//
// The classes are in the order of their names. It returns an error, with the file and
// the line, of a class that only one half has, an empty line, text that is not UTF-8,
// and where there is no file.
func ReadTexts(dir fs.FS, name string) (train, test *Texts, err error) {
	train, test = &Texts{Name: name + " train"}, &Texts{Name: name + " test"}
	for _, of := range []struct {
		half string
		to   *Texts
	}{{"train", train}, {"test", test}} {
		half, to := of.half, of.to
		files, err := fs.Glob(dir, half+"/*.txt")
		if err != nil {
			return nil, nil, fmt.Errorf("data: ReadTexts: %s: %w", name, err)
		}
		if len(files) == 0 {
			return nil, nil, fmt.Errorf("data: ReadTexts: %s: no file %s/CLASS.txt: %w", name, half, fs.ErrNotExist)
		}
		slices.Sort(files)
		for i, file := range files {
			to.Classes = append(to.Classes, strings.TrimSuffix(path.Base(file), ".txt"))
			text, err := fs.ReadFile(dir, file)
			if err != nil {
				return nil, nil, fmt.Errorf("data: ReadTexts: %s: %w", name, err)
			}
			line := 0
			for text := range strings.Lines(string(text)) {
				line++
				text = strings.TrimSpace(text)
				if text == "" || !utf8.ValidString(text) {
					return nil, nil, fmt.Errorf("data: ReadTexts: %s: %s:%d is empty or no UTF-8, want a document", name, file, line)
				}
				to.Documents = append(to.Documents, Document{text, i})
			}
			if line == 0 {
				return nil, nil, fmt.Errorf("data: ReadTexts: %s: %s is empty, want a document a line", name, file)
			}
		}
	}
	for i, class := range append(slices.Clone(test.Classes), train.Classes...) {
		half := map[bool]string{true: "test", false: "train"}[i < len(test.Classes)]
		if !slices.Contains(train.Classes, class) || !slices.Contains(test.Classes, class) {
			return nil, nil, fmt.Errorf("data: ReadTexts: %s: %s/%s.txt has no counterpart in the other half, want the same classes in train and test", name, half, class)
		}
	}
	return train, test, nil
}

//go:embed corpus/train/*.txt corpus/test/*.txt
var corpus embed.FS

// Topics is a small corpus of short texts on five topics, written for Pumice: 500 to
// learn from and 125 to test with, which share no sentence. Its README says how it was
// made.
func Topics() (train, test *Texts) {
	dir, err := fs.Sub(corpus, "corpus")
	if err == nil {
		train, test, err = ReadTexts(dir, "topics")
	}
	if err != nil {
		panic(err) // what is linked in was tested
	}
	return train, test
}

// Terms is the term-document matrix of the documents: a data set of a row for each. Rows
// are made when they are asked for: a matrix of all may be far larger than the texts.
func (x *Texts) Terms(t *Terms) Dataset { return &termRows{x, t} }

// termRows is the rows of terms of documents.
type termRows struct {
	of    *Texts
	terms *Terms
}

func (r *termRows) Len() int { return len(r.of.Documents) }

func (r *termRows) Spec() Spec {
	return Spec{Name: r.of.Name, Shape: []int{r.terms.Width()}, DType: Float32, Classes: r.of.Classes}
}

func (r *termRows) Batches(order iter.Seq[int], batch int) iter.Seq2[*Batch, error] {
	return batches(r.of.Name, r.Len(), order, batch, func(b *Batch, i int) error {
		d := r.of.Documents[i]
		b.Floats, b.Labels = append(b.Floats, r.terms.Row(d.Text)...), append(b.Labels, uint32(d.Label))
		return nil
	})
}

// IDs is the data set of the indices of each document's first length tokens, padded
// where there are fewer (see Vocabulary.IDs). It returns an error where length is not
// positive.
func (x *Texts) IDs(v *Vocabulary, length int) (*Arrays, error) {
	if length < 1 {
		return nil, errors.New("data: IDs: documents of no tokens, want a length of 1 or more")
	}
	a := &Arrays{About: Spec{Name: x.Name, Shape: []int{length}, DType: Uint32, Classes: x.Classes}, All: Batch{Rows: len(x.Documents)}}
	for _, d := range x.Documents {
		a.All.Ints, a.All.Labels = append(a.All.Ints, v.IDs(d.Text, length)...), append(a.All.Labels, uint32(d.Label))
	}
	return a, nil
}
