package main

import (
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/pumice-ml/pumice/internal/wgsl"
)

// mutant is a line of a file and what it is turned into.
type mutant struct {
	File, Line, Mutant string
	Why                string `json:",omitempty"` // it computes the same
	number             int    // of the line, from 0
}

// line is the code of a line, and its tokens, which start where they do in it.
type line struct {
	code   string
	tokens []wgsl.Token
}

// at reports whether texts stand one right behind the other from token i on.
func (l line) at(i int, texts ...string) bool {
	if i+len(texts) > len(l.tokens) {
		return false
	}
	for k, text := range texts {
		t := l.tokens[i+k]
		if t.Text != text || k > 0 && t.Start != l.end(i+k-1) {
			return false
		}
	}
	return true
}

// end is where token i ends.
func (l line) end(i int) int { return l.tokens[i].Start + len(l.tokens[i].Text) }

// spaced reports whether token i is an operator with a space on either side.
func (l line) spaced(i int, operator string) bool {
	from, to := l.tokens[i].Start, l.end(i)
	return l.tokens[i].Text == operator && from > 0 && l.code[from-1] == ' ' && to < len(l.code) && l.code[to] == ' '
}

// rule finds what stands at token i of a line, from one byte of it to another, and what a
// mutant has in its place, each of some texts; without texts it finds nothing.
type rule func(l line, i int) (from, to int, by []string)

// operator replaces an operator between spaces.
func operator(old string, by ...string) rule {
	return func(l line, i int) (from, to int, texts []string) {
		if l.spaced(i, old) {
			return l.tokens[i].Start, l.end(i), by
		}
		return 0, 0, nil
	}
}

// called replaces the name of a function that is called.
func called(old, by string) rule {
	return func(l line, i int) (from, to int, texts []string) {
		if l.at(i, old, "(") {
			return l.tokens[i].Start, l.end(i), []string{by}
		}
		return 0, 0, nil
	}
}

// number replaces a number.
func number(old string, by ...string) rule {
	return func(l line, i int) (from, to int, texts []string) {
		if l.tokens[i].Text == old {
			return l.tokens[i].Start, l.end(i), by
		}
		return 0, 0, nil
	}
}

// rules make the mutants of a line, in this order.
var rules = []rule{
	operator("+=", "=", "-="), operator("-=", "=", "+="), operator("*=", "="),
	operator("+", "-", "*"), operator("-", "+"), operator("*", "+"), operator("/", "*", "%"), operator("%", "/"),
	operator("<", "<="), operator("<=", "<"), operator(">", ">="), operator(">=", ">"), operator("==", "!="), operator("&", "|"),
	called("max", "min"), called("min", "max"), called("abs", ""),
	number("0u", "1u"), number("1u", "0u", "2u"), number("2u", "1u"), number("0.0", "1.0"), number("1.0", "0.0", "2.0"), number("0.5", "0.25"),
	neighbour, dropped, barrier, stride, doubled,
}

// neighbour takes the element behind the one of an index.
func neighbour(l line, i int) (from, to int, by []string) {
	for _, name := range []string{"i", "k", "at", "j"} {
		if l.at(i, "[", name, "]") {
			return l.tokens[i].Start, l.end(i + 2), []string{"[" + name + " + 1u]"}
		}
	}
	return 0, 0, nil
}

// dropped leaves out the last term of a sum: a name or a number, members, an index.
func dropped(l line, i int) (from, to int, by []string) {
	if !l.spaced(i, "+") && !l.spaced(i, "-") {
		return 0, 0, nil
	}
	at, last := l.end(i)+1, i+1
	for last < len(l.tokens) && l.tokens[last].Start == at && plain(l.tokens[last].Text) {
		at = l.end(last)
		last++
	}
	if last == i+1 || last == len(l.tokens) || l.tokens[last].Start != at {
		return 0, 0, nil
	}
	if l.tokens[last].Text == "[" {
		for last < len(l.tokens) && l.tokens[last].Text != "]" {
			last++
		}
		if last+1 >= len(l.tokens) || l.tokens[last+1].Start != l.end(last) {
			return 0, 0, nil
		}
		last++
	}
	if text := l.tokens[last].Text; text == ";" || text == "," || text == ")" {
		return l.tokens[i].Start - 1, l.end(last), []string{text}
	}
	return 0, 0, nil
}

// plain reports whether a token is a name, a dot, or a number without a sign.
func plain(text string) bool {
	for _, r := range text {
		if r != '_' && r != '.' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return false
		}
	}
	return true
}

// barrier leaves out a barrier that a line starts with.
func barrier(l line, i int) (from, to int, by []string) {
	if i == 0 && l.at(0, "workgroupBarrier", "(", ")", ";") {
		return l.tokens[0].Start, l.end(3), []string{""}
	}
	return 0, 0, nil
}

// stride multiplies by one more than a field of params.
func stride(l line, i int) (from, to int, by []string) {
	if l.spaced(i, "*") && l.at(i+1, "params", ".") && i+3 < len(l.tokens) && l.tokens[i+1].Start == l.end(i)+1 {
		return l.tokens[i+1].Start, l.end(i + 3), []string{"(params." + l.tokens[i+3].Text + " + 1u)"}
	}
	return 0, 0, nil
}

// doubled takes twice a number that is not whole.
func doubled(l line, i int) (from, to int, by []string) {
	text := l.tokens[i].Text
	mantissa, power, scaled := strings.Cut(text, "e")
	whole, fraction, ok := strings.Cut(mantissa, ".")
	digits := func(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
	if !ok || !digits(whole) || !digits(fraction) || strings.Trim(fraction, "0") == "" || scaled && !digits(strings.TrimPrefix(power, "-")) {
		return 0, 0, nil
	}
	return l.tokens[i].Start, l.end(i), []string{"(2.0 * " + text + ")"}
}

// declares are what lines start with that have no mutants.
var declares = []string{"@", "struct", "const", "fn", "var<private>"}

// mutants lists the mutants of a file, those of different lines before further ones
// of the same, in an order that looks random.
func mutants(name, text string) (all []mutant, err error) {
	tokens, err := wgsl.Tokens(text)
	if err != nil {
		return nil, err
	}
	start := 0
	for n, whole := range strings.Split(text, "\n") {
		code, _, _ := strings.Cut(whole, "//")
		l := line{code: code}
		for len(tokens) > 0 && tokens[0].Start < start+len(whole) {
			l.tokens = append(l.tokens, wgsl.Token{Text: tokens[0].Text, Start: tokens[0].Start - start})
			tokens = tokens[1:]
		}
		start += len(whole) + 1
		trimmed := strings.TrimSpace(code)
		if slices.ContainsFunc(declares, func(word string) bool { return strings.HasPrefix(trimmed, word) }) {
			continue
		}
		for _, r := range rules {
			for i := range l.tokens {
				from, to, by := r(l, i)
				for _, b := range by {
					changed := code[:from] + b + whole[to:]
					all = append(all, mutant{File: name, Line: strings.TrimSpace(whole), Mutant: strings.TrimSpace(changed), number: n})
				}
			}
		}
	}
	random := rand.New(rand.NewPCG(1, uint64(len(text))))
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	perLine := map[int]int{}
	turn := make([]int, len(all))
	order := make([]int, len(all))
	for i, m := range all {
		turn[i], order[i] = perLine[m.number], i
		perLine[m.number]++
	}
	slices.SortStableFunc(order, func(a, b int) int { return turn[a] - turn[b] })
	sorted := make([]mutant, len(all))
	for i, k := range order {
		sorted[i] = all[k]
	}
	return sorted, nil
}
