package wgsl

import "slices"

// Each is an entry point in which invocation i works on element i of the arrays: what it
// stores, it stores at the index of the invocation.
type Each struct {
	// Output is the one array that it writes, at one place, each element that the bound
	// admits exactly once; it reads it only under "if accumulate", or at its own element.
	Output string
	// First says that more can be done with an element before it is stored.
	First bool
	// Elements are the arrays of f32 that it uses, of each the element at its index alone.
	Elements []string
	// Pointwise says that storing is the last that it does, and that it needs nothing of
	// the invocation but the index: it can be a function of an index and elements.
	Pointwise bool

	module *Module
	entry  *Func
	store  *Assign // of entry's body
	index  string  // the name that stands in body for the index
	body   []Stmt  // of entry, without the bound
}

// NewEach looks at an entry point of a module whose workgroups have so many invocations in
// x, and 1 in y and z, and that runs as many invocations as size says, an expression of
// constants and of fields of params. It is nil where the entry point is of another kind.
func NewEach(m *Module, entry string, block int, size Expr) *Each {
	f := m.Func(entry)
	s := &symbols{consts: NewConstants(m), builtins: map[string]string{}, lets: map[string]Expr{}, known: map[string]polynomial{}, local: map[string]bool{}, functions: map[string]*Func{}, block: uint32(block)}
	for _, d := range m.Decls {
		if g, ok := d.(*Func); ok {
			s.functions[g.Name] = g
		}
	}
	for _, p := range f.Params {
		s.local[p.Name] = true
		a, ok := attribute(p.Attributes, "builtin")
		if !ok || len(a.Args) != 1 {
			return nil
		}
		s.builtins[p.Name] = Text(a.Args[0])
	}
	if !s.declarations(m, f) {
		return nil
	}
	list, ok := s.unbounded(f.Body.List, size)
	if !ok || returnsInside(list) {
		return nil
	}
	e := &Each{module: m, entry: f}
	e.index = e.Unused("element")
	e.body = s.indexed(list, e.index)
	e.Output, e.store = e.stored(m, list)
	if e.Output == "" {
		return nil
	}
	e.facts(m, s.uses(e.body))
	return e
}

// Unused is base, or base with underscores behind it, that the module does not use.
func (e *Each) Unused(base string) string {
	names := e.module.Names()
	for names[base] {
		base += "_"
	}
	return base
}

// declarations notes the names that a function declares, and what its lets stand for, of
// those that are declared once, and not by the module as well. It reports whether its
// parameters are declared once.
func (s *symbols) declarations(m *Module, f *Func) bool {
	count := map[string]int{}
	w := &mapper{}
	w.local = func(name string) string {
		count[name]++
		s.local[name] = true
		return name
	}
	w.stmt = func(_ *mapper, one Stmt) ([]Stmt, bool) {
		if l, ok := one.(*Local); ok && l.Word != "var" {
			s.lets[l.Name] = l.Init
		}
		return nil, false
	}
	w.function(f)
	for name, n := range count {
		if n > 1 || m.Declares(name) {
			delete(s.lets, name)
		}
		if n > 1 && s.builtins[name] != "" {
			return false
		}
	}
	return true
}

// unbounded is a body without the bound, and whether there is one: a return, on a line of
// its own, of the invocations from size on and of no others, or an if that holds all that
// the others do.
func (s *symbols) unbounded(list []Stmt, size Expr) ([]Stmt, bool) {
	for i, one := range list {
		c, ok := one.(*If)
		if !ok || c.Else != nil {
			continue
		}
		if len(c.Then.List) == 1 && s.bound(c.Cond, size, false) {
			if r, ok := c.Then.List[0].(*Return); ok && r.X == nil {
				return append(slices.Clone(list[:i]), list[i+1:]...), true
			}
		}
		if i == len(list)-1 && s.bound(c.Cond, size, true) && !shares(list[:i], c.Then.List) {
			return append(slices.Clone(list[:i]), c.Then.List...), true
		}
	}
	return nil, false
}

