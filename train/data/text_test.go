package data

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

func TestTokenize(t *testing.T) {
	for text, want := range map[string][]string{
		"":                               nil,
		"  -- ... ":                      nil,
		"The cat's 2nd Life":             {"the", "cat", "s", "2nd", "life"},
		"ÄPFEL, naïve\tСОЛЬ\n水 1½":       {"äpfel", "naïve", "соль", "水", "1½"},
		"e\u0301tude":                    {"e\u0301tude"}, // a letter and a mark
		"one_two-three/four\x00five\xff": {"one", "two", "three", "four", "five"},
	} {
		if got := Tokenize(text); !slices.Equal(got, want) {
			t.Errorf("Tokenize(%q) is %q, want %q", text, got, want)
		}
	}
}

var three = []Document{{"b a b", 0}, {"a c b", 1}, {"D d a!", 1}}

func TestVocabulary(t *testing.T) {
	for _, c := range []struct {
		least, most int
		want        []string
	}{
		{0, 0, []string{Padding, Unknown, "a", "b", "d", "c"}}, {2, 0, []string{Padding, Unknown, "a", "b", "d"}},
		{0, 4, []string{Padding, Unknown, "a", "b"}}, {3, 100, []string{Padding, Unknown, "a", "b"}},
	} {
		v, err := NewVocabulary(three, c.least, c.most)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(v.tokens, c.want) {
			t.Errorf("least %d, most %d: %q, want %q", c.least, c.most, v.tokens, c.want)
		}
	}
	v, err := NewVocabulary(three, 2, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := v.IDs("A <pad> zebra, d", 6), []uint32{2, 1, 1, 4, 0, 0}; !slices.Equal(got, want) {
		t.Errorf("IDs are %v, want %v", got, want)
	}
	if got, want := v.IDs("a b c d", 2), []uint32{2, 3}; !slices.Equal(got, want) {
		t.Errorf("IDs of a long document are %v, want %v", got, want)
	}
	if got := v.ID(Padding); got != 1 {
		t.Errorf("the text %s is token %d, want 1: no text is padding", Padding, got)
	}
	for c, want := range map[[2]int]string{{-1, 0}: "tokens that come -1 times", {0, -1}: "-1 at most", {0, 2}: "2 at most", {9, 0}: "no token that comes 9 times or more in 3 documents"} {
		if _, err := NewVocabulary(three, c[0], c[1]); err == nil || !strings.HasPrefix(err.Error(), "data: NewVocabulary: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("least %d, most %d: got %v, want an error with %q", c[0], c[1], err, want)
		}
	}
}

func TestVocabularyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vocabulary.txt")
	v, err := NewVocabulary(three, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); string(b) != "<pad>\n<unk>\na\nb\nd\nc\n" {
		t.Errorf("the file is %q, %v", b, err)
	}
	again, err := ReadVocabularyFile(path)
	if err != nil || !slices.Equal(again.tokens, v.tokens) {
		t.Errorf("read back %+v, %v; want %+v", again, err, v)
	}
	for text, want := range map[string]string{
		"":                               "0 tokens",
		"<pad>\n<unk>\n":                 "2 tokens",
		"<unk>\n<pad>\na\n":              "line 1",
		"<pad>\na\nb\n":                  "line 2",
		"<pad>\n<unk>\na\na\n":           "line 4 repeats \"a\" of line 3",
		"<pad>\n<unk>\na\n\nb\n":         "line 4",
		"<pad>\n<unk>\nA\n":              "line 3",
		"<pad>\n<unk>\na b\n":            "line 3",
		"<pad>\r\n<unk>\r\na\r\n":        "line 1",
		"<pad>\n<unk>\na\nb":             "line 4, \"b\", has no end",
		"<pad>\n<unk>\na\n<pad>\nb\n":    "line 4",
		"<pad>\n<unk>\nthe\n\xff\nend\n": "line 4",
	} {
		if _, err := ReadVocabulary(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want an error with %q", text, err, want)
		}
	}
}

