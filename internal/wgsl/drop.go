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
	return (&mapper{cut: reached}).module(m.module(old))
}

// reached are the statements of a list without those behind one that always returns.
func reached(list []Stmt) []Stmt {
	for i, s := range list {
		if returns(s) {
			return list[:i+1]
		}
	}
	return list
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
