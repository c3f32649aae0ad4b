package wgsl

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Error is what is wrong with a text.
type Error struct {
	Pos
	Message string
}

func (e *Error) Error() string { return fmt.Sprintf("%d:%d: %s", e.Line, e.Column, e.Message) }

type kind uint8

const (
	end kind = iota
	word
	number
	operator
)

// token is a part of a text. The angle brackets of a template list are the operators
// "template<" and "template>".
type token struct {
	kind  kind
	text  string
	start int // in bytes
	pos   Pos
	notes int // comments of the text that stand before it
}

// Token is a word, a number or an operator of a text, and the byte where it starts.
type Token struct {
	Text  string
	Start int
}

// Tokens are all of a text's, without its comments.
func Tokens(text string) ([]Token, error) {
	all, _, err := tokens(text)
	if err != nil {
		return nil, err
	}
	made := make([]Token, 0, len(all))
	for _, t := range all[:len(all)-1] {
		if t.kind == operator {
			t.text = strings.TrimPrefix(t.text, "template")
		}
		made = append(made, Token{t.text, t.start})
	}
	return made, nil
}

// lexer cuts a text into tokens.
type lexer struct {
	text     string
	at       int
	line     int
	lineAt   int          // where the line starts
	seen     int          // a place of the line
	column   int          // of that place
	brackets map[int]bool // places of the angle brackets of template lists
	comments []Comment
}

// pos is a place of the line at hand. It counts on from the last one, for a long line has
// many.
func (l *lexer) pos(at int) Pos {
	if l.column == 0 || l.seen < l.lineAt || l.seen > at {
		l.seen, l.column = l.lineAt, 1
	}
	l.column += utf8.RuneCountInString(l.text[l.seen:at])
	l.seen = at
	return Pos{l.line, l.column}
}

func (l *lexer) fail(at int, format string, args ...any) error {
	return &Error{l.pos(at), fmt.Sprintf(format, args...)}
}

// tokens are all of a text's, the last one of kind end, and its comments.
func tokens(text string) ([]token, []Comment, error) {
	l := &lexer{text: text, line: 1, brackets: templates(text)}
	var all []token
	for {
		t, err := l.next()
		if err != nil {
			return nil, nil, err
		}
		all = append(all, t)
		if t.kind == end {
			return all, l.comments, nil
		}
	}
}

// operators are those of more than one character, the longest first.
var operators = []string{"<<=", ">>=", "->", "&&", "||", "==", "!=", "<=", ">=", "<<", ">>", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "++", "--"}

func (l *lexer) next() (token, error) {
	if err := l.space(); err != nil {
		return token{}, err
	}
	t := token{start: l.at, pos: l.pos(l.at), notes: len(l.comments)}
	if l.at == len(l.text) {
		return t, nil
	}
	rest := l.text[l.at:]
	c := rest[0]
	switch {
	case letter(rest):
		t.kind, t.text = word, rest[:wordLength(rest)]
	case '0' <= c && c <= '9' || c == '.' && len(rest) > 1 && '0' <= rest[1] && rest[1] <= '9':
		n := numberLength(rest)
		if letter(rest[n:]) {
			return t, l.fail(l.at, "got %q, want a number", rest[:n+wordLength(rest[n:])])
		}
		if !validNumber(rest[:n]) {
			return t, l.fail(l.at, "got %q, want a number", rest[:n])
		}
		t.kind, t.text = number, rest[:n]
	case l.brackets[l.at]:
		t.kind, t.text = operator, "template"+rest[:1]
		l.at++
		return t, nil
	default:
		t.kind = operator
		for _, op := range operators {
			if strings.HasPrefix(rest, op) {
				t.text = op
				break
			}
		}
		if t.text == "" {
			if !strings.ContainsRune("(){}[];:,.@=+-*/%&|^!~<>", rune(c)) {
				r, _ := utf8.DecodeRuneInString(rest)
				return t, l.fail(l.at, "got the character %q, which WGSL does not use", r)
			}
			t.text = rest[:1]
		}
	}
	l.at += len(t.text)
	return t, nil
}

// space passes over blanks and comments.
func (l *lexer) space() error {
	for l.at < len(l.text) {
		rest := l.text[l.at:]
		switch {
		case rest[0] == '\n':
			l.at++
			l.line, l.lineAt = l.line+1, l.at
		case rest[0] == ' ', rest[0] == '\t', rest[0] == '\r', rest[0] == '\v', rest[0] == '\f':
			l.at++
		case strings.HasPrefix(rest, "//"):
			n := lineComment(rest)
			l.comments = append(l.comments, Comment{l.pos(l.at), strings.TrimSpace(rest[2:n])})
			l.at += n
		case strings.HasPrefix(rest, "/*"):
			n := blockComment(rest)
			if n < 0 {
				return l.fail(l.at, "a comment that nothing ends")
			}
			l.comments = append(l.comments, Comment{l.pos(l.at), rest[:n]})
			for i := range n {
				if rest[i] == '\n' {
					l.line, l.lineAt = l.line+1, l.at+i+1
				}
			}
			l.at += n
		default:
			return nil
		}
	}
	return nil
}

