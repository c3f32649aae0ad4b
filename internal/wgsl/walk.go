package wgsl

// mapper makes a new tree of an old one. It knows which names are locals of the function
// at hand, so that what has the name of a declaration of the module but is none is left
// alone.
type mapper struct {
	// expr gives what stands in the place of an expression; nil is the expression with its
	// parts mapped.
	expr func(m *mapper, x Expr) Expr
	// stmt gives the statements in the place of one; ok is false for the statement with its
	// parts mapped.
	stmt func(m *mapper, s Stmt) (list []Stmt, ok bool)
	// local gives the name that a declaration of the function at hand gets.
	local func(name string) string
	// cut gives the statements that stay of a list, mapped.
	cut func(list []Stmt) []Stmt

	locals []local
}

// local is a name that means something in the function at hand.
type local struct {
	name string
	with Expr // what stands in its place; nil is the name itself
}

// isLocal reports whether a name is one of the function at hand.
func (m *mapper) isLocal(name string) bool {
	for i := len(m.locals) - 1; i >= 0; i-- {
		if m.locals[i].name == name {
			return true
		}
	}
	return false
}

// declare opens the scope of a name, and returns what it is called now.
func (m *mapper) declare(name string) string {
	to := name
	if m.local != nil {
		to = m.local(name)
	}
	l := local{name: name}
	if to != name {
		l.with = &Ident{Name: to}
	}
	m.locals = append(m.locals, l)
	return to
}

// module maps all declarations.
func (m *mapper) module(old *Module) *Module {
	made := &Module{Directives: old.Directives, Decls: make([]Decl, len(old.Decls))}
	for i, d := range old.Decls {
		made.Decls[i] = m.decl(d)
	}
	return made
}

func (m *mapper) decl(d Decl) Decl {
	switch d := d.(type) {
	case *Var:
		c := *d
		c.Attributes, c.Type, c.Init = m.attributes(d.Attributes), m.x(d.Type), m.x(d.Init)
		return &c
	case *Const:
		c := *d
		c.Type, c.Init = m.x(d.Type), m.x(d.Init)
		return &c
	case *Override:
		c := *d
		c.Attributes, c.Type, c.Init = m.attributes(d.Attributes), m.x(d.Type), m.x(d.Init)
		return &c
	case *Alias:
		c := *d
		c.Type = m.x(d.Type)
		return &c
	case *Struct:
		c := *d
		c.Fields = m.fields(d.Fields)
		return &c
	case *Assert:
		return &Assert{d.Pos, m.x(d.X)}
	case *Func:
		return m.function(d)
	}
	return d
}

func (m *mapper) function(f *Func) *Func {
	defer func(n int) { m.locals = m.locals[:n] }(len(m.locals))
	c := *f
	c.Attributes, c.Result, c.ResultAttributes = m.attributes(f.Attributes), m.x(f.Result), m.attributes(f.ResultAttributes)
	c.Params = m.fields(f.Params)
	for i := range c.Params {
		c.Params[i].Name = m.declare(c.Params[i].Name)
	}
	c.Body = &Block{f.Body.Pos, m.list(f.Body.List)} // parameters and body share a scope
	return &c
}

func (m *mapper) fields(all []Field) []Field {
	made := make([]Field, len(all))
	for i, f := range all {
		made[i] = Field{m.attributes(f.Attributes), f.Name, m.x(f.Type)}
	}
	return made
}

// attributes maps arguments, but not of those attributes whose arguments are words of
// their own.
func (m *mapper) attributes(all []Attribute) []Attribute {
	made := make([]Attribute, len(all))
	for i, a := range all {
		made[i] = a
		if a.Args != nil && a.Name != "builtin" && a.Name != "interpolate" && a.Name != "diagnostic" {
			made[i].Args = m.all(a.Args)
		}
	}
	return made
}

func (m *mapper) all(list []Expr) []Expr {
	if list == nil {
		return nil
	}
	made := make([]Expr, len(list))
	for i, x := range list {
		made[i] = m.x(x)
	}
	return made
}

// x maps an expression.
func (m *mapper) x(x Expr) Expr {
	if x == nil {
		return nil
	}
	if id, ok := x.(*Ident); ok {
		for i := len(m.locals) - 1; i >= 0; i-- {
			if m.locals[i].name == id.Name {
				if m.locals[i].with != nil {
					return m.locals[i].with
				}
				return x
			}
		}
	}
	if m.expr != nil {
		if made := m.expr(m, x); made != nil {
			return made
		}
	}
	return m.parts(x)
}

