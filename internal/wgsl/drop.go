package wgsl

// Drop leaves out the branches that constant conditions never take, and what stands
// behind a block that always returns.
func Drop(old *Module) *Module {
	consts := NewConstants(old)
	m := &mapper{}
	m.stmt = func(m *mapper, s Stmt) ([]Stmt, bool) {
		i, ok := s.(*If)
		if !ok {
			return nil, false
		}
		v, ok := consts.Eval(m.isLocal, i.Cond)
		switch {
		case !ok || v.Kind != Bool:
			return nil, false
		case v.N == 1:
			return []Stmt{m.block(i.Then)}, true
		case i.Else == nil:
			return nil, true
		}
		return m.statement(i.Else), true
	}
	made := m.module(old)
	for i, d := range made.Decls {
		if f, ok := d.(*Func); ok {
			c := *f
			c.Body = reached(f.Body)
			made.Decls[i] = &c
		}
	}
	return made
}

// reached is a block without what stands behind a statement that always returns.
func reached(b *Block) *Block {
	m := &mapper{}
	cut := func(list []Stmt) []Stmt {
		for i, s := range list {
			if returns(s) {
				return list[:i+1]
			}
		}
		return list
	}
	m.stmt = func(m *mapper, s Stmt) ([]Stmt, bool) {
		if b, ok := s.(*Block); ok {
			return []Stmt{m.block(&Block{b.Pos, cut(b.List)})}, true
		}
		return nil, false
	}
	return m.block(&Block{b.Pos, cut(b.List)})
}

// returns reports whether a statement is a return, or a block that always comes to one.
func returns(s Stmt) bool {
	switch s := s.(type) {
	case *Return:
		return true
	case *Block:
		return len(s.List) > 0 && returns(s.List[len(s.List)-1])
	}
	return false
}