// bound reports whether a condition holds just for the invocations from size on, or, with
// below, just for those before.
func (s *symbols) bound(x Expr, size Expr, below bool) bool {
	if u, ok := x.(*Unary); ok && u.Op == "!" {
		return s.bound(u.X, size, !below)
	}
	c, ok := x.(*Binary)
	if !ok {
		return false
	}
	index, end := c.X, c.Y
	if c.Op == ">" || c.Op == "<=" { // size <= index, size > index
		index, end = end, index
	}
	switch c.Op {
	case ">=", "<=":
		ok = !below
	case "<", ">":
		ok = below
	default:
		return false
	}
	p, known := s.polynomial(index)
	q, knownEnd := s.polynomial(end)
	n, knownSize := s.polynomial(size)
	return ok && known && knownEnd && knownSize && p.equal(s.element()) && q.equal(n)
}

// indexed is a body in which a name stands for each expression that is the invocation's
// index, without the lets that nobody uses any more.
func (s *symbols) indexed(list []Stmt, name string) []Stmt {
	element := s.element()
	m := &mapper{}
	m.expr = func(_ *mapper, x Expr) Expr {
		switch x.(type) {
		case *Binary, *Member, *Call:
			if p, ok := s.polynomial(x); ok && p.equal(element) {
				return &Ident{Name: name}
			}
		}
		return nil
	}
	list = m.block(&Block{List: list}).List
	for {
		used := map[string]bool{}
		everyExpr(list, func(x Expr) { everyIdent(x, func(id *Ident) { used[id.Name] = true }) })
		kept := slices.DeleteFunc(slices.Clone(list), func(one Stmt) bool {
			l, ok := one.(*Local)
			return ok && l.Word == "let" && !used[l.Name] && !calls(l.Init)
		})
		if len(kept) == len(list) {
			return list
		}
		list = kept
	}
}

// uses reports whether a body uses a parameter of the entry point.
func (s *symbols) uses(list []Stmt) (found bool) {
	everyExpr(list, func(x Expr) {
		everyIdent(x, func(id *Ident) { found = found || s.builtins[id.Name] != "" })
	})
	return found
}

// stored is the array that a body writes, at one place of its own list, and the statement
// that does, or "": the functions that it calls write nothing.
func (e *Each) stored(m *Module, list []Stmt) (array string, store *Assign) {
	bindings := map[string]bool{}
	for _, d := range m.Decls {
		if v, ok := d.(*Var); ok && v.Space == "storage" {
			bindings[v.Name] = true
		}
	}
	writes := map[string]int{} // places, by binding
	count := func(body []Stmt) {
		w := visit(func(w *mapper, x Expr) bool {
			if u, ok := x.(*Unary); ok && u.Op == "&" {
				if id, ok := root(u.X).(*Ident); ok && bindings[id.Name] && !w.isLocal(id.Name) {
					writes[id.Name] += 2 // who knows
				}
			}
			return true
		})
		w.stmt = func(w *mapper, s Stmt) ([]Stmt, bool) {
			var left Expr
			switch s := s.(type) {
			case *Assign:
				left = s.L
			case *Step:
				left = s.L
			}
			if id, ok := root(left).(*Ident); ok && bindings[id.Name] && !w.isLocal(id.Name) {
				writes[id.Name]++
			}
			return nil, false
		}
		w.list(body)
	}
	count(list)
	for name := range m.Reach(e.entry.Name) {
		if f := m.Func(name); f != nil {
			inside := writes
			writes = map[string]int{}
			count(f.Body.List)
			if len(writes) > 0 {
				return "", nil
			}
			writes = inside
		}
	}
	if len(writes) != 1 {
		return "", nil
	}
	for name, n := range writes {
		array = name
		if n != 1 {
			return "", nil
		}
	}
	own, inBody := assignment(list, array), assignment(e.body, array)
	if own == nil || inBody == nil {
		return "", nil
	}
	if at, ok := inBody.L.(*Index); !ok || !isName(at.X, array) || !e.isIndex(e.body, at.I) {
		return "", nil
	}
	return array, own
}

// assignment is the statement of a list itself that sets something of an array, or nil.
func assignment(list []Stmt, array string) *Assign {
	for _, s := range list {
		if a, ok := s.(*Assign); ok && a.Op == "=" && isName(root(a.L), array) {
			return a
		}
	}
	return nil
}

// isIndex reports whether an expression of the body is the name of the index, or a let of it.
func (e *Each) isIndex(body []Stmt, x Expr) bool {
	id, ok := x.(*Ident)
	if !ok {
		return false
	}
	if id.Name == e.index {
		return true
	}
	return e.aliases(body)[id.Name]
}

