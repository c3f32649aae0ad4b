package shader

import (
	"fmt"

	"github.com/pumice-ml/pumice/internal/wgsl"
)

// slots are the functions through which an entry point stores what it computes, one
// element at a time, or four from element 4 i on. A file defines them to return v;
// Chain puts in their place what is done with v before it is stored.
const (
	slot     = "finish"
	wideSlot = "finish4"
)

// each is what is known of an entry point that works element by element, or nil.
func (s *Shader) each(e Entry) *wgsl.Each { return s.eachOf(s.module, e) }

// eachOf is each of an entry point as it stands in a module made of the shader's.
func (s *Shader) eachOf(m *wgsl.Module, e Entry) *wgsl.Each {
	if len(e.Size) != 1 || e.Groups || e.Subgroup || e.Workgroup[1] != 1 || e.Workgroup[2] != 1 {
		return nil
	}
	size, err := wgsl.ParseExpr(e.Size[0])
	if err != nil {
		return nil
	}
	fields := map[string]bool{}
	for _, f := range s.Params {
		fields[f.Name] = true
	}
	return wgsl.NewEach(m, e.Name, e.Workgroup[0], wgsl.Qualify(size, "params", fields))
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
	if y == "" {
		return "", false
	}
	uses := s.module.Reach(e.Name)
	if uses[slot] || uses[wideSlot] {
		if wgsl.StoresThrough(s.module, e.Name, y, slot, wideSlot) {
			return y, false
		}
		return "", false
	}
	if each := s.each(e); each != nil && each.Output == y && each.First && !each.Local(slot) {
		return y, true
	}
	return "", false
}

// Pointwise lists the arrays of which invocation i of an entry point reads element i
// alone, where the last thing that it does is to store element i of the one array that
// it writes: Chain can hand it an element of one of them in place of the array. Where it
// adds to what it writes, that array is one of them. It is nil for other entry points.
func (s *Shader) Pointwise(e Entry) []string {
	each := s.each(e)
	if each == nil || !each.Pointwise || each.Output != e.written() || e.Trips != "" || len(each.Elements) == 0 {
		return nil
	}
	return each.Elements
}

// Link is an entry point that Chain puts behind another.
type Link struct {
	Shader *Shader
	Entry  Entry  // one that is Pointwise
	Text   string // as Specialize writes it, with params, and StoreF16 has not changed it
	// Bindings are the numbers that the entry point's bindings have in the chain's text,
	// or Handed. The array that it writes has that in which the next link keeps what it is
	// handed, or for the last link that of the first entry point's.
	Bindings []int
	// Keep is the binding in which what the link is handed is stored as well, 0 for none.
	Keep int
	// Half says that what the link is handed is rounded to f16 first, as it would be by
	// being stored so. The text then needs EnableF16.
	Half bool
}

// Handed is the number of a binding whose element is handed from link to link.
const Handed = -1

// chaining is a chain as it is written.
type chaining struct {
	made    *wgsl.Module
	prefix  string         // of the names that it makes
	numbers map[int]string // names of its bindings
}

// bind declares a binding, if there is none of the number, and returns its name.
func (c *chaining) bind(number int, access, kind string) (string, error) {
	if name := c.numbers[number]; name != "" {
		return name, nil
	}
	c.numbers[number] = fmt.Sprintf("%schained_%d", c.prefix, number)
	v, err := wgsl.Binding(number, access, c.numbers[number], kind)
	if err == nil {
		c.made.Decls = append(c.made.Decls, v)
	}
	return c.numbers[number], err
}

