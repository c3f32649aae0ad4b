package wgsl

import "strings"

// String is the text of a module, with the notes of its functions and the marks of the
// loops that Unroll expands.
func (m *Module) String() string {
	p := &printer{}
	for _, d := range m.Directives {
		p.line(d + ";")
	}
	for i, d := range m.Decls {
		_, function := d.(*Func)
		if i > 0 {
			if _, before := m.Decls[i-1].(*Func); function || before {
				p.out.WriteByte('\n')
			}
		}
		p.decl(d)
	}
	return p.out.String()
}

// Text is the text of an expression.
func Text(x Expr) string {
	p := &printer{}
	p.expr(x)
	return p.out.String()
}

type printer struct {
	out   strings.Builder
	depth int
}

func (p *printer) write(parts ...string) {
	for _, s := range parts {
		p.out.WriteString(s)
	}
}

func (p *printer) line(parts ...string) {
	p.indent()
	p.write(parts...)
	p.out.WriteByte('\n')
}

func (p *printer) indent() {
	for range p.depth {
		p.out.WriteString("    ")
	}
}

func (p *printer) decl(d Decl) {
	switch d := d.(type) {
	case *Var:
		p.attributes(d.Attributes)
		p.write("var")
		if d.Space != "" {
			p.write("<", d.Space)
			if d.Access != "" {
				p.write(", ", d.Access)
			}
			p.write(">")
		}
		p.named(d.Name, d.Type, d.Init)
	case *Const:
		p.write("const")
		p.named(d.Name, d.Type, d.Init)
	case *Override:
		p.attributes(d.Attributes)
		p.write("override")
		p.named(d.Name, d.Type, d.Init)
	case *Alias:
		p.write("alias ", d.Name, " = ")
		p.expr(d.Type)
	case *Struct:
		p.write("struct ", d.Name, " { ")
		p.fields(d.Fields)
		p.write(" }\n")
		return
	case *Assert:
		p.write("const_assert ")
		p.expr(d.X)
	case *Func:
		p.function(d)
		return
	}
	p.write(";\n")
}

// named is " name: type = value".
func (p *printer) named(name string, kind, init Expr) {
	p.write(" ", name)
	if kind != nil {
		p.write(": ")
		p.expr(kind)
	}
	if init != nil {
		p.write(" = ")
		p.expr(init)
	}
}

func (p *printer) attributes(all []Attribute) {
	for _, a := range all {
		p.write("@", a.Name)
		if a.Args != nil {
			p.write("(")
			p.list(a.Args)
			p.write(")")
		}
		p.write(" ")
	}
}

func (p *printer) fields(all []Field) {
	for i, f := range all {
		if i > 0 {
			p.write(", ")
		}
		p.attributes(f.Attributes)
		p.write(f.Name, ": ")
		p.expr(f.Type)
	}
}

func (p *printer) function(f *Func) {
	for _, n := range f.Notes {
		p.line("// ", n)
	}
	if len(f.Attributes) > 0 {
		q := &printer{}
		q.attributes(f.Attributes)
		p.line(strings.TrimSpace(q.out.String()))
	}
	p.write("fn ", f.Name, "(")
	p.fields(f.Params)
	p.write(")")
	if f.Result != nil {
		p.write(" -> ")
		p.attributes(f.ResultAttributes)
		p.expr(f.Result)
	}
	p.write(" ")
	p.block(f.Body)
	p.write("\n")
}

// block is braces with statements, a line each.
func (p *printer) block(b *Block) {
	if len(b.List) == 0 {
		p.write("{}")
		return
	}
	p.write("{\n")
	p.inside(b.List)
	p.indent()
	p.write("}")
}

func (p *printer) inside(list []Stmt) {
	p.depth++
	for _, s := range list {
		p.stmt(s)
	}
	p.depth--
}

func (p *printer) stmt(s Stmt) {
	if f, ok := s.(*For); ok && f.Unroll {
		p.line("// unroll")
	}
	p.indent()
	switch s := s.(type) {
	case *Block:
		p.block(s)
	case *If:
		p.ifStatement(s)
	case *Switch:
		p.write("switch ")
		p.expr(s.X)
		p.write(" {\n")
		p.depth++
		for _, c := range s.Cases {
			p.indent()
			if len(c.Selectors) == 1 && isName(c.Selectors[0], "default") {
				p.write("default: ")
			} else {
				p.write("case ")
				p.list(c.Selectors)
				p.write(": ")
			}
			p.block(c.Body)
			p.write("\n")
		}
		p.depth--
		p.indent()
		p.write("}")
	case *Loop:
		p.loop(s)
	case *For:
		p.write("for (")
		p.simple(s.Init)
		p.write("; ")
		p.expr(s.Cond)
		p.write("; ")
		p.simple(s.Post)
		p.write(") ")
		p.block(s.Body)
	case *While:
		p.write("while ")
		p.expr(s.Cond)
		p.write(" ")
		p.block(s.Body)
	case *Jump:
		p.write(s.Word, ";")
	case *Return:
		p.write("return")
		if s.X != nil {
			p.write(" ")
			p.expr(s.X)
		}
		p.write(";")
	case *Assert:
		p.write("const_assert ")
		p.expr(s.X)
		p.write(";")
	default:
		p.simple(s)
		p.write(";")
	}
	p.write("\n")
}

func (p *printer) ifStatement(s *If) {
	p.write("if ")
	p.expr(s.Cond)
	p.write(" ")
	p.block(s.Then)
	switch e := s.Else.(type) {
	case *If:
		p.write(" else ")
		p.ifStatement(e)
	case *Block:
		p.write(" else ")
		p.block(e)
	}
}

func (p *printer) loop(l *Loop) {
	p.write("loop {\n")
	p.inside(l.Body.List)
	if l.Continuing != nil {
		p.depth++
		p.indent()
		p.write("continuing {\n")
		p.inside(l.Continuing.List)
		if l.BreakIf != nil {
			p.depth++
			p.indent()
			p.write("break if ")
			p.expr(l.BreakIf)
			p.write(";\n")
			p.depth--
		}
		p.line("}")
		p.depth--
	}
	p.indent()
	p.write("}")
}

// simple is a statement without the semicolon.
func (p *printer) simple(s Stmt) {
	switch s := s.(type) {
	case *Local:
		p.write(s.Word)
		p.named(s.Name, s.Type, s.Init)
	case *Assign:
		p.expr(s.L)
		p.write(" ", s.Op, " ")
		p.expr(s.R)
	case *Step:
		p.expr(s.L)
		p.write(s.Op)
	case *Do:
		p.expr(s.Call)
	}
}
