package wgsl

import "slices"

// Finish is the entry point with what it stores handed to a function first, with the index.
func (e *Each) Finish(function string) *Func {
	m := &mapper{stmt: func(m *mapper, s Stmt) ([]Stmt, bool) {
		if s != Stmt(e.store) {
			return nil, false
		}
		at := e.store.L.(*Index).I
		return []Stmt{&Assign{e.store.Pos, "=", e.store.L, &Call{Func: &Ident{Name: function}, Args: []Expr{at, e.store.R}}}}, true
	}}
	return m.function(e.entry)
}

// Function is a pointwise entry point as a function that returns what it would store, of
// the index and, where a name is given, of the element that stands in the place of those
// of some arrays.
func (e *Each) Function(name, index, element string, handed []string) *Func {
	aliases := e.aliases(e.body)
	m := &mapper{}
	m.expr = func(_ *mapper, x Expr) Expr {
		switch x := x.(type) {
		case *Ident:
			if x.Name == e.index {
				return &Ident{Name: index}
			}
		case *Index:
			at, ok := x.I.(*Ident)
			if id, named := x.X.(*Ident); ok && named && (at.Name == e.index || aliases[at.Name]) && slices.Contains(handed, id.Name) {
				return &Ident{Name: element}
			}
		}
		return nil
	}
	n := len(e.body) - 1
	body := append(slices.Clone(e.body[:n]), &Return{X: e.body[n].(*Assign).R})
	f := &Func{Name: name, Params: []Field{{Name: index, Type: &Ident{Name: "u32"}}, {Name: element, Type: &Ident{Name: "f32"}}}, Result: &Ident{Name: "f32"}}
	f.Body = m.block(&Block{List: body})
	return f
}
