package wgsl

import (
	"slices"
	"strconv"
	"strings"
)

// Name is what a declaration declares, "" of a const_assert.
func Name(d Decl) string { return d.declared() }

// NewCall is a call of a function, or a value of a type.
func NewCall(function string, args ...Expr) *Call {
	return &Call{Func: &Ident{Name: function}, Args: args}
}

// NewLiteral is a number of u32.
func NewLiteral(n int) *Literal { return &Literal{Text: strconv.Itoa(n) + "u"} }

// Binding declares a storage buffer of group 0. It returns an error where the type is none.
func Binding(number int, access, name, kind string) (*Var, error) {
	x, err := ParseExpr(kind)
	if err != nil {
		return nil, err
	}
	return &Var{
		Attributes: []Attribute{{"group", []Expr{&Literal{Text: "0"}}}, {"binding", []Expr{&Literal{Text: strconv.Itoa(number)}}}},
		Space:      "storage", Access: access, Name: name, Type: x,
	}, nil
}

// Qualify is an expression with names that are fields of a variable as those fields.
func Qualify(x Expr, variable string, fields map[string]bool) Expr {
	m := &mapper{expr: func(_ *mapper, x Expr) Expr {
		if id, ok := x.(*Ident); ok && fields[id.Name] {
			return &Member{X: &Ident{Name: variable}, Name: id.Name}
		}
		return nil
	}}
	return m.x(x)
}

// Replace is the module with a function in the place of the one of its name.
func Replace(m *Module, f *Func) *Module {
	made := &Module{Directives: m.Directives, Decls: slices.Clone(m.Decls)}
	for i, d := range made.Decls {
		if old, ok := d.(*Func); ok && old.Name == f.Name {
			made.Decls[i] = f
		}
	}
	return made
}

// Without is the module without some declarations.
func Without(m *Module, names ...string) *Module {
	return &Module{Directives: m.Directives, Decls: slices.DeleteFunc(slices.Clone(m.Decls), func(d Decl) bool {
		return d.declared() != "" && slices.Contains(names, d.declared())
	})}
}

// FreshPrefix is a prefix with which no name of the modules starts that has one of the
// words behind it.
func FreshPrefix(words []string, modules ...*Module) string {
	prefix := ""
	for {
		taken := false
		for _, m := range modules {
			for name := range m.Names() {
				rest, ok := strings.CutPrefix(name, prefix)
				taken = taken || ok && slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(rest, w) })
			}
		}
		if !taken {
			return prefix
		}
		prefix += "m_"
	}
}

// NewFunc is a function of parameters of some types.
func NewFunc(name, result string, params []string, kinds []string, body ...Stmt) *Func {
	f := &Func{Name: name, Body: &Block{List: body}}
	for i, p := range params {
		f.Params = append(f.Params, Field{Name: p, Type: typeOf(kinds[i])})
	}
	if result != "" {
		f.Result = typeOf(result)
	}
	return f
}

// typeOf is a type that Pumice itself writes.
func typeOf(text string) Expr {
	x, err := ParseExpr(text)
	if err != nil {
		panic("wgsl: type " + text + ": " + err.Error())
	}
	return x
}

// Operations counts, roughly, what a function does, by itself and by those that it uses:
// its operators and calls, but for those that give the index of an invocation or bound it.
func Operations(m *Module, f *Func) (n int) {
	count := func(f *Func) {
		visit(func(_ *mapper, x Expr) bool {
			switch x.(type) {
			case *Unary, *Binary, *Call:
				n++
			}
			return true
		}).function(f)
	}
	count(f)
	for name := range m.Reach(f.Name) {
		if g := m.Func(name); g != nil && g != f {
			count(g)
		}
	}
	return n
}

// Calls counts the calls of a function in a module.
func Calls(m *Module, function string) (n int) {
	w := visit(func(w *mapper, x Expr) bool {
		if c, ok := x.(*Call); ok && c.Func.Name == function && !w.isLocal(function) {
			n++
		}
		return true
	})
	for _, d := range m.Decls {
		w.decl(d)
	}
	return n
}

// Plain is an entry point as a function that others can call.
func Plain(f *Func) *Func {
	c := *f
	c.Notes, c.Attributes, c.ResultAttributes = nil, nil, nil
	c.Params = slices.Clone(f.Params)
	for i := range c.Params {
		c.Params[i].Attributes = nil
	}
	return &c
}
