package wgsl

import "fmt"

// mostUnrolled is how many times, at most, a body is written out for one loop.
const mostUnrolled = 4096

// mostWritten is how many expressions and statements, at most, one loop becomes: loops in
// each other multiply.
const mostWritten = 1 << 18

// Unroll expands the loops that are marked for it, the inner ones first, into a block for
// each turn. Such a loop counts a variable of its own from a constant up to one, by a
// constant step; a body that leaves the loop, or changes the variable, stays in a loop.
// So does one whose number of turns depends on params that are not baked in. Indices that
// become constants are folded (see Fold). It returns an error where the loop counts in
// another way, or where its number of turns cannot be known.
func Unroll(old *Module) (made *Module, err error) {
	consts := NewConstants(old)
	m := &mapper{}
	m.stmt = func(m *mapper, s Stmt) ([]Stmt, bool) {
		f, ok := s.(*For)
		if !ok || !f.Unroll || err != nil {
			return nil, false
		}
		body := m.inside(f).(*For)
		body.Unroll = false
		list, problem := unroll(body, consts, m.isLocal)
		if problem != nil {
			err = fmt.Errorf("%d:%d: unroll: %w", f.Line, f.Column, problem)
		}
		return list, true
	}
	made = m.module(old)
	if err != nil {
		return nil, err
	}
	return made, nil
}

// unroll is what a loop becomes, whose body has no marked loops any more.
func unroll(f *For, consts *Constants, isLocal func(string) bool) ([]Stmt, error) {
	init, ok := f.Init.(*Local)
	if !ok || init.Word != "var" || init.Init == nil {
		return nil, fmt.Errorf("the loop has no variable of its own, want for (var i = 0u; i < N; i++)")
	}
	first, ok := consts.Eval(isLocal, init.Init)
	if !ok || first.Kind == Bool {
		return nil, fmt.Errorf("the loop over %s starts at %s, want a constant", init.Name, Text(init.Init))
	}
	if kind, typed := consts.kindOf(init.Type); typed {
		first.Kind = kind
	} else if init.Type != nil {
		return nil, fmt.Errorf("the loop over %s counts %s, want u32 or i32", init.Name, Text(init.Type))
	} else if first.Kind == Abstract {
		first.Kind = I32
	}
	step, ok := stepOf(f.Post, init.Name, consts, isLocal)
	if !ok {
		return nil, fmt.Errorf("the loop over %s does not step by a constant, want %s++", init.Name, init.Name)
	}
	cond, ok := f.Cond.(*Binary)
	if !ok || !isName(cond.X, init.Name) || cond.Op != "<" && cond.Op != "<=" {
		return nil, fmt.Errorf("the loop over %s does not test it, want %s < N", init.Name, init.Name)
	}
	within := func(name string) bool { return name == init.Name || isLocal(name) }
	last, ok := consts.Eval(within, cond.Y)
	if !ok {
		if usesParams(cond.Y) {
			return []Stmt{f}, nil
		}
		return nil, fmt.Errorf("the loop over %s runs to %s, want a constant", init.Name, Text(cond.Y))
	}
	if cond.Op == "<=" {
		last.N++
	}
	if leaves(f.Body) || changes(f.Body, init.Name) {
		return []Stmt{f}, nil
	}
	if n := (last.N - first.N + step - 1) / step; n > mostUnrolled {
		return nil, fmt.Errorf("the loop over %s has %d turns, at most %d", init.Name, n, mostUnrolled)
	}
	if n := (last.N - first.N + step - 1) / step * size(f.Body); n > mostWritten {
		return nil, fmt.Errorf("the loop over %s is %d expressions and statements long when expanded, at most %d", init.Name, n, mostWritten)
	}
	var turns []Stmt
	for i := first.N; i < last.N; i += step {
		v, ok := inside(first.Kind, i)
		if !ok {
			return nil, fmt.Errorf("the loop over %s counts to %d", init.Name, i)
		}
		m := &mapper{expr: func(m *mapper, x Expr) Expr { return folded(m, x, consts, isLocal) }}
		m.locals = append(m.locals, local{init.Name, v.expr()})
		turns = append(turns, m.block(f.Body))
	}
	return turns, nil
}