// aliases are the lets of the body's own list that are the index, and that nothing else in
// it, and nothing of the module, is called.
func (e *Each) aliases(body []Stmt) map[string]bool {
	names, count := map[string]bool{}, map[string]int{}
	m := &mapper{local: func(name string) string {
		count[name]++
		return name
	}}
	m.list(body)
	for _, s := range body {
		if l, ok := s.(*Local); ok && l.Word == "let" && count[l.Name] == 1 && !e.module.Declares(l.Name) {
			if id, ok := l.Init.(*Ident); ok && (id.Name == e.index || names[id.Name]) {
				names[l.Name] = true
			}
		}
	}
	return names
}

// facts finds out what else holds; bound says that the body uses what only an entry point
// has.
func (e *Each) facts(m *Module, bound bool) {
	locals := map[string]bool{}
	w := &mapper{local: func(name string) string {
		locals[name] = true
		return name
	}}
	w.list(e.body)
	aliases := e.aliases(e.body)
	uses, own := map[string]int{}, map[string]int{} // of arrays, and those at the index
	guarded := 0                                    // of the output, under "if accumulate"
	var look func(list []Stmt, accumulating bool)
	count := func(x Expr, accumulating bool) {
		w := &mapper{}
		w.expr = func(_ *mapper, x Expr) Expr {
			switch x := x.(type) {
			case *Ident:
				uses[x.Name]++
			case *Index:
				if id, ok := x.X.(*Ident); ok {
					if at, ok := x.I.(*Ident); ok && (at.Name == e.index || aliases[at.Name]) {
						own[id.Name]++
						if accumulating && id.Name == e.Output {
							guarded++
						}
					}
				}
			}
			return nil
		}
		w.x(x)
	}
	look = func(list []Stmt, accumulating bool) {
		for _, s := range list {
			if i, ok := s.(*If); ok && i.Else == nil && isName(i.Cond, "accumulate") && !locals["accumulate"] && m.Const("accumulate") != nil {
				look(i.Then.List, true)
				continue
			}
			everyExpr([]Stmt{s}, func(x Expr) { count(x, accumulating) })
		}
	}
	look(e.body, false)
	reach := m.Reach(e.entry.Name)
	elsewhere := map[string]bool{}
	private, plain := false, true
	for name := range reach {
		if f := m.Func(name); f != nil {
			for used := range Uses(f) {
				elsewhere[used] = true
			}
		}
		if v := m.Var(name); v != nil && (v.Space == "private" || v.Space == "workgroup") {
			private = true
		}
		plain = plain && !Collective(m, name)
	}
	for _, d := range m.Decls {
		v, ok := d.(*Var)
		if ok && v.Space == "storage" && Text(v.Type) == "array<f32>" && uses[v.Name] > 0 && uses[v.Name] == own[v.Name] && !elsewhere[v.Name] && !locals[v.Name] {
			e.Elements = append(e.Elements, v.Name)
		}
	}
	if !slices.Contains(e.Elements, e.Output) {
		return
	}
	e.First = plain && own[e.Output] == guarded+1
	last, ok := e.body[len(e.body)-1].(*Assign)
	e.Pointwise = plain && !private && !bound && ok && isName(root(last.L), e.Output)
	if own[e.Output] == 1 { // it is stored, and not read
		e.Elements = slices.DeleteFunc(e.Elements, func(name string) bool { return name == e.Output })
	}
}

// Local reports whether the entry point declares a name.
func (e *Each) Local(name string) (found bool) {
	m := &mapper{local: func(declared string) string {
		found = found || declared == name
		return declared
	}}
	m.function(e.entry)
	return found
}

// Under lists the names that stand in blocks of a function that run where a constant of
// the module is true: under "if name", with nothing else in the condition.
func Under(f *Func, name string) (names []string) {
	m := &mapper{}
	m.stmt = func(m *mapper, s Stmt) ([]Stmt, bool) {
		if i, ok := s.(*If); ok && isName(i.Cond, name) && !m.isLocal(name) {
			visit(func(_ *mapper, x Expr) bool {
				if id, ok := x.(*Ident); ok {
					names = append(names, id.Name)
				}
				return true
			}).block(i.Then)
		}
		return nil, false
	}
	m.function(f)
	return names
}
