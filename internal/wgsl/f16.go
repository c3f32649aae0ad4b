package wgsl

import (
	"fmt"
	"strings"
)

// EnableF16 is the directive of a text that has the type f16.
const EnableF16 = "enable f16"

// StoreF16 stores the arrays of some bindings as f16: array<f32> becomes array<f16>, and
// arrays of vectors likewise; what is read of them is converted to f32, and what is written
// from it. The arithmetic stays that of f32. It returns an error where a name is no
// binding of f32 numbers, or is used other than by element.
func StoreF16(old *Module, names ...string) (made *Module, err error) {
	if len(names) == 0 {
		return old, nil
	}
	s := &halving{module: old, elements: map[string]Expr{}}
	for _, name := range names {
		v := old.Var(name)
		if v == nil {
			return nil, fmt.Errorf("no binding %s", name)
		}
		element := elementOf(v.Type)
		if element == nil {
			return nil, fmt.Errorf("binding %s is %s, want an array of f32 or of vectors of f32", name, Text(v.Type))
		}
		s.elements[name] = element
	}
	m := &mapper{expr: s.read}
	m.stmt = s.write
	made = m.module(old)
	if s.err != nil {
		return nil, s.err
	}
	for _, d := range made.Decls {
		if v, ok := d.(*Var); ok && s.elements[v.Name] != nil {
			v.Type = &Ident{Name: "array", Template: []Expr{half(s.elements[v.Name])}}
		}
	}
	return Enable(made, EnableF16), nil
}

// Enable is the module with a directive.
func Enable(m *Module, directive string) *Module {
	for _, d := range m.Directives {
		if d == directive {
			return m
		}
	}
	return &Module{append([]string{directive}, m.Directives...), m.Decls, m.Comments}
}

// halving stores bindings as f16.
type halving struct {
	module   *Module
	elements map[string]Expr // their types, as the shader has them, by binding
	err      error
}

// elementOf is f32 or a vector of it, of an array of those without a length.
func elementOf(x Expr) Expr {
	array, ok := x.(*Ident)
	if !ok || array.Name != "array" || len(array.Template) != 1 {
		return nil
	}
	switch Text(array.Template[0]) {
	case "f32", "vec2<f32>", "vec3<f32>", "vec4<f32>", "vec2f", "vec3f", "vec4f":
		return array.Template[0]
	}
	return nil
}

// half is the type f32, or a vector of it, with f16 in its place.
func half(element Expr) *Ident {
	id := element.(*Ident)
	switch {
	case id.Name == "f32":
		return &Ident{Name: "f16"}
	case id.Template == nil: // vec4f
		return &Ident{Name: strings.TrimSuffix(id.Name, "f") + "h"}
	}
	return &Ident{Name: id.Name, Template: []Expr{&Ident{Name: "f16"}}}
}

// binding is the name that an expression has, if it is one of the bindings' here.
func (s *halving) binding(m *mapper, x Expr) (string, bool) {
	id, ok := x.(*Ident)
	if !ok || s.elements[id.Name] == nil || m.isLocal(id.Name) {
		return "", false
	}
	return id.Name, true
}

func (s *halving) fail(x Expr, format string, args ...any) {
	if s.err != nil {
		return
	}
	pos := Pos{}
	switch x := x.(type) {
	case *Ident:
		pos = x.Pos
	case *Unary:
		pos = x.Pos
	case *Index:
		pos = x.Pos
	}
	s.err = fmt.Errorf("%d:%d: %s", pos.Line, pos.Column, fmt.Sprintf(format, args...))
}

// read converts what is read.
func (s *halving) read(m *mapper, x Expr) Expr {
	switch x := x.(type) {
	case *Index:
		if name, ok := s.binding(m, x.X); ok {
			return &Call{x.Pos, s.elements[name].(*Ident), []Expr{&Index{x.Pos, x.X, m.x(x.I)}}}
		}
	case *Unary:
		if name, ok := s.binding(m, root(x.X)); ok && x.Op == "&" {
			if _, whole := x.X.(*Ident); whole {
				s.fail(x, "%s is used other than by element", name)
			} else {
				s.fail(x, "a pointer to %s", name)
			}
			return x
		}
	case *Ident:
		if name, ok := s.binding(m, x); ok {
			s.fail(x, "%s is used other than by element", name)
			return x
		}
	}
	return nil
}

// write converts what is written: to an element, or to a component of one.
func (s *halving) write(m *mapper, one Stmt) ([]Stmt, bool) {
	var left Expr
	switch one := one.(type) {
	case *Assign:
		left = one.L
	case *Step:
		left = one.L
	}
	name, ok := s.binding(m, root(left))
	if !ok {
		return nil, false
	}
	a, ok := one.(*Assign)
	if !ok {
		s.fail(root(left), "%s is stepped", name)
		return nil, true
	}
	target, part := s.target(m, a.L, name)
	if target == nil {
		return nil, true
	}
	kind := half(s.elements[name])
	if part {
		kind = &Ident{Name: "f16"}
	}
	value := m.x(a.R)
	if op := strings.TrimSuffix(a.Op, "="); op != "" {
		if s.calls(a.L) {
			s.fail(root(left), "%s is changed in place at an index that calls a function of the shader", name)
			return nil, true
		}
		value = &Binary{a.Pos, op, m.x(a.L), value}
	}
	return []Stmt{&Assign{a.Pos, "=", target, &Call{a.Pos, kind, []Expr{value}}}}, true
}

// target is the place that is written, with what its indices read converted, and whether
// it is a component of a vector.
func (s *halving) target(m *mapper, x Expr, name string) (to Expr, part bool) {
	at, component := x, Expr(nil)
	switch a := x.(type) {
	case *Member:
		at, component = a.X, a
	case *Index:
		if _, whole := a.X.(*Ident); !whole {
			at, component = a.X, a
		}
	}
	element, ok := at.(*Index)
	if !ok || !isName(element.X, name) {
		s.fail(root(x), "%s is used other than by element", name)
		return nil, false
	}
	to = &Index{element.Pos, element.X, m.x(element.I)}
	switch a := component.(type) {
	case *Member:
		to = &Member{a.Pos, to, a.Name}
	case *Index:
		to = &Index{a.Pos, to, m.x(a.I)}
	}
	return to, component != nil
}

// calls reports whether an expression calls a function of the module.
func (s *halving) calls(x Expr) (found bool) {
	visit(func(_ *mapper, x Expr) bool {
		if c, ok := x.(*Call); ok {
			found = found || s.module.Func(c.Func.Name) != nil
		}
		return true
	}).x(x)
	return found
}

// calls reports whether an expression calls anything.
func calls(x Expr) (found bool) {
	visit(func(_ *mapper, x Expr) bool {
		_, call := x.(*Call)
		found = found || call
		return true
	}).x(x)
	return found
}