// folded is an access whose index is a constant, with that index as one literal, so that
// every driver sees a constant index; nil is another expression.
func folded(m *mapper, x Expr, consts *Constants, isLocal func(string) bool) Expr {
	at, ok := x.(*Index)
	if !ok {
		return nil
	}
	index := m.x(at.I)
	if v, ok := consts.Eval(func(name string) bool { return isLocal(name) || m.isLocal(name) }, index); ok && v.N >= 0 && v.Kind != Bool {
		index = Value{U32, v.N}.expr()
	}
	return &Index{at.Pos, m.x(at.X), index}
}

// size counts the expressions and statements of a block.
func size(b *Block) (n int64) {
	m := visit(func(*mapper, Expr) bool {
		n++
		return true
	})
	m.stmt = func(*mapper, Stmt) ([]Stmt, bool) {
		n++
		return nil, false
	}
	m.block(b)
	return n
}

func isName(x Expr, name string) bool {
	id, ok := x.(*Ident)
	return ok && id.Name == name && id.Template == nil
}

// stepOf is by how much a statement counts a name on.
func stepOf(s Stmt, name string, consts *Constants, isLocal func(string) bool) (int64, bool) {
	var by Expr
	switch s := s.(type) {
	case *Step:
		return 1, s.Op == "++" && isName(s.L, name)
	case *Assign:
		if !isName(s.L, name) {
			return 0, false
		}
		by = s.R
		if sum, ok := s.R.(*Binary); s.Op == "=" && ok && sum.Op == "+" && isName(sum.X, name) {
			by = sum.Y
		} else if s.Op != "+=" {
			return 0, false
		}
	default:
		return 0, false
	}
	v, ok := consts.Eval(isLocal, by)
	return v.N, ok && v.N > 0 && v.Kind != Bool
}

func usesParams(x Expr) (found bool) {
	visit(func(_ *mapper, x Expr) bool {
		found = found || isName(x, "params")
		return true
	}).x(x)
	return found
}

// leaves reports whether a body has a break or a continue of the loop around it.
func leaves(body *Block) (found bool) {
	var look func(list []Stmt, loop, word bool)
	look = func(list []Stmt, own, ownBreak bool) {
		for _, s := range list {
			switch s := s.(type) {
			case *Jump:
				found = found || s.Word == "continue" && own || s.Word == "break" && ownBreak
			case *Block:
				look(s.List, own, ownBreak)
			case *If:
				look(s.Then.List, own, ownBreak)
				if s.Else != nil {
					look([]Stmt{s.Else}, own, ownBreak)
				}
			case *Switch:
				for _, c := range s.Cases {
					look(c.Body.List, own, false)
				}
			}
		}
	}
	look(body.List, true, true)
	return found
}

// changes reports whether a body writes a variable, or makes a pointer to it.
func changes(body *Block, name string) (found bool) {
	m := visit(func(m *mapper, x Expr) bool {
		if u, ok := x.(*Unary); ok && u.Op == "&" && isName(root(u.X), name) && !m.isLocal(name) {
			found = true
		}
		return true
	})
	m.stmt = func(m *mapper, s Stmt) ([]Stmt, bool) {
		switch s := s.(type) {
		case *Assign:
			found = found || isName(root(s.L), name) && !m.isLocal(name)
		case *Step:
			found = found || isName(root(s.L), name) && !m.isLocal(name)
		}
		return nil, false
	}
	m.block(body)
	return found
}

// root is the variable that an access starts from.
func root(x Expr) Expr {
	for {
		switch a := x.(type) {
		case *Index:
			x = a.X
		case *Member:
			x = a.X
		default:
			return x
		}
	}
}
