package shaders

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// slots are the functions through which an entry point stores what it computes, one
// element at a time, or four from element 4 i on. A file defines them to return v;
// Chain puts in their place what is done with v before it is stored.
const (
	slot     = "finish"
	wideSlot = "finish4"
)

var (
	indexPattern  = regexp.MustCompile(`\n *let (\w+) = id\.y \* groups\.x \* block \+ id\.x;`)
	boundPattern  = regexp.MustCompile(`\n *if \w+ >= [^{}]*\{ return; \}`)
	resultPattern = regexp.MustCompile(`(\w+)\[(\w+)\] = ([^;]*);\s*\}$`)
	declared      = regexp.MustCompile(`(?m)^@group\(\s*0\s*\)[^;]*;\n`)
)

// body is the text of a function between its braces, the last one included.
func (s *Shader) body(name string) (text string, at int) {
	for _, f := range s.functions {
		if f.name == name {
			open := strings.IndexByte(s.code[f.span.from:f.span.to], '{') + f.span.from
			return s.code[open+1 : f.span.to], open + 1
		}
	}
	return "", 0
}

// elements are the arrays of which invocation i of an entry point touches element i
// alone, and the name that it has for i.
func (s *Shader) elements(e Entry) (index string, arrays []string) {
	text, _ := s.body(e.Name)
	m := indexPattern.FindStringSubmatch(text)
	if m == nil || len(e.Size) != 1 || e.Groups || e.Subgroup || len(regexp.MustCompile(`\b(?:let|var)\s+`+m[1]+`\b`).FindAllString(text, -1)) != 1 {
		return "", nil
	}
	uses := s.reach(e.Name)
	elsewhere := func(array string) bool { // used by other functions, and no parameter of theirs
		return slices.ContainsFunc(s.functions, func(f function) bool {
			return uses[f.name] && !f.entry && f.uses[array] && !regexp.MustCompile(`^fn[^{]*\b`+array+`:`).MatchString(s.code[f.span.from:f.span.to])
		})
	}
	for _, b := range e.Bindings {
		all := len(splitAt(text, b.Name))
		if b.Type == "array<f32>" && !elsewhere(b.Name) && all > 1 && len(splitAt(strings.ReplaceAll(text, b.Name+"["+m[1]+"]", ""), b.Name)) == 1 {
			arrays = append(arrays, b.Name)
		}
	}
	return m[1], arrays
}

// written is the one array that an entry point writes, or "".
func (e Entry) written() (name string) {
	for _, b := range e.Bindings {
		if b.Access == "read_write" {
			if name != "" {
				return ""
			}
			name = b.Name
		}
	}
	return name
}

// Output is the array that an entry point writes, and no other, each element once, so
// that Chain can do more with an element before it is stored: all elements through the
// functions finish or finish4, or, indexed, element i by invocation i. It is "" where
// there is none. Whether the entry point reads it, by accumulate, is the caller's to know.
func (s *Shader) Output(e Entry) (array string, indexed bool) {
	y := e.written()
	if uses := s.reach(e.Name); y == "" || uses[slot] || uses[wideSlot] {
		for _, name := range []string{slot, wideSlot} {
			if text, _ := s.body(name); uses[name] && strings.Join(strings.Fields(text), " ") != "return v; }" {
				return "", false
			}
		}
		return y, false
	}
	index, arrays := s.elements(e)
	text, _ := s.body(e.Name)
	at := y + "[" + index + "]"
	stores := strings.Count(text, at+" = ")
	reads := strings.Count(text, at) - stores
	if guarded := regexp.MustCompile(`if accumulate \{ \w+ \+= `+regexp.QuoteMeta(at)+`; \}`).FindAllString(text, -1); stores != 1 || reads != len(guarded) || !slices.Contains(arrays, y) {
		return "", false
	}
	return y, true
}

