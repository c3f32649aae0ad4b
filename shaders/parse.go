package shaders

import (
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
)

type span struct{ from, to int }

// function is a function of the module; its span runs from the first attribute
// (or fn) to the closing brace.
type function struct {
	name  string
	span  span
	uses  map[string]bool // identifiers in signature and body
	entry bool
}

var (
	constPattern    = regexp.MustCompile(`(?m)^const\s+(\w+)\s*(?::\s*([^=]+?))?\s*=\s*([^;]+);`)
	structPattern   = regexp.MustCompile(`struct\s+Params\s*\{([^}]*)\}`)
	fieldPattern    = regexp.MustCompile(`(\w+)\s*:\s*(\w+)`)
	bindingPattern  = regexp.MustCompile(`@group\(\s*0\s*\)\s*@binding\(\s*(\d+)\s*\)\s*var<([^>]*)>\s*(\w+)\s*:\s*([^;]+);`)
	sharedPattern   = regexp.MustCompile(`(?m)^var<workgroup>\s*(\w+)\s*:\s*array<(vec[24]<)?[fui]32>?,\s*([^;]+)>;`)
	functionPattern = regexp.MustCompile(`(?m)^((?:@\w+(?:\([^)]*\))?\s*)*)fn\s+(\w+)\s*\(`)
	sizePattern     = regexp.MustCompile(`@workgroup_size\(([^)]*)\)`)
	identPattern    = regexp.MustCompile(`[A-Za-z_]\w*`)
	shapePattern    = regexp.MustCompile(`((?:\w+,\s*)*\w+)\s+(?:is|are)\s+\(([^()]*(?:\([^()]*\)[^()]*)*)\)`)
	testPattern     = regexp.MustCompile(`(?m)^//\s*test:\s*(.+?)\s*$`)
	notePattern     = regexp.MustCompile(`^//\s*(invocations|workgroups|trips|flops|each):\s*(.+?)\s*$`)
)

// Parse reads the text of a shader. Module constants and functions start at the
// beginning of a line. It returns an error where the text breaks the rules of
// the package: params at binding 0, at most 8 storage buffers per entry point,
// an invocations or workgroups line for each entry point.
func Parse(name, text string) (*Shader, error) {
	s := &Shader{Name: name, Text: text, code: blankComments(text)}
	fail := func(format string, args ...any) (*Shader, error) {
		return nil, fmt.Errorf("shaders: %s.wgsl: %s", name, fmt.Sprintf(format, args...))
	}
	for _, m := range constPattern.FindAllStringSubmatchIndex(s.code, -1) {
		c := Const{Name: s.code[m[2]:m[3]], Value: strings.TrimSpace(s.code[m[6]:m[7]]), value: span{m[6], m[7]}}
		if m[4] >= 0 {
			c.Type = strings.TrimSpace(s.code[m[4]:m[5]])
		}
		s.Consts = append(s.Consts, c)
	}
	m := structPattern.FindStringSubmatch(s.code)
	if m == nil {
		return fail("no struct Params")
	}
	for _, f := range fieldPattern.FindAllStringSubmatch(m[1], -1) {
		if !slices.Contains([]string{"u32", "i32", "f32"}, f[2]) {
			return fail("Params.%s is %s, want u32, i32 or f32", f[1], f[2])
		}
		s.Params = append(s.Params, Field{f[1], f[2]})
	}
	if m := testPattern.FindStringSubmatch(text); m != nil {
		s.Test = map[string]float64{}
		for _, part := range splitTop(m[1]) {
			name, value, _ := strings.Cut(part, "=")
			if identPattern.FindString(value) == value && value != "" {
				if s.Same == nil {
					s.Same = map[string]string{}
				}
				s.Same[name] = value
				continue
			}
			v, err := strconv.ParseFloat(value, 64)
			if err != nil || !slices.ContainsFunc(s.Params, func(f Field) bool { return f.Name == name }) {
				return fail("test: %q, want a field of Params = a number", part)
			}
			s.Test[name] = v
		}
	}
	for _, m := range bindingPattern.FindAllStringSubmatchIndex(s.code, -1) {
		number, _ := strconv.Atoi(s.code[m[2]:m[3]])
		space := strings.ReplaceAll(s.code[m[4]:m[5]], " ", "")
		b := Binding{Number: number, Name: s.code[m[6]:m[7]], Type: strings.TrimSpace(s.code[m[8]:m[9]])}
		switch space {
		case "uniform":
			b.Access = "uniform"
		case "storage", "storage,read":
			b.Access = "read"
		case "storage,read_write":
			b.Access = "read_write"
		default:
			return fail("binding %d (%s) has address space %q", number, b.Name, space)
		}
		if (number == 0) != (b.Access == "uniform") || (number == 0) != (b.Name == "params") {
			return fail("binding %d is %s %s; binding 0, and no other, is the uniform params", number, b.Access, b.Name)
		}
		if number == 0 {
			s.params = span{m[0], m[1]}
		}
		s.Bindings = append(s.Bindings, b)
	}
	sort.Slice(s.Bindings, func(i, j int) bool { return s.Bindings[i].Number < s.Bindings[j].Number })
	if len(s.Bindings) == 0 || s.Bindings[0].Number != 0 {
		return fail("no params at binding 0")
	}
	for _, m := range functionPattern.FindAllStringSubmatchIndex(s.code, -1) {
		end := closing(s.code, m[1])
		if end < 0 {
			return fail("function %s has no closing brace", s.code[m[4]:m[5]])
		}
		attributes := ""
		if m[2] >= 0 {
			attributes = s.code[m[2]:m[3]]
		}
		f := function{name: s.code[m[4]:m[5]], span: span{m[0], end}, uses: map[string]bool{}}
		for _, at := range identPattern.FindAllStringIndex(s.code[m[0]:end], -1) {
			if from := m[0] + at[0]; from == 0 || s.code[from-1] != '.' { // not a field
				f.uses[s.code[from:m[0]+at[1]]] = true
			}
		}
		f.entry = strings.Contains(attributes, "@compute")
		s.functions = append(s.functions, f)
	}
	for _, f := range s.functions {
		if !f.entry {
			continue
		}
		e, err := s.readEntry(f)
		if err != nil {
			return fail("%s: %v", f.name, err)
		}
		s.Entries = append(s.Entries, e)
	}
	if len(s.Entries) == 0 {
		return fail("no @compute entry point")
	}
	return s, nil
}

