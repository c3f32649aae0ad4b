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
		n, err := Eval(v, lookup)
		return n, err == nil
	}
	text, err := unroll(text, lookup)
	if err != nil {
		return fail("%v", err)
	}
	return text, nil
}

var (
	unrollPattern = regexp.MustCompile(`(?m)^[ \t]*// unroll[ \t]*\n`)
	loopPattern   = regexp.MustCompile(`^\s*for \(var (\w+) = 0u; (\w+) < ([^;]+); (\w+)(?:\+\+| \+= 1u)\) \{`)
	indexPattern  = regexp.MustCompile(`\[((?:[0-9u+*/%() -]|params\.\w+)+)\]`)
)

// unroll expands the loops under "// unroll" lines, the innermost first. A body
// keeps its braces, so its locals stay its own.
func unroll(text string, lookup func(string) (int, bool)) (string, error) {
	for {
		marks := unrollPattern.FindAllStringIndex(text, -1)
		if marks == nil {
			return text, nil
		}
		mark := marks[len(marks)-1]
		head := loopPattern.FindStringSubmatchIndex(text[mark[1]:])
		if head == nil {
			line, _, _ := strings.Cut(text[mark[1]:], "\n")
			return "", fmt.Errorf("unroll: got %q, want for (var i = 0u; i < N; i++) {", strings.TrimSpace(line))
		}
		group := func(i int) string { return text[mark[1]+head[2*i] : mark[1]+head[2*i+1]] }
		if group(1) != group(2) || group(1) != group(4) {
			return "", fmt.Errorf("unroll: loop over %s tests %s and steps %s", group(1), group(2), group(4))
		}
		n, err := Eval(group(3), lookup)
		if err != nil && strings.Contains(group(3), "params.") {
			text = text[:mark[0]] + text[mark[1]:]
			continue
		}
		if err != nil {
			return "", fmt.Errorf("unroll: %w", err)
		}
		open := mark[1] + head[1] - 1
		end := closing(blankComments(text), open)
		if end < 0 {
			return "", fmt.Errorf("unroll: loop over %s has no closing brace", group(1))
		}
		index := regexp.MustCompile(`(^|[^.\w])` + group(1) + `\b`) // not a field
		body := text[open:end]
		var out strings.Builder
		for i := range n {
			copied := index.ReplaceAllString(body, "${1}"+strconv.Itoa(i)+"u")
			out.WriteString(indexPattern.ReplaceAllStringFunc(copied, func(index string) string { return foldIndex(index, lookup) }))
			out.WriteString("\n")
		}
		text = text[:mark[0]] + out.String() + text[end:]
	}
}

// foldIndex writes an index of literals and params as one literal, so that every driver
// sees a constant index.
func foldIndex(index string, lookup func(string) (int, bool)) string {
	v, err := Eval(index[1:len(index)-1], lookup)
	if err != nil {
		return index
	}
	return "[" + strconv.Itoa(v) + "u]"
}
