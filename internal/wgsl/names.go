package wgsl

// visit calls f for each expression, outer ones first, with the names that are locals
// there. Where f returns false, it leaves out the expression's parts.
func visit(f func(m *mapper, x Expr) bool) *mapper {
	m := &mapper{}
	m.expr = func(m *mapper, x Expr) Expr {
		if !f(m, x) {
			return x
		}
		return nil
	}
	return m
}

// Rename gives declarations of the module other names. It panics where a new name is one
// that a function has for something of its own.
func Rename(old *Module, names map[string]string) *Module {
	m := &mapper{expr: func(m *mapper, x Expr) Expr {
		id, ok := x.(*Ident)
		if !ok || names[id.Name] == "" {
			return nil
		}
		return &Ident{id.Pos, names[id.Name], m.all(id.Template)}
	}}
	made := m.module(old)
	for i, d := range made.Decls {
		to, ok := names[d.declared()]
		if !ok {
			continue
		}
		switch d := d.(type) {
		case *Var:
			d.Name = to
		case *Const:
			d.Name = to
		case *Override:
			d.Name = to
		case *Alias:
			d.Name = to
		case *Struct:
			d.Name = to
		case *Func:
			d.Name = to
		}
		made.Decls[i] = d
	}
	return made
}

// Names are all names that a module declares or uses, those of locals and of built-in
// functions as well, so that a new name can be another one.
func (m *Module) Names() map[string]bool {
	names := map[string]bool{}
	w := visit(func(_ *mapper, x Expr) bool {
		if id, ok := x.(*Ident); ok {
			names[id.Name] = true
		}
		return true
	})
	w.local = func(name string) string {
		names[name] = true
		return name
	}
	for _, d := range m.Decls {
		names[d.declared()] = true
		w.decl(d)
	}
	return names
}

// Uses are the names that a declaration uses and that are none of its own.
func Uses(d Decl) map[string]bool {
	names := map[string]bool{}
	visit(func(m *mapper, x Expr) bool {
		if id, ok := x.(*Ident); ok {
			names[id.Name] = true
		}
		return true
	}).decl(d)
	return names
}

// Reach are the names that a declaration uses, itself and through the declarations that
// it uses.
func (m *Module) Reach(name string) map[string]bool {
	decls := map[string]Decl{}
	for _, d := range m.Decls {
		decls[d.declared()] = d
	}
	all := map[string]bool{}
	var follow func(name string)
	follow = func(name string) {
		d := decls[name]
		if d == nil {
			return
		}
		for used := range Uses(d) {
			if !all[used] {
				all[used] = true
				follow(used)
			}
		}
	}
	follow(name)
	return all
}

// Only is the module with what one declaration needs: itself, and what it reaches.
func (m *Module) Only(name string) *Module {
	reach := m.Reach(name)
	made, declared := &Module{Directives: m.Directives}, map[string]bool{}
	for _, d := range m.Decls {
		declared[d.declared()] = true
	}
	for _, d := range m.Decls {
		own := d.declared()
		keep := own == name || reach[own]
		if _, assert := d.(*Assert); assert { // of what stays
			keep = true
			for used := range Uses(d) {
				keep = keep && (!declared[used] || reach[used])
			}
		}
		if keep {
			made.Decls = append(made.Decls, d)
		}
	}
	return made
}