func (s *Shader) readEntry(f function) (Entry, error) {
	e := Entry{Name: f.name, Workgroup: [3]int{1, 1, 1}}
	size := sizePattern.FindStringSubmatch(s.code[f.span.from:f.span.to])
	if size == nil {
		return e, fmt.Errorf("no @workgroup_size")
	}
	for i, x := range strings.Split(size[1], ",") {
		v, err := Eval(x, s.lookup)
		if err != nil || i > 2 || v < 1 {
			return e, fmt.Errorf("workgroup size %q: %v", x, err)
		}
		e.Workgroup[i] = v
	}
	uses := s.reach(f.name)
	for _, b := range s.Bindings[1:] {
		if uses[b.Name] {
			e.Bindings = append(e.Bindings, b)
		}
	}
	for name := range uses {
		e.Subgroup = e.Subgroup || strings.HasPrefix(name, "subgroup")
	}
	for _, m := range sharedPattern.FindAllStringSubmatch(s.code, -1) {
		n, err := Eval(m[3], s.lookup)
		if err != nil {
			return e, fmt.Errorf("workgroup memory %s: %v", m[1], err)
		}
		if m[2] != "" {
			n *= int(m[2][3] - '0')
		}
		if uses[m[1]] {
			e.Shared += 4 * n
		}
	}
	if len(e.Bindings) > 8 {
		return e, fmt.Errorf("%d storage buffers, want at most 8", len(e.Bindings))
	}
	for _, c := range s.Consts {
		if uses[c.Name] {
			e.Consts = append(e.Consts, c.Name)
		}
	}
	e.Adds = s.adds(e, uses)
	lines := strings.Split(strings.TrimRight(s.Text[:f.span.from], "\n"), "\n")
	for i := len(lines) - 1; i >= 0 && strings.HasPrefix(lines[i], "//"); i-- {
		m := notePattern.FindStringSubmatch(lines[i])
		if m == nil {
			continue
		}
		switch m[1] {
		case "trips":
			e.Trips = m[2]
		case "flops":
			e.Flops = m[2]
		case "each":
			e.Each = m[2]
		default:
			e.Size, e.Groups = splitTop(m[2]), m[1] == "workgroups"
		}
	}
	if len(e.Size) < 1 || len(e.Size) > 3 {
		return e, fmt.Errorf("want a line \"// invocations: x[, y[, z]]\" or \"// workgroups: ...\" above it")
	}
	return e, nil
}

