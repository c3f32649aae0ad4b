package wgsl

import "slices"

// StoresThrough reports whether an entry point stores to an array only what it hands, with
// the same index, to one of some functions that return it as it is (slots), and reads the
// array only under "if accumulate". Another function can then do more with what is
// stored.
func StoresThrough(m *Module, entry, array string, slots ...string) bool {
	stores, handed, reads := 0, 0, 0
	ok := true
	isSlot := func(w *mapper, x Expr) *Call {
		c, isCall := x.(*Call)
		if isCall && len(c.Args) == 2 && slices.Contains(slots, c.Func.Name) && !w.isLocal(c.Func.Name) {
			return c
		}
		return nil
	}
	check := func(f *Func) {
		guarded := map[Expr]bool{}
		w := visit(func(w *mapper, x Expr) bool {
			if isSlot(w, x) != nil {
				handed++
			}
			if isName(x, array) {
				reads++
			}
			return true
		})
		w.stmt = func(w *mapper, s Stmt) ([]Stmt, bool) {
			switch s := s.(type) {
			case *Assign:
				if !isName(root(s.L), array) || w.isLocal(array) {
					break
				}
				stores++
				at, element := s.L.(*Index)
				c := isSlot(w, s.R)
				ok = ok && s.Op == "=" && element && isName(at.X, array) && c != nil && Text(c.Args[0]) == Text(at.I) && !calls(at.I)
			case *Step:
				ok = ok && (!isName(root(s.L), array) || w.isLocal(array))
			case *If:
				if isName(s.Cond, "accumulate") && !w.isLocal("accumulate") && m.Const("accumulate") != nil {
					visit(func(w *mapper, x Expr) bool {
						if isName(x, array) {
							guarded[x] = true
						}
						return true
					}).block(s.Then)
				}
			}
			return nil, false
		}
		w.function(f)
		reads -= len(guarded)
	}
	uses := m.Reach(entry)
	for _, d := range m.Decls {
		f, isFunc := d.(*Func)
		if !isFunc || f.Name != entry && !uses[f.Name] {
			continue
		}
		if slices.Contains(slots, f.Name) {
			ok = ok && identity(f)
			continue
		}
		check(f)
	}
	return ok && stores > 0 && handed == stores && reads == stores
}

// identity reports whether a function returns its second parameter, and does nothing else.
func identity(f *Func) bool {
	if len(f.Params) != 2 || len(f.Body.List) != 1 {
		return false
	}
	r, ok := f.Body.List[0].(*Return)
	return ok && isName(r.X, f.Params[1].Name) && f.Params[0].Name != f.Params[1].Name
}
