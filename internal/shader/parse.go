package shader

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/pumice-ml/pumice/internal/wgsl"
)

// Parse reads the text of a shader. It returns an error where the text is no WGSL, with
// line and column, or breaks the rules of the package: params at binding 0, at most 8
// storage buffers per entry point, an invocations or workgroups line for each entry point.
func Parse(name, text string) (*Shader, error) {
	m, err := wgsl.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("shader: %s.wgsl:%w", name, err)
	}
	s := &Shader{Name: name, Text: text, module: m}
	if err := s.read(); err != nil {
		return nil, fmt.Errorf("shader: %s.wgsl: %w", name, err)
	}
	return s, nil
}

// fromModule is the shader of a tree.
func fromModule(name string, m *wgsl.Module) (*Shader, error) {
	s := &Shader{Name: name, Text: m.String(), module: m}
	return s, s.read()
}

// read finds in the tree what the fields of s say.
func (s *Shader) read() error {
	found := false
	for _, d := range s.module.Decls {
		switch d := d.(type) {
		case *wgsl.Const:
			c := Const{Name: d.Name, Value: wgsl.Text(d.Init), value: span{d.From, d.To}}
			if d.Type != nil {
				c.Type = wgsl.Text(d.Type)
			}
			s.Consts = append(s.Consts, c)
		case *wgsl.Struct:
			if d.Name != "Params" {
				break
			}
			found = true
			for _, f := range d.Fields {
				kind := wgsl.Text(f.Type)
				if !slices.Contains([]string{"u32", "i32", "f32"}, kind) {
					return fmt.Errorf("field Params.%s is %s, want u32, i32 or f32", f.Name, kind)
				}
				s.Params = append(s.Params, Field{f.Name, kind})
			}
		case *wgsl.Var:
			if err := s.readBinding(d); err != nil {
				return err
			}
		}
	}
	if !found {
		return fmt.Errorf("no struct Params")
	}
	if err := s.readTest(); err != nil {
		return err
	}
	sort.Slice(s.Bindings, func(i, j int) bool { return s.Bindings[i].Number < s.Bindings[j].Number })
	if len(s.Bindings) == 0 || s.Bindings[0].Number != 0 {
		return fmt.Errorf("no params at binding 0")
	}
	for _, d := range s.module.Decls {
		f, ok := d.(*wgsl.Func)
		if !ok {
			continue
		}
		if _, compute := f.Attribute("compute"); !compute {
			continue
		}
		e, err := s.readEntry(f)
		if err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		s.Entries = append(s.Entries, e)
	}
	if len(s.Entries) == 0 {
		return fmt.Errorf("no @compute entry point")
	}
	return nil
}

// readBinding adds a variable, if it has a group and a binding.
func (s *Shader) readBinding(v *wgsl.Var) error {
	group, grouped := v.Attribute("group")
	at, bound := v.Attribute("binding")
	if !grouped && !bound {
		return nil
	}
	if !grouped || !bound || len(group.Args) != 1 || len(at.Args) != 1 || wgsl.Text(group.Args[0]) != "0" {
		return fmt.Errorf("variable %s, want @group(0) @binding(number)", v.Name)
	}
	number, err := Eval(wgsl.Text(at.Args[0]), s.lookup)
	if err != nil {
		return fmt.Errorf("binding of %s: %w", v.Name, err)
	}
	b := Binding{Number: number, Name: v.Name, Type: wgsl.Text(v.Type)}
	switch {
	case v.Space == "uniform":
		b.Access = "uniform"
	case v.Space == "storage" && (v.Access == "" || v.Access == "read"):
		b.Access = "read"
	case v.Space == "storage" && v.Access == "read_write":
		b.Access = "read_write"
	default:
		return fmt.Errorf("binding %d (%s) has address space %q", number, b.Name, strings.Trim(v.Space+","+v.Access, ","))
	}
	if (number == 0) != (b.Access == "uniform") || (number == 0) != (b.Name == "params") {
		return fmt.Errorf("binding %d is %s %s; binding 0, and no other, is the uniform params", number, b.Access, b.Name)
	}
	if number == 0 && b.Type != "Params" {
		return fmt.Errorf("params is %s, want Params", b.Type)
	}
	s.Bindings = append(s.Bindings, b)
	return nil
}

// readTest reads the line of the header that gives the sizes of a test.
func (s *Shader) readTest() error {
	for _, c := range s.module.Comments {
		line, ok := strings.CutPrefix(c.Text, "test:")
		if !ok || c.Column != 1 {
			continue
		}
		s.Test = map[string]float64{}
		for _, part := range splitTop(strings.TrimSpace(line)) {
			name, value, _ := strings.Cut(part, "=")
			if isName(value) {
				if s.Same == nil {
					s.Same = map[string]string{}
				}
				s.Same[name] = value
				continue
			}
			v, err := strconv.ParseFloat(value, 64)
			if err != nil || !slices.ContainsFunc(s.Params, func(f Field) bool { return f.Name == name }) {
				return fmt.Errorf("test: %q, want a field of Params = a number", part)
			}
			s.Test[name] = v
		}
		return nil
	}
	return nil
}

func isName(text string) bool {
	x, err := wgsl.ParseExpr(text)
	if err != nil {
		return false
	}
	_, ok := x.(*wgsl.Ident)
	return ok
}

