package wgsl

import "fmt"

// Specialise is the module of one entry point, without what it does not reach, with other
// values of some constants and, where params is not nil, with those values of the fields
// of the structure that the variable params has, in order, in the place of the variable.
// It returns an error where a constant does not exist or the number of values is wrong.
func Specialise(m *Module, entry string, consts map[string]Expr, params []Expr) (*Module, error) {
	if f := m.Func(entry); f == nil {
		return nil, fmt.Errorf("no function %s", entry)
	}
	for name := range consts {
		if m.Const(name) == nil {
			return nil, fmt.Errorf("no constant %s", name)
		}
	}
	made := &Module{Directives: m.Directives}
	for _, d := range m.Decls {
		switch d := d.(type) {
		case *Func:
			if _, other := d.Attribute("compute"); other && d.Name != entry {
				continue
			}
		case *Const:
			if v, ok := consts[d.Name]; ok {
				made.Decls = append(made.Decls, &Const{Pos: d.Pos, Name: d.Name, Type: d.Type, Init: v})
				continue
			}
		case *Var:
			if d.Name != "params" || params == nil {
				break
			}
			if n := fields(m, d.Type); n != len(params) {
				return nil, fmt.Errorf("%d params, want %d", len(params), n)
			}
			made.Decls = append(made.Decls, &Const{Pos: d.Pos, Name: d.Name, Init: &Call{Func: d.Type.(*Ident), Args: params}})
			continue
		}
		made.Decls = append(made.Decls, d)
	}
	return made.Only(entry), nil
}

// fields is how many fields a structure has.
func fields(m *Module, kind Expr) int {
	for _, d := range m.Decls {
		if s, ok := d.(*Struct); ok && s.Name == Text(kind) {
			return len(s.Fields)
		}
	}
	return 0
}