// Chain is the shader of an entry point, the only one, that does with each element that
// it computes (see Output) what the links do with it, before it stores it.
func Chain(s *Shader, e Entry, links []Link) (*Shader, error) {
	output, indexed := s.Output(e)
	if output == "" {
		return nil, fmt.Errorf("shader: Chain: %s.%s does not write each element of one array", s.Name, e.Name)
	}
	c := &chaining{numbers: map[int]string{}}
	modules := []*wgsl.Module{s.module}
	for _, l := range links {
		m, err := wgsl.Parse(l.Text)
		if err != nil {
			return nil, fmt.Errorf("shader: Chain: %s.%s:%w", l.Shader.Name, l.Entry.Name, err)
		}
		modules = append(modules, m)
	}
	c.prefix = wgsl.FreshPrefix(chainWords(len(links)), modules...)
	own := map[string]string{} // names that no local of a link has
	for _, b := range e.Bindings {
		c.numbers[b.Number] = fmt.Sprintf("%schained_%d", c.prefix, b.Number)
		own[b.Name] = c.numbers[b.Number]
	}
	head := s.module
	if indexed {
		head = wgsl.Replace(head, s.each(e).Finish(slot))
	}
	c.made = wgsl.Rename(wgsl.Without(head.Only(e.Name), slot, wideSlot), own)
	uses := s.module.Reach(e.Name)
	value := wgsl.Expr(&wgsl.Ident{Name: "v"})
	var body []wgsl.Stmt
	for k, l := range links {
		if l.Shader.Pointwise(l.Entry) == nil || len(l.Bindings) != len(l.Entry.Bindings) {
			return nil, fmt.Errorf("shader: Chain: %s.%s cannot be a link", l.Shader.Name, l.Entry.Name)
		}
		if l.Half {
			value = wgsl.NewCall("f32", wgsl.NewCall("f16", value))
		}
		if l.Keep != 0 {
			kept, err := c.bind(l.Keep, "read_write", "array<f32>")
			if err != nil {
				return nil, fmt.Errorf("shader: Chain: %w", err)
			}
			body = append(body, &wgsl.Assign{Op: "=", L: &wgsl.Index{X: &wgsl.Ident{Name: kept}, I: &wgsl.Ident{Name: "i"}}, R: value})
		}
		// What a link adds to is what it leaves: the chain's output, or what is kept of it.
		to := own[output]
		if k+1 < len(links) && links[k+1].Keep != 0 {
			kept, err := c.bind(links[k+1].Keep, "read_write", "array<f32>")
			if err != nil {
				return nil, fmt.Errorf("shader: Chain: %w", err)
			}
			to = kept
		}
		function, err := c.link(k, l, modules[k+1], to)
		if err != nil {
			return nil, fmt.Errorf("shader: Chain: %s.%s: %w", l.Shader.Name, l.Entry.Name, err)
		}
		name := fmt.Sprintf("%se%d_value", c.prefix, k)
		body = append(body, &wgsl.Local{Word: "let", Name: name, Init: wgsl.NewCall(function, &wgsl.Ident{Name: "i"}, value)})
		value = &wgsl.Ident{Name: name}
	}
	c.made.Decls = append(c.made.Decls, slotFunction(slot, "f32", append(body, &wgsl.Return{X: value})...))
	if uses[wideSlot] {
		c.made.Decls = append(c.made.Decls, slotFunction(wideSlot, "vec4<f32>", &wgsl.Return{X: wide()}))
	}
	made, err := fromModule(s.Name, c.made)
	if err != nil {
		return nil, fmt.Errorf("shader: Chain: %w", err)
	}
	return made, nil
}

// chainWords are what the names start with that Chain makes.
func chainWords(links int) []string {
	words := []string{"chained_"}
	for k := range links {
		words = append(words, fmt.Sprintf("e%d_", k))
	}
	return words
}

// link adds a link's declarations, and returns the name of its function. Where it reads
// the array that it writes, that is the one called result.
func (c *chaining) link(k int, l Link, m *wgsl.Module, result string) (string, error) {
	prefix := fmt.Sprintf("%se%d_", c.prefix, k)
	each := l.Shader.eachOf(m, l.Entry)
	if each == nil || !each.Pointwise {
		return "", fmt.Errorf("with its params it cannot be a link")
	}
	var handed []string
	names := map[string]string{}
	for j, b := range l.Entry.Bindings {
		var err error
		switch {
		case l.Bindings[j] == Handed:
			handed = append(handed, b.Name)
		case b.Name == l.Entry.written():
			names[b.Name] = result
		default:
			names[b.Name], err = c.bind(l.Bindings[j], b.Access, b.Type)
		}
		if err != nil {
			return "", err
		}
	}
	index, element := each.Unused("i"), each.Unused("handed")
	function := each.Function(l.Entry.Name, prefix+index, prefix+element, handed)
	m = wgsl.Replace(m, function).Only(l.Entry.Name)
	for _, d := range m.Decls {
		if name := wgsl.Name(d); names[name] == "" {
			names[name] = prefix + name
		}
	}
	for _, d := range wgsl.Rename(m, names).Decls {
		if v, ok := d.(*wgsl.Var); !ok || v.Space != "storage" {
			c.made.Decls = append(c.made.Decls, d)
		}
	}
	return names[l.Entry.Name], nil
}

// slotFunction is what stands in the place of a slot.
func slotFunction(name, kind string, body ...wgsl.Stmt) *wgsl.Func {
	return wgsl.NewFunc(name, kind, []string{"i", "v"}, []string{"u32", kind}, body...)
}

// wide is the call of the slot for each element of a vector.
func wide() wgsl.Expr {
	var parts []wgsl.Expr
	for k, component := range []string{"x", "y", "z", "w"} {
		at := wgsl.Expr(&wgsl.Binary{Op: "*", X: wgsl.NewLiteral(4), Y: &wgsl.Ident{Name: "i"}})
		if k > 0 {
			at = &wgsl.Binary{Op: "+", X: at, Y: wgsl.NewLiteral(k)}
		}
		parts = append(parts, wgsl.NewCall(slot, at, &wgsl.Member{X: &wgsl.Ident{Name: "v"}, Name: component}))
	}
	return &wgsl.Call{Func: &wgsl.Ident{Name: "vec4", Template: []wgsl.Expr{&wgsl.Ident{Name: "f32"}}}, Args: parts}
}

// Stores counts the elements that a specialised text of Chain's calls the links for. It is
// 0 of what is no text.
func Stores(text string) int {
	m, err := wgsl.Parse(text)
	if err != nil {
		return 0
	}
	n := wgsl.Calls(m, slot)
	if m.Func(wideSlot) != nil {
		n += 4*wgsl.Calls(m, wideSlot) - 4
	}
	return n
}

// Operations counts, roughly, what a link does: the operators and calls in its text and
// in that of the functions that it uses.
func (l *Link) Operations() int {
	each := l.Shader.each(l.Entry)
	if each == nil {
		return 0
	}
	return wgsl.Operations(l.Shader.module, each.Function(l.Entry.Name, "i", "v", nil))
}