// Pointwise lists the arrays of which invocation i of an entry point reads element i
// alone, where the last thing that it does is to store element i of the one array that
// it writes: Chain can hand it an element of one of them in place of the array. Where it
// adds to what it writes, that array is one of them. It is nil for other entry points.
func (s *Shader) Pointwise(e Entry) []string {
	index, arrays := s.elements(e)
	y := e.written()
	if !slices.Contains(arrays, y) || e.Trips != "" || e.Workgroup[1] != 1 || e.Workgroup[2] != 1 {
		return nil
	}
	text, _ := s.body(e.Name)
	m := resultPattern.FindStringSubmatch(text)
	rest := indexPattern.ReplaceAllString(text, "")
	bounds := boundPattern.FindAllString(rest, -1)
	rest = boundPattern.ReplaceAllString(rest, "")
	if m == nil || m[1] != y || m[2] != index || len(bounds) != 1 || len(regexp.MustCompile(`\b`+y+`\[\w+\] [-+*/]?= `).FindAllString(text, -1)) != 1 ||
		len(splitAt(rest, "id")) > 1 || len(splitAt(rest, "groups")) > 1 || len(splitAt(rest, "return")) > 1 {
		return nil
	}
	uses := s.reach(e.Name)
	for _, v := range variablePattern.FindAllStringSubmatch(s.code, -1) {
		if uses[v[2]] {
			return nil
		}
	}
	if at := y + "[" + index + "]"; strings.Count(text, at) == 1 {
		arrays = slices.DeleteFunc(arrays, func(name string) bool { return name == y })
	}
	if len(arrays) == 0 {
		return nil
	}
	return arrays
}

// Link is an entry point that Chain puts behind another.
type Link struct {
	Shader *Shader
	Entry  Entry  // one that is Pointwise
	Text   string // as Specialize writes it, with params, and StoreF16 has not changed it
	// Bindings are the numbers that the entry point's bindings have in the chain's text,
	// or Handed. The array that it writes has that of the first entry point's.
	Bindings []int
	// Keep is the binding in which what the link is handed is stored as well, 0 for none.
	Keep int
	// Half says that what the link is handed is rounded to f16 first, as it would be by
	// being stored so. The text then needs EnableF16.
	Half bool
}

// Handed is the number of a binding whose element is handed from link to link.
const Handed = -1

// Chain is the shader of an entry point, the only one, that does with each element that
// it computes (see Output) what the links do with it, before it stores it.
func Chain(s *Shader, e Entry, links []Link) (*Shader, error) {
	text, output, err := s.open(e)
	if err != nil {
		return nil, err
	}
	numbers, own := map[int]string{}, map[string]string{} // names that no local of a link has
	for _, b := range e.Bindings {
		numbers[b.Number] = fmt.Sprintf("chained_%d", b.Number)
		own[b.Name] = numbers[b.Number]
	}
	text, output = rename(text, own), own[output]
	var out, body strings.Builder
	bind := func(number int, access, kind string) string {
		if numbers[number] == "" {
			numbers[number] = fmt.Sprintf("chained_%d", number)
			fmt.Fprintf(&out, "@group(0) @binding(%d) var<storage, %s> %s: %s;\n", number, access, numbers[number], kind)
		}
		return numbers[number]
	}
	value := "v"
	for k, l := range links {
		if l.Shader.Pointwise(l.Entry) == nil || len(l.Bindings) != len(l.Entry.Bindings) {
			return nil, fmt.Errorf("shaders: Chain: %s.%s cannot be a link", l.Shader.Name, l.Entry.Name)
		}
		if l.Half {
			value = "f32(f16(" + value + "))"
		}
		if l.Keep != 0 {
			fmt.Fprintf(&body, "    %s[i] = %s;\n", bind(l.Keep, "read_write", "array<f32>"), value)
		}
		prefix := fmt.Sprintf("e%d_", k)
		names := l.Shader.names(prefix)
		for j, b := range l.Entry.Bindings {
			switch {
			case l.Bindings[j] == Handed:
			case b.Name == l.Entry.written():
				names[b.Name] = output
			default:
				names[b.Name] = bind(l.Bindings[j], b.Access, b.Type)
			}
		}
		out.WriteString(rename(l.code(prefix), names))
		fmt.Fprintf(&body, "    let %svalue = %s(i, %s);\n", prefix, names[l.Entry.Name], value)
		value = prefix + "value"
	}
	if strings.Contains(text, wideSlot+"(") {
		fmt.Fprintf(&body, "    return %s;\n}\n\nfn %s(i: u32, v: vec4<f32>) -> vec4<f32> {\n    return vec4<f32>(%[3]s(4u * i, v.x), %[3]s(4u * i + 1u, v.y), %[3]s(4u * i + 2u, v.z), %[3]s(4u * i + 3u, v.w));\n}\n", value, wideSlot, slot)
	} else {
		fmt.Fprintf(&body, "    return %s;\n}\n", value)
	}
	c, err := Parse(s.Name, text+"\n"+out.String()+"\nfn "+slot+"(i: u32, v: f32) -> f32 {\n"+body.String())
	if err != nil {
		return nil, fmt.Errorf("shaders: Chain: %w", err)
	}
	return c, nil
}