// lookup gives the module's integer constants to Eval.
func (s *Shader) lookup(name string) (int, bool) {
	text, ok := s.Const(name)
	if !ok {
		return 0, false
	}
	v, err := Eval(text, s.lookup)
	return v, err == nil
}

// adds are the arrays that an entry point adds to: those that it writes and that stand in
// a block under "if accumulate", or all that it writes where there is no such block.
func (s *Shader) adds(e Entry, uses map[string]bool) (arrays []string) {
	if !slices.Contains(e.Consts, "accumulate") {
		return nil
	}
	var blocks strings.Builder
	for _, f := range s.functions {
		if f.name != e.Name && !uses[f.name] {
			continue
		}
		text := s.code[f.span.from:f.span.to]
		for _, m := range addsPattern.FindAllStringIndex(text, -1) {
			if end := closing(text, m[0]); end > 0 {
				blocks.WriteString(text[m[1]:end])
			}
		}
	}
	for _, b := range e.Bindings {
		if b.Access == "read_write" && (blocks.Len() == 0 || len(splitAt(blocks.String(), b.Name)) > 1) {
			arrays = append(arrays, b.Name)
		}
	}
	return arrays
}

var addsPattern = regexp.MustCompile(`\bif \(?accumulate\)? \{`)

// reach collects the identifiers that a function uses, itself, through the
// functions it calls, and through the constants' values.
func (s *Shader) reach(name string) map[string]bool {
	all, done := map[string]bool{}, map[string]bool{}
	var visit func(string)
	visit = func(name string) {
		if done[name] {
			return
		}
		done[name] = true
		for _, f := range s.functions {
			if f.name == name {
				for id := range f.uses {
					all[id] = true
					visit(id)
				}
			}
		}
		if value, ok := s.Const(name); ok {
			for _, id := range identPattern.FindAllString(value, -1) {
				all[id] = true
				visit(id)
			}
		}
	}
	visit(name)
	return all
}

// blankComments replaces line and block comments by spaces.
func blankComments(text string) string {
	b := []byte(text)
	for i := 0; i+1 < len(b); i++ {
		if b[i] == '/' && b[i+1] == '/' {
			for i < len(b) && b[i] != '\n' {
				b[i] = ' '
				i++
			}
		} else if b[i] == '/' && b[i+1] == '*' {
			for ; i < len(b); i++ {
				if b[i] == '*' && i+1 < len(b) && b[i+1] == '/' {
					b[i], b[i+1] = ' ', ' '
					break
				}
				if b[i] != '\n' {
					b[i] = ' '
				}
			}
		}
	}
	return string(b)
}

// closing returns the offset after the brace that closes the first one at or
// after from, or -1. Line comments do not count.
func closing(code string, from int) int {
	depth := 0
	for i := from; i < len(code); i++ {
		switch code[i] {
		case '/':
			if i+1 < len(code) && code[i+1] == '/' {
				for i < len(code) && code[i] != '\n' {
					i++
				}
			}
		case '{':
			depth++
		case '}':
			depth--
			if depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}

// Shapes are the dimensions of the arrays, by name, as the comment that the file
// starts with gives them: "x, y are (rows, size)" makes the expressions rows and size
// of x and of y (see Eval). An array that it says nothing of is not there.
func (s *Shader) Shapes() map[string][]string {
	var header strings.Builder
	for line := range strings.Lines(s.Text) {
		comment, ok := strings.CutPrefix(strings.TrimSpace(line), "//")
		if !ok {
			break
		}
		header.WriteString(strings.TrimSpace(comment) + " ")
	}
	shapes := map[string][]string{}
	for _, m := range shapePattern.FindAllStringSubmatch(header.String(), -1) {
		for name := range strings.SplitSeq(m[1], ",") {
			shapes[strings.TrimSpace(name)] = splitTop(m[2])
		}
	}
	return shapes
}

// splitTop splits at the commas outside parentheses.
func splitTop(list string) []string {
	var parts []string
	depth, from := 0, 0
	for i, r := range list {
		switch r {
		case '(':
			depth++
		case ')':
			depth--
		case ',':
			if depth == 0 {
				parts = append(parts, strings.TrimSpace(list[from:i]))
				from = i + 1
			}
		}
	}
	return append(parts, strings.TrimSpace(list[from:]))
}
