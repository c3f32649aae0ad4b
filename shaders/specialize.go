package shaders

import (
	"fmt"
	"regexp"
	"sort"
	"strconv"
	"strings"
)

// Specialize writes the text of one entry point: the values of the named
// constants are replaced, Params is baked in as a constant where params is not
// nil (one WGSL literal per field, in order), the other entry points are left
// out, and each counted loop under a line "// unroll" is expanded. It returns
// an error where a constant does not exist, the number of params is wrong, or
// an unroll line stands above anything but
// "for (var i = 0u; i < N; i++) {". N is an expression of literals, constants and
// params.field; a loop whose N depends on params that are not baked stays a loop.
// Branches that conditions of literals and params rule out are left out.
func (s *Shader) Specialize(entry string, consts map[string]string, params []string) (string, error) {
	fail := func(format string, args ...any) (string, error) {
		return "", fmt.Errorf("shaders: Specialize %s.%s: %s", s.Name, entry, fmt.Sprintf(format, args...))
	}
	if _, ok := s.Entry(entry); !ok {
		return fail("no such entry point")
	}
	type edit struct {
		span
		text string
	}
	var edits []edit
	for _, f := range s.functions {
		if f.entry && f.name != entry {
			edits = append(edits, edit{f.span, ""})
		}
	}
	values := map[string]string{}
	for _, c := range s.Consts {
		values[c.Name] = c.Value
		if v, ok := consts[c.Name]; ok {
			values[c.Name] = v
			edits = append(edits, edit{c.value, v})
		}
	}
	for name := range consts {
		if _, ok := s.Const(name); !ok {
			return fail("no constant %s", name)
		}
	}
	if params != nil {
		if len(params) != len(s.Params) {
			return fail("%d params, want %d", len(params), len(s.Params))
		}
		for i, f := range s.Params {
			values["params."+f.Name] = params[i]
		}
		edits = append(edits, edit{s.params, "const params = Params(" + strings.Join(params, ", ") + ");"})
	}
	sort.Slice(edits, func(i, j int) bool { return edits[i].from > edits[j].from })
	text := s.Text
	for _, e := range edits {
		text = text[:e.from] + e.text + text[e.to:]
	}
	var lookup func(string) (int, bool)
	lookup = func(name string) (int, bool) {
		v, ok := values[name]
		if !ok {
			return 0, false
		}
		if v == "true" || v == "false" {
			return one(v == "true"), true
		}
		n, err := Eval(v, lookup)
		return n, err == nil
	}
	text, err := unroll(text, lookup)
	if err != nil {
		return fail("%v", err)
	}
	if params != nil {
		text = decide(text, func(name string) bool { return s.fixed(name) }, lookup)
	}
	return flatten(text), nil
}

// fixed reports whether a name means a constant of the module wherever it stands.
func (s *Shader) fixed(name string) bool {
	_, ok := s.Const(name)
	return ok && !regexp.MustCompile(`(?:\b(?:let|var)\s+|[(,]\s*)`+name+`\s*[:=]`).MatchString(s.code)
}

// decide leaves out the branches that conditions of literals, params and fixed names do
// not take. It takes an if that a line starts with, and leaves differences alone, which
// wrap.
func decide(text string, fixed func(string) bool, lookup func(string) (int, bool)) string {
	var out strings.Builder
	known := map[string]int{} // by condition: 0, 1, or 2 for one that is not known
	for {
		at := statement(text, "if ")
		open := -1
		if at >= 0 {
			open = strings.IndexByte(text[at:], '{')
		}
		if open < 0 {
			out.WriteString(text)
			return out.String()
		}
		open += at
		condition := text[at+len("if ") : open]
		v, ok := known[condition]
		if !ok {
			var err error
			if v, err = Eval(condition, lookup); err != nil || !constant(condition, fixed) || strings.Contains(condition, "-") {
				v = 2
			}
			known[condition] = v
		}
		end := closing(text, open)
		if v > 1 || end < 0 || v == 1 && strings.Contains(text[open:end], "return") { // older drivers refuse what stands behind a return
			out.WriteString(text[:open])
			text = text[open:]
			continue
		}
		taken, rest := text[open:end], text[end:]
		otherwise, ok := strings.CutPrefix(rest, " else ")
		switch last := chain(rest); {
		case last < 0:
			out.WriteString(text[:open])
			text = text[open:]
			continue
		case v == 1:
			rest = taken + rest[last:]
		case ok:
			rest = "\n" + otherwise // an if, or a block
		}
		out.WriteString(text[:at])
		text = rest
	}
}

