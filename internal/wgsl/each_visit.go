package wgsl

import "slices"

// everyExpr calls f for each expression of statements, none of them inside another.
func everyExpr(list []Stmt, f func(x Expr)) {
	var walk func(list []Stmt)
	one := func(x Expr) {
		if x != nil {
			f(x)
		}
	}
	walk = func(list []Stmt) {
		for _, s := range list {
			switch s := s.(type) {
			case *Block:
				walk(s.List)
			case *If:
				one(s.Cond)
				walk(s.Then.List)
				if s.Else != nil {
					walk([]Stmt{s.Else})
				}
			case *Switch:
				one(s.X)
				for _, c := range s.Cases {
					for _, x := range c.Selectors {
						one(x)
					}
					walk(c.Body.List)
				}
			case *Loop:
				walk(s.Body.List)
				if s.Continuing != nil {
					walk(s.Continuing.List)
					one(s.BreakIf)
				}
			case *For:
				if s.Init != nil {
					walk([]Stmt{s.Init})
				}
				one(s.Cond)
				if s.Post != nil {
					walk([]Stmt{s.Post})
				}
				walk(s.Body.List)
			case *While:
				one(s.Cond)
				walk(s.Body.List)
			case *Return:
				one(s.X)
			case *Local:
				one(s.Type)
				one(s.Init)
			case *Assign:
				one(s.L)
				one(s.R)
			case *Step:
				one(s.L)
			case *Do:
				one(s.Call)
			case *Assert:
				one(s.X)
			}
		}
	}
	walk(list)
}

// everyIdent calls f for each name of an expression.
func everyIdent(x Expr, f func(id *Ident)) {
	m := &mapper{}
	m.expr = func(_ *mapper, x Expr) Expr {
		if id, ok := x.(*Ident); ok {
			f(id)
		}
		return nil
	}
	m.x(x)
}

// returnsInside reports whether statements return.
func returnsInside(list []Stmt) (found bool) {
	m := &mapper{}
	m.stmt = func(_ *mapper, s Stmt) ([]Stmt, bool) {
		switch s := s.(type) {
		case *Return:
			found = true
		case *Jump:
			found = found || s.Word == "discard"
		}
		return nil, false
	}
	m.list(list)
	return found
}

// shares reports whether two lists of statements declare one name.
func shares(a, b []Stmt) bool {
	names := map[string]bool{}
	for _, s := range a {
		if l, ok := s.(*Local); ok {
			names[l.Name] = true
		}
	}
	return slices.ContainsFunc(b, func(s Stmt) bool {
		l, ok := s.(*Local)
		return ok && names[l.Name]
	})
}
