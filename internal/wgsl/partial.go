package wgsl

import "slices"

// Partial reports whether an entry point leaves elements out for what it loads: whether it
// stores, or returns, under a condition on what stands in a storage buffer. What it says
// of conditions on indices and params is nothing.
func Partial(m *Module, entry string) bool {
	p := &partial{module: m, loaded: map[string]bool{}, stores: map[string]bool{}}
	reach := m.Reach(entry)
	for _, d := range m.Decls {
		if f, ok := d.(*Func); ok && (f.Name == entry || reach[f.Name]) {
			p.functions = append(p.functions, f)
		}
	}
	for _, f := range p.functions {
		all := m.Reach(f.Name)
		all[f.Name] = true
		for name := range all {
			if g := m.Func(name); g != nil && p.writes(g.Body.List) {
				p.stores[f.Name] = true
			}
		}
	}
	for before := -1; before < len(p.loaded); { // until nothing new depends on a load
		before = len(p.loaded)
		for _, f := range p.functions {
			p.function = f.Name
			p.follow(f.Body.List, false)
		}
	}
	found := false
	for _, f := range p.functions {
		p.function = f.Name
		found = found || p.leaves(f.Body.List, false)
	}
	return found
}

// partial follows loads through functions, whatever the scopes of their names.
type partial struct {
	module    *Module
	functions []*Func         // the entry point and those that it reaches
	stores    map[string]bool // functions that do, themselves or through others
	loaded    map[string]bool // "function.name" that depends on a load; "function." is what it returns
	function  string          // the one at hand
}

// depends reports whether an expression depends on a load, and notes what it passes on to
// functions.
func (p *partial) depends(x Expr) (found bool) {
	if x == nil {
		return false
	}
	w := &mapper{}
	w.expr = func(_ *mapper, x Expr) Expr {
		switch x := x.(type) {
		case *Ident:
			v := p.module.Var(x.Name)
			found = found || p.loaded[p.function+"."+x.Name] || v != nil && v.Space == "storage" || p.loaded["."+x.Name]
		case *Call:
			f := p.module.Func(x.Func.Name)
			if f == nil {
				break
			}
			found = found || p.loaded[f.Name+"."]
			for i, a := range x.Args {
				if i < len(f.Params) && p.depends(a) {
					p.loaded[f.Name+"."+f.Params[i].Name] = true
				}
			}
		}
		return nil
	}
	w.x(x)
	return found
}

// set notes that a variable depends on a load.
func (p *partial) set(x Expr) {
	if u, ok := x.(*Unary); ok {
		x = u.X
	}
	if id, ok := root(x).(*Ident); ok {
		if v := p.module.Var(id.Name); v != nil {
			p.loaded["."+id.Name] = true
			return
		}
		p.loaded[p.function+"."+id.Name] = true
	}
}

// follow notes what depends on loads in statements, under a condition that does or not.
func (p *partial) follow(list []Stmt, under bool) {
	branches(list, func(s Stmt, x Expr, inner ...[]Stmt) {
		depends := p.depends(x)
		switch s := s.(type) {
		case *Local:
			if depends {
				p.loaded[p.function+"."+s.Name] = true
			}
		case *Assign:
			if depends || under {
				p.set(s.L)
			}
		case *Step:
			if under {
				p.set(s.L)
			}
		case *Return:
			if depends || under {
				p.loaded[p.function+"."] = true
			}
		}
		under := under || depends || slices.ContainsFunc(inner, func(l []Stmt) bool { return jumpsUnder(p, l) })
		for _, l := range inner {
			p.follow(l, under)
		}
	})
}

// jumpsUnder reports whether the turns of a loop depend on a load.
func jumpsUnder(p *partial, list []Stmt) (found bool) {
	branches(list, func(_ Stmt, x Expr, inner ...[]Stmt) {
		for _, l := range inner {
			found = found || p.depends(x) && hasJump(l) || jumpsUnder(p, l)
		}
	})
	return found
}

func hasJump(list []Stmt) (found bool) {
	branches(list, func(s Stmt, _ Expr, inner ...[]Stmt) {
		_, jump := s.(*Jump)
		found = found || jump
		for _, l := range inner {
			found = found || hasJump(l)
		}
	})
	return found
}

// leaves reports whether statements store, or return before others could, under a
// condition that depends on a load.
func (p *partial) leaves(list []Stmt, under bool) (found bool) {
	branches(list, func(s Stmt, x Expr, inner ...[]Stmt) {
		if _, ends := s.(*Return); ends && under && p.stores[p.function] {
			found = true
		}
		found = found || under && p.writes([]Stmt{s})
		under := under || p.depends(x) || slices.ContainsFunc(inner, func(l []Stmt) bool { return jumpsUnder(p, l) })
		for _, l := range inner {
			found = found || p.leaves(l, under)
		}
	})
	return found
}

// writes reports whether statements store, themselves or by what they call.
func (p *partial) writes(list []Stmt) (found bool) {
	branches(list, func(s Stmt, x Expr, inner ...[]Stmt) {
		left := Expr(nil)
		switch s := s.(type) {
		case *Assign:
			left = s.L
		case *Step:
			left = s.L
		}
		if id, ok := root(left).(*Ident); ok {
			v := p.module.Var(id.Name)
			found = found || v != nil && v.Space == "storage"
		}
		everyIdent(x, func(id *Ident) { found = found || p.stores[id.Name] })
		for _, l := range inner {
			found = found || p.writes(l)
		}
	})
	return found
}

// branches calls f for each statement of a list, with its expression and the lists inside
// it; the parts of a for statement are lists of it.
func branches(list []Stmt, f func(s Stmt, x Expr, inner ...[]Stmt)) {
	for _, s := range list {
		switch s := s.(type) {
		case *Block:
			f(s, nil, s.List)
		case *If:
			inner := [][]Stmt{s.Then.List}
			if s.Else != nil {
				inner = append(inner, []Stmt{s.Else})
			}
			f(s, s.Cond, inner...)
		case *Switch:
			var inner [][]Stmt
			for _, c := range s.Cases {
				inner = append(inner, c.Body.List)
			}
			f(s, s.X, inner...)
		case *Loop:
			inner := [][]Stmt{s.Body.List}
			if s.Continuing != nil {
				inner = append(inner, s.Continuing.List)
			}
			f(s, s.BreakIf, inner...)
		case *For:
			inner := [][]Stmt{s.Body.List}
			for _, head := range []Stmt{s.Init, s.Post} {
				if head != nil {
					inner = append(inner, []Stmt{head})
				}
			}
			f(s, s.Cond, inner...)
		case *While:
			f(s, s.Cond, s.Body.List)
		case *Return:
			f(s, s.X)
		case *Local:
			f(s, s.Init)
		case *Assign:
			f(s, s.R)
		case *Do:
			f(s, s.Call)
		default:
			f(s, nil)
		}
	}
}
