package data

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Terms makes a row of a term-document matrix of a text: a number for each token of a
// vocabulary but the first two. Other tokens are left out. With counts it is how often
// the token comes, n(t). With tf-idf it is
//
//	x(t) = n(t) * idf(t),  idf(t) = ln((1 + documents) / (1 + documents with t)) + 1
//
// divided by the square root of the sum of the squares of the row, as TfidfVectorizer of
// scikit-learn makes it where it is told nothing else (smooth_idf, norm l2); a text of
// no known token is a row of zeros.
type Terms struct {
	Vocabulary *Vocabulary
	IDF        []float32 // idf of each token but the first two; nil where rows are counts
}

// CountTerms is for rows of counts.
func CountTerms(v *Vocabulary) *Terms { return &Terms{Vocabulary: v} }

// TFIDF is for rows of tf-idf, with the idf of the tokens in the documents.
func TFIDF(v *Vocabulary, documents []Document) *Terms {
	with := make([]int, v.Len()-2)
	seen := make([]int, v.Len()-2) // the last document that a token was found in, from 1
	for i, d := range documents {
		for _, token := range Tokenize(d.Text) {
			if id := int(v.ID(token)) - 2; id >= 0 && seen[id] != i+1 {
				seen[id] = i + 1
				with[id]++
			}
		}
	}
	t := &Terms{Vocabulary: v}
	for _, n := range with {
		t.IDF = append(t.IDF, float32(math.Log(float64(1+len(documents))/float64(1+n))+1))
	}
	return t
}

// Width is the number of terms of a row.
func (t *Terms) Width() int { return t.Vocabulary.Len() - 2 }

// Row is the row of a text.
func (t *Terms) Row(text string) []float32 {
	row := make([]float32, t.Width())
	for _, token := range Tokenize(text) {
		if id := int(t.Vocabulary.ID(token)) - 2; id >= 0 {
			row[id]++
		}
	}
	if t.IDF == nil {
		return row
	}
	sum := 0.0
	for i := range row {
		x := float64(row[i]) * float64(t.IDF[i])
		sum += x * x
	}
	if sum == 0 {
		return row
	}
	norm := math.Sqrt(sum)
	for i := range row {
		row[i] = float32(float64(row[i]) * float64(t.IDF[i]) / norm)
	}
	return row
}

// FormatIDF is IDF as text, numbers with spaces between them; "" for counts.
func (t *Terms) FormatIDF() string {
	var words []string
	for _, v := range t.IDF {
		words = append(words, strconv.FormatFloat(float64(v), 'g', -1, 32))
	}
	return strings.Join(words, " ")
}

// ParseTerms is the Terms of a vocabulary and what FormatIDF made, bit for bit. It
// returns an error unless there is no number or a positive one for each term.
func ParseTerms(v *Vocabulary, idf string) (*Terms, error) {
	t := CountTerms(v)
	for i, word := range strings.Fields(idf) {
		x, err := strconv.ParseFloat(word, 32)
		if err != nil || !(x > 0) || math.IsInf(x, 0) {
			return nil, fmt.Errorf("data: ParseTerms: number %d is %q, want a positive one", i, word)
		}
		t.IDF = append(t.IDF, float32(x))
	}
	if t.IDF != nil && len(t.IDF) != t.Width() {
		return nil, fmt.Errorf("data: ParseTerms: %d numbers for %d terms", len(t.IDF), t.Width())
	}
	return t, nil
}