// TestTFIDF compares with numbers from the formula, written out for three documents:
// idf of a is ln(4/4)+1, of b ln(4/3)+1, of c and d ln(4/2)+1.
func TestTFIDF(t *testing.T) {
	v, err := NewVocabulary(three, 0, 0) // a b d c
	if err != nil {
		t.Fatal(err)
	}
	if got, want := CountTerms(v).Row(three[0].Text), []float32{1, 2, 0, 0}; !slices.Equal(got, want) {
		t.Errorf("counts %v, want %v", got, want)
	}
	terms := TFIDF(v, three)
	b, c := math.Log(4.0/3)+1, math.Log(2)+1
	for i, want := range [][]float64{
		{1 / math.Sqrt(1+4*b*b), 2 * b / math.Sqrt(1+4*b*b), 0, 0},
		{1 / math.Sqrt(1+b*b+c*c), b / math.Sqrt(1+b*b+c*c), 0, c / math.Sqrt(1+b*b+c*c)},
		{1 / math.Sqrt(1+4*c*c), 0, 2 * c / math.Sqrt(1+4*c*c), 0},
	} {
		for j, got := range terms.Row(three[i].Text) {
			if math.Abs(float64(got)-want[j]) > 1e-6 {
				t.Errorf("document %d, term %d: %v, want %v", i, j, got, want[j])
			}
		}
	}
	if got := terms.Row("zebra, yak"); !slices.Equal(got, make([]float32, 4)) {
		t.Errorf("a text of unknown tokens is %v, want zeros", got)
	}
	again, err := ParseTerms(v, terms.FormatIDF())
	if err != nil || !slices.Equal(again.IDF, terms.IDF) {
		t.Errorf("read back %v, %v; want %v", again, err, terms.IDF)
	}
	for _, bad := range []string{"1 2", "1 2 3 x", "1 2 3 0", "1 2 3 NaN", "1 2 3 4 5"} {
		if _, err := ParseTerms(v, bad); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

func TestTopics(t *testing.T) {
	train, test := Topics()
	if len(train.Documents) != 500 || len(test.Documents) != 125 || !slices.Equal(train.Classes, []string{"cooking", "gardening", "music", "space", "sport"}) {
		t.Fatalf("%d and %d documents of %v", len(train.Documents), len(test.Documents), train.Classes)
	}
	count := [2][5]int{}
	seen := map[string]bool{}
	for half, x := range []*Texts{train, test} {
		for _, d := range x.Documents {
			count[half][d.Label]++
			for s := range strings.FieldsFuncSeq(d.Text, func(r rune) bool { return strings.ContainsRune(".!?", r) }) {
				key := strings.Join(Tokenize(s), " ")
				if seen[key] {
					t.Errorf("the sentence %q comes twice", s)
				}
				seen[key] = true
			}
			if n := len(Tokenize(d.Text)); n < 5 || n > 40 {
				t.Errorf("%q has %d tokens, want a short text", d.Text, n)
			}
		}
	}
	if count != [2][5]int{{100, 100, 100, 100, 100}, {25, 25, 25, 25, 25}} {
		t.Errorf("documents of classes %v", count)
	}
	v, err := NewVocabulary(train.Documents, 2, 0)
	if err != nil {
		t.Fatal(err)
	}
	ids, err := test.IDs(v, 24)
	if err != nil {
		t.Fatal(err)
	}
	terms := TFIDF(v, train.Documents)
	for _, a := range []Dataset{train.Terms(terms), test.Terms(CountTerms(v)), ids} {
		if err := a.Spec().Check(); err != nil {
			t.Error(err)
		}
		if b := all(t, a); b.Rows != a.Len() || a.Len() < 125 {
			t.Errorf("%d rows of %d", b.Rows, a.Len())
		}
	}
	for b, err := range train.Terms(terms).Batches(Range(499, 500), 2) {
		if d := train.Documents[499]; err != nil || !slices.Equal(b.Floats, terms.Row(d.Text)) || !slices.Equal(b.Labels, []uint32{uint32(d.Label)}) {
			t.Errorf("the last row is %+v, %v", b, err)
		}
	}
	if _, err := test.IDs(v, 0); err == nil {
		t.Error("documents of length 0: no error")
	}
}

// TestTermsMemory wants rows of many terms to cost what a batch of them holds.
func TestTermsMemory(t *testing.T) {
	tokens := []string{Padding, Unknown}
	for i := range 20_000 {
		tokens = append(tokens, strconv.Itoa(i))
	}
	v, err := numbered(tokens)
	if err != nil {
		t.Fatal(err)
	}
	x := &Texts{Name: "x", Classes: []string{"a"}, Documents: slices.Repeat([]Document{{"7 19999", 0}}, 5000)}
	used := allocated(func() {
		for b, err := range x.Terms(CountTerms(v)).Batches(Range(4998, 5000), 2) {
			if err != nil || len(b.Floats) != 40_000 || b.Floats[7] != 1 || b.Floats[39_999] != 1 {
				t.Errorf("%d numbers, %v", len(b.Floats), err)
			}
		}
	})
	if used > 1<<20 {
		t.Errorf("%d bytes allocated for 2 rows of 80,000", used)
	}
}

// TestReadTextsOrder wants the same error from run to run where both halves have one.
func TestReadTextsOrder(t *testing.T) {
	for range 20 {
		if _, _, err := ReadTexts(fstest.MapFS{}, "t"); err == nil || !strings.Contains(err.Error(), "no file train/CLASS.txt") {
			t.Fatalf("got %v, want the error of the first half", err)
		}
	}
}

func TestReadTexts(t *testing.T) {
	good := fstest.MapFS{
		"train/b.txt": {Data: []byte("one two\nthree\r\n")}, "train/a.txt": {Data: []byte("four\n")},
		"test/a.txt": {Data: []byte("five")}, "test/b.txt": {Data: []byte("six\n")}, "train/notes.md": {Data: []byte("\n")},
	}
	train, test, err := ReadTexts(good, "t")
	if err != nil {
		t.Fatal(err)
	}
	if want := []Document{{"four", 0}, {"one two", 1}, {"three", 1}}; !slices.Equal(train.Documents, want) || len(test.Documents) != 2 {
		t.Errorf("got %+v and %+v", train, test)
	}
	for want, change := range map[string]func(f fstest.MapFS){
		"no file test/CLASS.txt":              func(f fstest.MapFS) { delete(f, "test/a.txt"); delete(f, "test/b.txt") },
		"test/c.txt has no counterpart":       func(f fstest.MapFS) { f["test/c.txt"] = f["test/b.txt"] },
		"train/c.txt has no counterpart":      func(f fstest.MapFS) { f["train/c.txt"] = f["test/b.txt"] },
		"train/b.txt:2 is empty or no UTF-8":  func(f fstest.MapFS) { f["train/b.txt"] = &fstest.MapFile{Data: []byte("one\n \ntwo\n")} },
		"test/a.txt:1 is empty or no UTF-8":   func(f fstest.MapFS) { f["test/a.txt"] = &fstest.MapFile{Data: []byte("\xff\n")} },
		"test/a.txt is empty, want a documen": func(f fstest.MapFS) { f["test/a.txt"] = &fstest.MapFile{} },
	} {
		bad := fstest.MapFS{}
		for name, file := range good {
			bad[name] = file
		}
		change(bad)
		if _, _, err := ReadTexts(bad, "t"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}

func FuzzReadVocabulary(f *testing.F) {
	f.Add([]byte("<pad>\n<unk>\na\nb\n"))
	f.Add([]byte("<pad>\n<unk>\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := ReadVocabulary(bytes.NewReader(b))
		if err != nil {
			return
		}
		var again bytes.Buffer
		if err := v.Write(&again); err != nil || !bytes.Equal(again.Bytes(), b) {
			t.Errorf("%q is written as %q, %v", b, again.Bytes(), err)
		}
	})
}