// statement finds a line that starts with a word, behind spaces, or -1.
func statement(text, word string) int {
	for from := 0; ; {
		at := strings.Index(text[from:], word)
		if at < 0 {
			return -1
		}
		at += from
		if line := strings.LastIndexByte(text[:at], '\n') + 1; strings.TrimSpace(text[line:at]) == "" {
			return at
		}
		from = at + len(word)
	}
}

// chain is where the else branches end that rest starts with, 0 where it starts with none.
func chain(rest string) int {
	end := 0
	for strings.HasPrefix(rest[end:], " else ") {
		next := closing(rest[end:], 0)
		if next < 0 {
			return -1
		}
		end += next
	}
	return end
}

var loopPattern = regexp.MustCompile(`^\s*for \(var (\w+) = 0u; (\w+) < ([^;]+); (\w+)(?:\+\+| \+= 1u)\) \{`)

// unroll expands the loops under "// unroll" lines, the last first, and so the
// innermost first. A body keeps its braces, which flatten takes off.
func unroll(text string, lookup func(string) (int, bool)) (string, error) {
	folded := map[string]string{}
	for from := len(text); ; {
		first, last, ok := lastMark(text[:from])
		if !ok {
			return text, nil
		}
		from = first
		head := loopPattern.FindStringSubmatchIndex(text[last:])
		if head == nil {
			line, _, _ := strings.Cut(text[last:], "\n")
			return "", fmt.Errorf("unroll: got %q, want for (var i = 0u; i < N; i++) {", strings.TrimSpace(line))
		}
		group := func(i int) string { return text[last+head[2*i] : last+head[2*i+1]] }
		if group(1) != group(2) || group(1) != group(4) {
			return "", fmt.Errorf("unroll: loop over %s tests %s and steps %s", group(1), group(2), group(4))
		}
		n, err := Eval(group(3), lookup)
		if err != nil && strings.Contains(group(3), "params.") {
			text = text[:first] + text[last:]
			continue
		}
		if err != nil {
			return "", fmt.Errorf("unroll: %w", err)
		}
		open := last + head[1] - 1
		end := closing(text, open)
		if end < 0 {
			return "", fmt.Errorf("unroll: loop over %s has no closing brace", group(1))
		}
		parts := splitAt(text[open:end], group(1))
		var out strings.Builder
		for i := range n {
			fold(&out, strings.Join(parts, strconv.Itoa(i)+"u"), folded, lookup)
			out.WriteString("\n")
		}
		text = text[:first] + out.String() + text[end:]
	}
}

// lastMark finds the last line of text that is "// unroll".
func lastMark(text string) (first, last int, ok bool) {
	const mark = "// unroll"
	for {
		at := strings.LastIndex(text, mark)
		if at < 0 {
			return 0, 0, false
		}
		first = strings.LastIndexByte(text[:at], '\n') + 1
		rest := strings.IndexByte(text[at:], '\n')
		if rest >= 0 && strings.TrimSpace(text[first:at]) == "" && strings.TrimSpace(text[at+len(mark):at+rest]) == "" {
			return first, at + rest + 1, true
		}
		text = text[:at]
	}
}

// splitAt splits code at the identifier name, where it is not a field.
func splitAt(code, name string) (parts []string) {
	from := 0
	for i := 0; i < len(code); i++ {
		if !word(code[i]) || i > 0 && (word(code[i-1]) || code[i-1] == '.') || !strings.HasPrefix(code[i:], name) {
			continue
		}
		if end := i + len(name); end == len(code) || !word(code[end]) {
			parts = append(parts, code[from:i])
			from, i = end, end
		}
	}
	return append(parts, code[from:])
}

func word(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// fold writes code with each index of literals and params, between brackets, as one
// literal, so that every driver sees a constant index.
func fold(out *strings.Builder, code string, folded map[string]string, lookup func(string) (int, bool)) {
	for {
		open := strings.IndexByte(code, '[')
		if open < 0 {
			out.WriteString(code)
			return
		}
		out.WriteString(code[:open+1])
		code = code[open+1:]
		end := strings.IndexAny(code, "[]")
		if end < 0 || code[end] == '[' {
			continue
		}
		index := code[:end]
		text, known := folded[index]
		if !known {
			text = index
			if v, err := Eval(index, lookup); err == nil && constant(index, nil) {
				text = strconv.Itoa(v) + "u"
			}
			folded[index] = text
		}
		out.WriteString(text)
		code = code[end:]
	}
}

// constant reports whether an expression is of literals, params, and fixed names where
// there are any.
func constant(expr string, fixed func(string) bool) bool {
	for _, name := range namePattern.FindAllString(expr, -1) {
		if !strings.HasPrefix(name, "params.") && name[0] > '9' && (fixed == nil || !fixed(name)) {
			return false
		}
	}
	return true
}

var namePattern = regexp.MustCompile(`\w+(\.\w+)?`)