// parts is an expression with its parts mapped.
func (m *mapper) parts(x Expr) Expr {
	switch x := x.(type) {
	case *Ident:
		if x.Template == nil {
			return x
		}
		return &Ident{x.Pos, x.Name, m.all(x.Template)}
	case *Unary:
		return &Unary{x.Pos, x.Op, m.x(x.X)}
	case *Binary:
		return &Binary{x.Pos, x.Op, m.x(x.X), m.x(x.Y)}
	case *Call:
		c := &Call{Pos: x.Pos, Args: m.all(x.Args)}
		if made, ok := m.x(x.Func).(*Ident); ok {
			c.Func = made
		} else {
			c.Func = x.Func
		}
		return c
	case *Index:
		return &Index{x.Pos, m.x(x.X), m.x(x.I)}
	case *Member:
		return &Member{x.Pos, m.x(x.X), x.Name}
	}
	return x
}

// list maps the statements of a scope that the caller has opened.
func (m *mapper) list(list []Stmt) []Stmt {
	made := make([]Stmt, 0, len(list))
	for _, s := range list {
		made = append(made, m.statement(s)...)
	}
	if m.cut != nil {
		made = m.cut(made)
	}
	return made
}

func (m *mapper) block(b *Block) *Block {
	if b == nil {
		return nil
	}
	defer func(n int) { m.locals = m.locals[:n] }(len(m.locals))
	return &Block{b.Pos, m.list(b.List)}
}

func (m *mapper) statement(s Stmt) []Stmt {
	if s == nil {
		return nil
	}
	if m.stmt != nil {
		if list, ok := m.stmt(m, s); ok {
			return list
		}
	}
	return []Stmt{m.inside(s)}
}

// inside is a statement with its parts mapped.
func (m *mapper) inside(s Stmt) Stmt {
	switch s := s.(type) {
	case *Block:
		return m.block(s)
	case *If:
		c := &If{Pos: s.Pos, Cond: m.x(s.Cond), Then: m.block(s.Then)}
		if s.Else != nil {
			c.Else = m.otherwise(s.Else)
		}
		return c
	case *Switch:
		c := &Switch{Pos: s.Pos, X: m.x(s.X)}
		for _, k := range s.Cases {
			c.Cases = append(c.Cases, Case{m.all(k.Selectors), m.block(k.Body)})
		}
		return c
	case *Loop:
		defer func(n int) { m.locals = m.locals[:n] }(len(m.locals))
		c := &Loop{Pos: s.Pos, Body: &Block{s.Body.Pos, m.list(s.Body.List)}} // continuing sees its names
		if s.Continuing != nil {
			c.Continuing = &Block{s.Continuing.Pos, m.list(s.Continuing.List)}
			c.BreakIf = m.x(s.BreakIf)
		}
		return c
	case *For:
		defer func(n int) { m.locals = m.locals[:n] }(len(m.locals))
		c := &For{Pos: s.Pos, Unroll: s.Unroll}
		c.Init = m.head(s.Init)
		c.Cond = m.x(s.Cond)
		c.Post = m.head(s.Post)
		c.Body = m.block(s.Body)
		return c
	case *While:
		return &While{s.Pos, m.x(s.Cond), m.block(s.Body)}
	case *Return:
		return &Return{s.Pos, m.x(s.X)}
	case *Local:
		c := *s
		c.Type, c.Init = m.x(s.Type), m.x(s.Init)
		c.Name = m.declare(s.Name)
		return &c
	case *Assign:
		return &Assign{s.Pos, s.Op, m.x(s.L), m.x(s.R)}
	case *Step:
		return &Step{s.Pos, s.Op, m.x(s.L)}
	case *Do:
		if c, ok := m.x(s.Call).(*Call); ok {
			return &Do{s.Pos, c}
		}
	case *Assert:
		return &Assert{s.Pos, m.x(s.X)}
	}
	return s
}

// head maps a statement of the head of a for statement, where one alone can stand.
func (m *mapper) head(s Stmt) Stmt {
	list := m.statement(s)
	if len(list) == 0 {
		return nil
	}
	return list[0]
}

// otherwise maps what stands behind else: an if or a block, and again one of them.
func (m *mapper) otherwise(s Stmt) Stmt {
	if m.stmt != nil {
		if list, ok := m.stmt(m, s); ok {
			if len(list) == 0 {
				return nil
			}
			if _, isIf := list[0].(*If); len(list) == 1 && isIf {
				return list[0]
			}
			if b, isBlock := list[0].(*Block); len(list) == 1 && isBlock {
				return b
			}
			return &Block{List: list}
		}
	}
	return m.inside(s)
}