func (s *Shader) readEntry(f *wgsl.Func) (Entry, error) {
	e := Entry{Name: f.Name, Workgroup: [3]int{1, 1, 1}}
	size, ok := f.Attribute("workgroup_size")
	if !ok {
		return e, fmt.Errorf("no @workgroup_size")
	}
	for i, x := range size.Args {
		v, err := Eval(wgsl.Text(x), s.lookup)
		if err != nil || i > 2 || v < 1 {
			return e, fmt.Errorf("workgroup size %q: %v", wgsl.Text(x), err)
		}
		e.Workgroup[i] = v
	}
	uses := s.module.Reach(f.Name)
	for _, b := range s.Bindings[1:] {
		if uses[b.Name] {
			e.Bindings = append(e.Bindings, b)
		}
	}
	for name := range uses {
		e.Subgroup = e.Subgroup || wgsl.Subgroup(s.module, name)
	}
	for _, d := range s.module.Decls {
		if v, ok := d.(*wgsl.Var); ok && v.Space == "workgroup" && uses[v.Name] {
			n, err := s.words(v.Type)
			if err != nil {
				return e, fmt.Errorf("workgroup memory %s: %w", v.Name, err)
			}
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
	for _, line := range f.Notes {
		word, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch word {
		case "trips":
			e.Trips = value
		case "flops":
			e.Flops = value
		case "each":
			e.Each = value
		case "invocations", "workgroups":
			e.Size, e.Groups = splitTop(value), word == "workgroups"
		}
	}
	if len(e.Size) < 1 || len(e.Size) > 3 {
		return e, fmt.Errorf("want a line \"// invocations: x[, y[, z]]\" or \"// workgroups: ...\" above it")
	}
	return e, nil
}

// words is how many 32-bit numbers a type of workgroup memory has: numbers, vectors of
// them, and arrays of either.
func (s *Shader) words(kind wgsl.Expr) (int, error) {
	id, ok := kind.(*wgsl.Ident)
	if !ok {
		return 0, fmt.Errorf("its type is %s", wgsl.Text(kind))
	}
	switch id.Name {
	case "f32", "u32", "i32", "bool", "atomic":
		return 1, nil
	case "vec2", "vec2f", "vec2u", "vec2i":
		return 2, nil
	case "vec3", "vec3f", "vec3u", "vec3i", "vec4", "vec4f", "vec4u", "vec4i": // a vec3 takes the place of a vec4
		return 4, nil
	case "array":
		if len(id.Template) == 2 {
			n, err := Eval(wgsl.Text(id.Template[1]), s.lookup)
			if err != nil {
				return 0, err
			}
			each, err := s.words(id.Template[0])
			return n * each, err
		}
	}
	return 0, fmt.Errorf("its type is %s, want numbers, vectors, or arrays of them", wgsl.Text(kind))
}

// lookup gives the module's integer constants to Eval.
func (s *Shader) lookup(name string) (int, bool) {
	c := s.module.Const(name)
	if c == nil {
		return 0, false
	}
	v, err := Eval(wgsl.Text(c.Init), s.lookup)
	return v, err == nil
}

// adds are the arrays that an entry point adds to: those that it writes and that stand in
// a block under "if accumulate", or all that it writes where there is no such block. There
// are none where it leaves elements out for what it loads: what it would assign in place
// of adding is not all of the array then.
func (s *Shader) adds(e Entry, uses map[string]bool) (arrays []string) {
	if !slices.Contains(e.Consts, "accumulate") || wgsl.Partial(s.module, e.Name) {
		return nil
	}
	blocks, found := map[string]bool{}, false
	for _, d := range s.module.Decls {
		if f, ok := d.(*wgsl.Func); ok && (f.Name == e.Name || uses[f.Name]) {
			for _, name := range wgsl.Under(f, "accumulate") {
				blocks[name], found = true, true
			}
		}
	}
	for _, b := range e.Bindings {
		if b.Access == "read_write" && (!found || blocks[b.Name]) {
			arrays = append(arrays, b.Name)
		}
	}
	return arrays
}

// Shapes are the dimensions of the arrays, by name, as the comment that the file
// starts with gives them: "x, y are (rows, size)" makes the expressions rows and size
// of x and of y (see Eval). An array that it says nothing of is not there.
func (s *Shader) Shapes() map[string][]string {
	var header strings.Builder
	for i, c := range s.module.Comments {
		if c.Line != i+1 {
			break
		}
		header.WriteString(c.Text + " ")
	}
	return shapes(header.String())
}

// shapes finds "names is (dimensions)" and "names are (dimensions)" in prose.
func shapes(text string) map[string][]string {
	all := map[string][]string{}
	for i := 0; i < len(text); i++ {
		if text[i] != '(' {
			continue
		}
		end := closing(text, i)
		before := strings.Fields(text[:i])
		n := len(before)
		if end < 0 || n < 2 || before[n-1] != "is" && before[n-1] != "are" {
			continue
		}
		dims := splitTop(text[i+1 : end])
		for k := n - 2; k >= 0; k-- {
			name, more := strings.CutSuffix(before[k], ",")
			if k < n-2 && !more || !isName(name) {
				break
			}
			all[name] = dims
		}
		i = end
	}
	return all
}

// closing is where the parenthesis stands that closes the one at from, or -1.
func closing(text string, from int) int {
	depth := 0
	for i := from; i < len(text); i++ {
		switch text[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
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
