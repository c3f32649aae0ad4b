package main

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/pumice-ml/pumice/train/data"
)

// idLength is how many tokens of a document a model of token ids reads.
const idLength = 32

// rarest is how often a token must come in the training documents to be in the
// vocabulary.
const rarest = 2

// textual is what a model of text needs to read it: its vocabulary, and what becomes of
// the tokens.
type textual struct {
	features string
	terms    *data.Terms // with an idf for tfidf
	length   int         // of ids
}

// newTextual learns the vocabulary of documents.
func newTextual(features string, documents []data.Document) (*textual, error) {
	v, err := data.NewVocabulary(documents, rarest, 0)
	if err != nil {
		return nil, err
	}
	switch features {
	case "tfidf", "":
		return &textual{features: "tfidf", terms: data.TFIDF(v, documents)}, nil
	case "counts":
		return &textual{features: features, terms: data.CountTerms(v)}, nil
	case "ids":
		return &textual{features: features, terms: data.CountTerms(v), length: idLength}, nil
	}
	return nil, fmt.Errorf("--features %q, want tfidf, counts or ids", features)
}

// vectors are the documents as the model takes them. Where there is none yet, the
// vocabulary is that of the training documents.
func (c *choices) vectors(train, test *data.Texts) (data.Dataset, data.Dataset, error) {
	if c.text == nil {
		var err error
		if c.text, err = newTextual(c.features, train.Documents); err != nil {
			return nil, nil, err
		}
	}
	first, err := c.text.set(train)
	if err != nil {
		return nil, nil, err
	}
	second, err := c.text.set(test)
	return first, second, err
}

func (x *textual) set(texts *data.Texts) (data.Dataset, error) {
	if x.length > 0 {
		return texts.IDs(x.terms.Vocabulary, x.length)
	}
	return texts.Terms(x.terms), nil
}

// example is one text as the model takes it: numbers, or indices. It returns an error of
// a text without any token that the model knows.
func (x *textual) example(text string) (*data.Arrays, error) {
	known := false
	for _, token := range data.Tokenize(text) {
		known = known || x.terms.Vocabulary.ID(token) != 1
	}
	if !known {
		return nil, fmt.Errorf("--text %q: the model knows none of its words", text)
	}
	if x.length > 0 {
		return &data.Arrays{All: data.Batch{Rows: 1, Ints: x.terms.Vocabulary.IDs(text, x.length)}}, nil
	}
	return &data.Arrays{All: data.Batch{Rows: 1, Floats: x.terms.Row(text)}}, nil
}

// notes are what a checkpoint keeps of it; nothing of no text.
func (x *textual) notes() map[string]string {
	if x == nil {
		return nil
	}
	var tokens strings.Builder
	if err := x.terms.Vocabulary.Write(&tokens); err != nil {
		panic(err) // a builder takes everything
	}
	return map[string]string{
		"features": x.features, "vocabulary": tokens.String(), "idf": x.terms.FormatIDF(), "length": strconv.Itoa(x.length),
	}
}

// textFromNotes is what notes made; nil where the notes are of no text.
func textFromNotes(path string, n map[string]string) (*textual, error) {
	if n["features"] == "" {
		return nil, nil
	}
	fail := func(err error) (*textual, error) {
		return nil, fmt.Errorf("checkpoint %s: its notes on text: %w", path, err)
	}
	v, err := data.ReadVocabulary(strings.NewReader(n["vocabulary"]))
	if err != nil {
		return fail(err)
	}
	x := &textual{features: n["features"]}
	if x.terms, err = data.ParseTerms(v, n["idf"]); err != nil {
		return fail(err)
	}
	if x.length, err = strconv.Atoi(n["length"]); err != nil || x.length < 0 || x.length > 4096 || (x.length > 0) != (x.features == "ids") || (x.terms.IDF != nil) != (x.features == "tfidf") {
		return fail(fmt.Errorf("features %q of length %q with %d numbers idf", x.features, n["length"], len(x.terms.IDF)))
	}
	return x, nil
}

// writeVocabulary writes the tokens beside a checkpoint.
func (x *textual) writeVocabulary(dir string) error {
	if x == nil {
		return nil
	}
	return x.terms.Vocabulary.WriteFile(filepath.Join(dir, "vocabulary.txt"))
}
