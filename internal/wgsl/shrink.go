package wgsl

import "strconv"

// Shrink makes private arrays of a module as long as the largest constant index that they
// are used with says, where they are used with no other: compilers look at each element
// of them.
func Shrink(old *Module) *Module {
	consts := NewConstants(old)
	most, whole := map[string]int64{}, map[string]bool{} // of module variables
	private := map[string]bool{}
	for _, d := range old.Decls {
		if v, ok := d.(*Var); ok && v.Space == "private" && v.Init == nil && lengthOf(consts, v.Type) > 0 {
			private[v.Name] = true
		}
	}
	m := &mapper{}
	m.expr = func(m *mapper, x Expr) Expr {
		switch x := x.(type) {
		case *Index:
			id, ok := x.X.(*Ident)
			if !ok || !private[id.Name] || m.isLocal(id.Name) {
				break
			}
			if v, ok := consts.Eval(m.isLocal, x.I); ok && v.N >= 0 {
				most[id.Name] = max(most[id.Name], v.N)
				return x // a constant index has no parts to look at
			}
		case *Ident:
			whole[x.Name] = whole[x.Name] || private[x.Name]
		}
		return nil
	}
	m.module(old)
	made := &Module{Directives: old.Directives, Decls: make([]Decl, len(old.Decls))}
	for i, d := range old.Decls {
		made.Decls[i] = d
		if v, ok := d.(*Var); ok && private[v.Name] && !whole[v.Name] && most[v.Name]+1 < lengthOf(consts, v.Type) {
			c := *v
			c.Type = shorter(v.Type, most[v.Name]+1)
			made.Decls[i] = &c
		}
	}
	return made
}

// lengthOf is how long an array type is, 0 of another one or where that is not known.
func lengthOf(consts *Constants, x Expr) int64 {
	id, ok := x.(*Ident)
	if !ok || id.Name != "array" || len(id.Template) != 2 {
		return 0
	}
	v, ok := consts.Eval(nil, id.Template[1])
	if !ok {
		return 0
	}
	return v.N
}

// shorter is an array type with another length.
func shorter(x Expr, n int64) Expr {
	return &Ident{Name: "array", Template: []Expr{x.(*Ident).Template[0], &Literal{Text: strconv.FormatInt(n, 10)}}}
}
