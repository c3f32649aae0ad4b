package safetensors

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// token is a JSON string that has been checked: the bytes between its quotes,
// where the opening quote stands, and its length once escapes are replaced.
type token struct {
	raw  []byte
	at   int
	size int
}

// is reports whether t stands for want, however it is escaped.
func (t token) is(want string) bool {
	if t.size != len(want) {
		return false
	}
	raw := t.raw
	for _, w := range want {
		r, n, _ := char(raw)
		if r != w {
			return false
		}
		raw = raw[n:]
	}
	return true
}

// unquote appends the text that t stands for.
func (t token) unquote(b *strings.Builder) {
	for raw := t.raw; len(raw) > 0; {
		r, n, _ := char(raw)
		b.WriteRune(r)
		raw = raw[n:]
	}
}

// quoted returns what t stands for, for an error.
func (t token) quoted() string {
	var b strings.Builder
	for raw := t.raw; len(raw) > 0 && b.Len() <= clipped; {
		r, n, _ := char(raw)
		b.WriteRune(r)
		raw = raw[n:]
	}
	return quote(b.String())
}

// clipped bounds what an error repeats from a file.
const clipped = 60

func quote(s string) string {
	if len(s) <= clipped {
		return strconv.Quote(s)
	}
	return strconv.Quote(strings.ToValidUTF8(s[:clipped], "")) + "..."
}

// str reads a JSON string.
func (p *parser) str() (token, error) {
	t := token{at: p.i}
	if err := p.expect('"'); err != nil {
		return t, err
	}
	for p.i < len(p.text) {
		if p.text[p.i] == '"' {
			t.raw = p.text[t.at+1 : p.i]
			p.i++
			return t, nil
		}
		r, n, fault := char(p.text[p.i:])
		if n == 0 {
			return t, p.fail(p.i, fault, "a JSON string in UTF-8")
		}
		t.size += utf8.RuneLen(r)
		p.i += n
	}
	return t, p.fail(p.i, p.found(), `'"'`)
}

// char decodes the first character of the inside of a JSON string and returns
// how many bytes it takes there: 0 when it is malformed, which fault explains.
func char(s []byte) (r rune, n int, fault string) {
	switch c := s[0]; {
	case c < ' ':
		return 0, 0, fmt.Sprintf("control character 0x%02x in a string", c)
	case c != '\\':
		r, n = utf8.DecodeRune(s)
		if r == utf8.RuneError && n == 1 {
			return 0, 0, fmt.Sprintf("byte 0x%02x, which is not UTF-8", c)
		}
		return r, n, ""
	case len(s) < 2:
		return 0, 0, "an unfinished escape"
	}
	if i := strings.IndexByte(`"\/bfnrt`, s[1]); i >= 0 {
		return rune("\"\\/\b\f\n\r\t"[i]), 2, ""
	}
	r, ok := hex4(s)
	if !ok {
		return 0, 0, "a bad escape"
	}
	if !utf16.IsSurrogate(r) {
		return r, 6, ""
	}
	low, ok := hex4(s[6:])
	if r = utf16.DecodeRune(r, low); !ok || r == utf8.RuneError {
		return 0, 0, "half a surrogate pair"
	}
	return r, 12, ""
}

// hex4 reads \uXXXX.
func hex4(s []byte) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range s[2:6] {
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= c && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case 'A' <= c && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

// number reads a JSON number that is a whole one of at least 0 and fits an int.
func (p *parser) number() (uint64, error) {
	const want = "a whole number of at least 0 that fits an int"
	at := p.i
	var v uint64
	for ; p.i < len(p.text) && '0' <= p.text[p.i] && p.text[p.i] <= '9'; p.i++ {
		d := uint64(p.text[p.i] - '0')
		if v > (math.MaxInt-d)/10 {
			return 0, p.fail(at, "a number that is too large", want)
		}
		v = 10*v + d
	}
	switch {
	case p.i == at:
		return 0, p.fail(at, p.found(), want)
	case p.text[at] == '0' && p.i > at+1:
		return 0, p.fail(at, "a leading zero", want)
	case p.i < len(p.text) && strings.IndexByte(".eE", p.text[p.i]) >= 0:
		return 0, p.fail(at, "a fraction or an exponent", want)
	}
	return v, nil
}

// more reports whether a member or an element follows in an object or array
// that ends with end, and moves to it.
func (p *parser) more(first bool, end byte) (bool, error) {
	p.space()
	switch {
	case p.i < len(p.text) && p.text[p.i] == end:
		p.i++
		return false, nil
	case first:
		return true, nil
	case p.i == len(p.text) || p.text[p.i] != ',':
		return false, p.fail(p.i, p.found(), fmt.Sprintf("',' or %q", end))
	}
	p.i++
	p.space()
	return true, nil
}

// member reads a key and moves to its value.
func (p *parser) member() (token, error) {
	key, err := p.str()
	if err != nil {
		return key, err
	}
	p.space()
	err = p.expect(':')
	p.space()
	return key, err
}

func (p *parser) expect(c byte) error {
	if p.i == len(p.text) || p.text[p.i] != c {
		return p.fail(p.i, p.found(), fmt.Sprintf("%q", c))
	}
	p.i++
	return nil
}

func (p *parser) space() {
	for p.i < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.i]) >= 0 {
		p.i++
	}
}

// found describes the next byte for an error.
func (p *parser) found() string {
	switch {
	case p.i >= len(p.text):
		return "the end of the header"
	case p.text[p.i] < utf8.RuneSelf:
		return fmt.Sprintf("%q", p.text[p.i])
	}
	return fmt.Sprintf("byte 0x%02x", p.text[p.i])
}

// fail returns an error at text[at]; the header begins at offset 8.
func (p *parser) fail(at int, got, want string) error {
	err := &formatError{offset: 8 + at, got: got, want: want}
	if p.tensorName.raw != nil {
		err.key = p.tensorName.quoted()
	}
	return err
}
