package data

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode"

	"github.com/pumice-ml/pumice/safetensors"
)

// Tokenize returns the words of a text: its longest runs of letters, marks and digits
// (Unicode L, M and N), in lower case. All else parts them.
func Tokenize(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.IsMark(r)
	})
}

// The first two tokens of every vocabulary.
const (
	Padding = "<pad>" // index 0, behind the end of a short document
	Unknown = "<unk>" // index 1, a token that is not in the vocabulary
)

// Vocabulary numbers tokens. Its file has one token a line.
type Vocabulary struct {
	tokens []string
	ids    map[string]uint32
}

// NewVocabulary numbers the tokens of documents, after [Padding] and [Unknown]: the
// commonest first, in the order of their bytes where they are as common. Those that
// come fewer than least times are left out, and where there are more than most, with
// the first two, the rarest; 0 is no limit.
func NewVocabulary(documents []Document, least, most int) (*Vocabulary, error) {
	if least < 0 || most < 0 || most == 1 || most == 2 {
		return nil, fmt.Errorf("data: NewVocabulary: tokens that come %d times, %d at most, want 0 or more times, and 0 or more than 2 tokens", least, most)
	}
	counts := map[string]int{}
	for _, d := range documents {
		for _, token := range Tokenize(d.Text) {
			counts[token]++
		}
	}
	var tokens []string
	for token, n := range counts {
		if n >= least {
			tokens = append(tokens, token)
		}
	}
	if len(tokens) == 0 {
		return nil, fmt.Errorf("data: NewVocabulary: no token that comes %d times or more in %d documents, want 1 or more", max(least, 1), len(documents))
	}
	slices.SortFunc(tokens, func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	if most > 0 && len(tokens) > most-2 {
		tokens = tokens[:most-2]
	}
	v, err := numbered(append([]string{Padding, Unknown}, tokens...))
	if err != nil {
		return nil, fmt.Errorf("data: NewVocabulary: %w", err)
	}
	return v, nil
}

// numbered is the vocabulary of the tokens in their order, which are checked.
func numbered(tokens []string) (*Vocabulary, error) {
	v := &Vocabulary{tokens: tokens, ids: make(map[string]uint32, len(tokens))}
	for i, token := range tokens {
		want := token
		if special := []string{Padding, Unknown}; i < len(special) {
			want = special[i]
		} else if words := Tokenize(token); len(words) != 1 || words[0] != token {
			return nil, fmt.Errorf("line %d is %q, want one token, as Tokenize makes them", i+1, token)
		}
		if token != want {
			return nil, fmt.Errorf("line %d is %q, want %s", i+1, token, want)
		}
		if first, ok := v.ids[token]; ok {
			return nil, fmt.Errorf("line %d repeats %q of line %d", i+1, token, first+1)
		}
		v.ids[token] = uint32(i)
	}
	if len(tokens) < 3 {
		return nil, fmt.Errorf("%d tokens, want %s, %s and 1 or more", len(tokens), Padding, Unknown)
	}
	return v, nil
}

// ReadVocabulary reads what Write wrote, one token a line. It returns an error, with the
// line, unless the first two are [Padding] and [Unknown], the others are tokens as
// Tokenize makes them, none comes twice, and the last line has an end.
func ReadVocabulary(r io.Reader) (*Vocabulary, error) {
	var tokens []string
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadString('\n')
		if err == io.EOF {
			if line != "" {
				return nil, fmt.Errorf("data: ReadVocabulary: line %d, %q, has no end", len(tokens)+1, line)
			}
			break
		}
		if err != nil {
			return nil, fmt.Errorf("data: ReadVocabulary: line %d: %w", len(tokens)+1, err)
		}
		tokens = append(tokens, strings.TrimSuffix(line, "\n"))
	}
	v, err := numbered(tokens)
	if err != nil {
		return nil, fmt.Errorf("data: ReadVocabulary: %w", err)
	}
	return v, nil
}

// ReadVocabularyFile is ReadVocabulary of a file, which its errors name.
func ReadVocabularyFile(path string) (*Vocabulary, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("data: ReadVocabularyFile: %w", err)
	}
	defer f.Close()
	v, err := ReadVocabulary(f)
	if err != nil {
		return nil, fmt.Errorf("data: %s: %w", path, err)
	}
	return v, nil
}

// Write writes the tokens, one a line.
func (v *Vocabulary) Write(w io.Writer) error {
	_, err := io.WriteString(w, strings.Join(v.tokens, "\n")+"\n")
	return err
}

// WriteFile writes the tokens to a file, which then holds all of them or is what it was.
func (v *Vocabulary) WriteFile(path string) error {
	if err := safetensors.WriteDurable(path, v.Write); err != nil {
		return fmt.Errorf("data: vocabulary: %w", err)
	}
	return nil
}

// Len is the number of tokens, with the first two.
func (v *Vocabulary) Len() int { return len(v.tokens) }

// Token is the token of an index. It panics where there is none.
func (v *Vocabulary) Token(id uint32) string { return v.tokens[id] }

// ID is the index of a token, that of [Unknown] where it is not in the vocabulary.
func (v *Vocabulary) ID(token string) uint32 {
	if id, ok := v.ids[token]; ok && id > 0 {
		return id
	}
	return 1
}

// IDs are the indices of a text's tokens: the first length of them, and [Padding] behind
// the end of a shorter text.
func (v *Vocabulary) IDs(text string, length int) []uint32 {
	ids := make([]uint32, length)
	for i, token := range Tokenize(text) {
		if i == length {
			break
		}
		ids[i] = v.ID(token)
	}
	return ids
}