// lineComment is the length of the comment that a text starts with: to the end of the
// line, for which WGSL has more characters than one (section 3.3).
func lineComment(text string) int {
	if n := strings.IndexAny(text, "\n\v\f\r\u0085\u2028\u2029"); n >= 0 {
		return n
	}
	return len(text)
}

// blockComment is the length of the comment that a text starts with, which may hold
// others, or -1.
func blockComment(text string) int {
	depth := 0
	for i := 0; i+1 < len(text); i++ {
		switch text[i : i+2] {
		case "/*":
			depth++
			i++
		case "*/":
			depth--
			i++
			if depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}

func letter(text string) bool {
	r, _ := utf8.DecodeRuneInString(text)
	return r == '_' || unicode.IsLetter(r) && r != utf8.RuneError
}

func wordLength(text string) int {
	for i, r := range text {
		if r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.Is(unicode.Mn, r) {
			return i
		}
	}
	return len(text)
}

// numberLength is the length of the number that a text starts with: decimal or
// hexadecimal, whole or not, with its suffix.
func numberLength(text string) int {
	i := 0
	digits := func(set string) {
		for i < len(text) && strings.IndexByte(set, text[i]) >= 0 {
			i++
		}
	}
	hex := strings.HasPrefix(text, "0x") || strings.HasPrefix(text, "0X")
	set, exponent := "0123456789", "eE"
	if hex {
		i, set, exponent = 2, "0123456789abcdefABCDEF", "pP"
	}
	digits(set)
	if i < len(text) && text[i] == '.' {
		i++
		digits(set)
	}
	if i < len(text) && strings.IndexByte(exponent, text[i]) >= 0 {
		from := i
		i++
		if i < len(text) && (text[i] == '+' || text[i] == '-') {
			i++
		}
		if first := i; true {
			if digits("0123456789"); i == first {
				i = from
			}
		}
	}
	if i < len(text) && strings.IndexByte("iufh", text[i]) >= 0 {
		i++
	}
	return i
}

// validNumber reports whether what numberLength has measured is a number: digits on one
// side of the point, no leading zeros, and a suffix that fits (section 3.5.2).
func validNumber(text string) bool {
	body, exponent := text, "eE"
	hex := strings.HasPrefix(text, "0x") || strings.HasPrefix(text, "0X")
	if hex {
		body, exponent = text[2:], "pP"
	}
	mantissa, power := body, false
	if at := strings.IndexAny(body, exponent); at >= 0 {
		mantissa, power = body[:at], true
	}
	fraction := power || strings.Contains(mantissa, ".")
	suffix := ""
	for _, c := range []string{"i", "u", "h", "f"} {
		if strings.HasSuffix(body, c) && (c != "f" || !hex || power) {
			suffix = c
		}
	}
	if !power {
		mantissa = strings.TrimSuffix(mantissa, suffix)
	}
	switch {
	case strings.Trim(mantissa, ".") == "":
		return false
	case suffix == "i" || suffix == "u":
		if fraction {
			return false
		}
	case suffix != "" && hex && !power:
		return false
	}
	return hex || fraction || len(mantissa) == 1 || mantissa[0] != '0'
}

// templates finds the angle brackets of template lists, as the WGSL specification does
// (section 3.9, template lists).
func templates(text string) map[int]bool {
	found := map[int]bool{}
	type opened struct{ at, depth int }
	var pending []opened
	depth := 0
	drop := func() { // what is open at this depth or below ends no more
		for len(pending) > 0 && pending[len(pending)-1].depth >= depth {
			pending = pending[:len(pending)-1]
		}
	}
	for i := 0; i < len(text); {
		rest := text[i:]
		switch c := rest[0]; {
		case strings.HasPrefix(rest, "//"):
			i += lineComment(rest)
		case strings.HasPrefix(rest, "/*"):
			n := blockComment(rest)
			if n < 0 {
				return found
			}
			i += n
		case '0' <= c && c <= '9':
			i += max(1, numberLength(rest))
		case letter(rest):
			i += wordLength(rest)
			i += blank(text[i:])
			if i < len(text) && text[i] == '<' {
				pending = append(pending, opened{i, depth})
				i++
				if i < len(text) && (text[i] == '<' || text[i] == '=') {
					pending = pending[:len(pending)-1]
					i++
				}
			}
		case c == '>':
			if n := len(pending); n > 0 && pending[n-1].depth == depth {
				found[pending[n-1].at], found[i] = true, true
				pending = pending[:n-1]
				i++
				break
			}
			i++
			if i < len(text) && text[i] == '=' {
				i++
			}
		case c == '(' || c == '[':
			depth++
			i++
		case c == ')' || c == ']':
			drop()
			depth = max(0, depth-1)
			i++
		case strings.HasPrefix(rest, "!=") || strings.HasPrefix(rest, "=="):
			i += 2
		case c == '=' || c == ';' || c == '{' || c == ':':
			depth, pending = 0, nil
			i++
		case strings.HasPrefix(rest, "&&") || strings.HasPrefix(rest, "||"):
			drop()
			i += 2
		default:
			_, n := utf8.DecodeRuneInString(rest)
			i += n
		}
	}
	return found
}

// blank is the length of the blanks and comments that a text starts with.
func blank(text string) int {
	l := &lexer{text: text, line: 1}
	if l.space() != nil {
		return len(text)
	}
	return l.at
}