// Stores counts the elements that a specialised text of Chain's calls the links for.
func Stores(text string) int {
	n := strings.Count(text, slot+"(") - 1
	if wide := strings.Count(text, wideSlot+"("); wide > 0 {
		n += 4*(wide-1) - 4
	}
	return n
}

// open is the text of an entry point alone, without the slots that it stores through,
// and the array that it writes.
func (s *Shader) open(e Entry) (text, output string, err error) {
	output, indexed := s.Output(e)
	if output == "" {
		return "", "", fmt.Errorf("shaders: Chain: %s.%s does not write each element of one array", s.Name, e.Name)
	}
	text = s.Text
	uses := s.reach(e.Name)
	index, _ := s.elements(e)
	for _, f := range slices.Backward(s.functions) {
		switch {
		case f.name != e.Name && (f.entry || !uses[f.name]), f.name == slot, f.name == wideSlot:
			text = text[:f.span.from] + text[f.span.to:]
		case f.name == e.Name && indexed:
			own := text[f.span.from:f.span.to]
			at := output + "[" + index + "] = "
			from := strings.Index(s.code[f.span.from:f.span.to], at) + len(at)
			end := from + strings.IndexByte(own[from:], ';')
			text = text[:f.span.from] + own[:from] + slot + "(" + index + ", " + own[from:end] + ")" + own[end:] + text[f.span.to:]
		}
	}
	text = declared.ReplaceAllStringFunc(text, func(line string) string {
		m := bindingPattern.FindStringSubmatch(line)
		if m[3] != "params" && !uses[m[3]] {
			return ""
		}
		return line
	})
	return text, output, nil
}

// names are those of a module's functions, constants, structs and params with a prefix.
func (s *Shader) names(prefix string) map[string]string {
	names := map[string]string{"params": prefix + "params"}
	for _, f := range s.functions {
		names[f.name] = prefix + f.name
	}
	for _, c := range s.Consts {
		names[c.Name] = prefix + c.Name
	}
	for _, pattern := range []*regexp.Regexp{variablePattern, structsPattern} {
		for _, m := range pattern.FindAllStringSubmatch(s.code, -1) {
			names[m[len(m)-1]] = prefix + m[len(m)-1]
		}
	}
	return names
}

// code is the text of a link as a function of the index and of the element handed to
// it, which it calls prefix and "handed", before names are given.
func (l *Link) code(prefix string) string {
	text := declared.ReplaceAllString(blankComments(l.Text), "")
	uses := l.Shader.reach(l.Entry.Name)
	for _, m := range slices.Backward(functionPattern.FindAllStringSubmatchIndex(text, -1)) {
		if name := text[m[4]:m[5]]; name != l.Entry.Name && !uses[name] {
			text = text[:m[0]] + text[closing(text, m[1]):]
		}
	}
	index, _ := l.Shader.elements(l.Entry)
	head := regexp.MustCompile(`@compute\s+@workgroup_size\([^)]*\)\s*fn\s+` + l.Entry.Name + `\s*\([^{]*\{`).FindStringIndex(text)
	end := closing(text, head[1]-1)
	body := indexPattern.ReplaceAllString(text[head[1]:end], "")
	body = boundPattern.ReplaceAllString(body, "")
	body = resultPattern.ReplaceAllString(body, "return $3;\n}")
	for j, b := range l.Entry.Bindings {
		if l.Bindings[j] == Handed {
			body = regexp.MustCompile(`\b`+b.Name+`\[`+index+`\]`).ReplaceAllString(body, prefix+"handed")
		}
	}
	return text[:head[0]] + fmt.Sprintf("fn %s(%s: u32, %shanded: f32) -> f32 {", l.Entry.Name, index, prefix) + body + text[end:]
}

// Operations counts, roughly, what a link does: the operators and calls in its text and
// in that of the functions that it uses.
func (l *Link) Operations() int {
	text, _ := l.Shader.body(l.Entry.Name)
	text = boundPattern.ReplaceAllString(indexPattern.ReplaceAllString(text, ""), "")
	uses := l.Shader.reach(l.Entry.Name)
	for _, f := range l.Shader.functions {
		if uses[f.name] && !f.entry {
			more, _ := l.Shader.body(f.name)
			text += more
		}
	}
	return len(operationPattern.FindAllString(text, -1))
}

var operationPattern = regexp.MustCompile(`[-+*/%<>&|^]+|\w\(`)
