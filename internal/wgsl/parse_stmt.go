package wgsl

import (
	"slices"
	"strings"
)

func (p *parser) block() *Block {
	defer p.deeper()()
	b := &Block{Pos: p.next.pos}
	p.attributes() // of diagnostics
	p.expect("{")
	for !p.accept("}") {
		if p.next.kind == end {
			p.fail(p.next.pos, "got the end of the text, want the brace that closes the one at %d:%d", b.Line, b.Column)
		}
		if s := p.statement(); s != nil {
			b.List = append(b.List, s)
		}
	}
	return b
}

// statement reads a statement; of an empty one it is nil.
func (p *parser) statement() Stmt {
	marked := p.next.notes > 0 && (p.at == 0 || p.tokens[p.at-1].notes < p.next.notes) // right before it
	unroll := marked && p.comments[p.next.notes-1].Text == "unroll" && p.comments[p.next.notes-1].Line == p.next.pos.Line-1
	pos := p.next.pos
	if unroll && !p.is("for") {
		p.want("a for statement below the line \"// unroll\"")
	}
	switch {
	case p.accept(";"):
		return nil
	case p.is("{"), p.is("@"):
		return p.block()
	case p.is("if"):
		return p.ifStatement()
	case p.accept("switch"):
		return p.switchStatement(pos)
	case p.accept("loop"):
		return p.loop(pos)
	case p.accept("for"):
		return p.forStatement(pos, unroll)
	case p.accept("while"):
		return &While{pos, p.expression(), p.block()}
	case p.is("break"), p.is("continue"), p.is("discard"):
		j := &Jump{pos, p.take().text}
		p.expect(";")
		return j
	case p.accept("return"):
		r := &Return{Pos: pos}
		if !p.is(";") {
			r.X = p.expression()
		}
		p.expect(";")
		return r
	case p.accept("const_assert"):
		a := &Assert{pos, p.expression()}
		p.expect(";")
		return a
	}
	s := p.simple()
	p.expect(";")
	return s
}

// simple reads a statement that a for statement may have in its head: a declaration, an
// assignment, a step or a call.
func (p *parser) simple() Stmt {
	pos := p.next.pos
	if p.is("let") || p.is("var") || p.is("const") {
		l := &Local{Pos: pos, Word: p.take().text}
		if l.Word == "var" && p.accept("template<") {
			p.expect("function")
			p.accept(",")
			p.expect("template>")
		}
		l.Name = p.name("a name").text
		if p.accept(":") {
			l.Type = p.typeName()
		}
		if p.accept("=") {
			l.Init = p.expression()
		} else if l.Word != "var" || l.Type == nil {
			p.want(`"="`)
		}
		return l
	}
	left := p.unary()
	switch op := p.next.text; {
	case p.next.kind != operator:
	case !place(left) && (op == "++" || op == "--" || strings.HasSuffix(op, "=")):
		p.want("a variable, an element or a member before it")
	case op == "++" || op == "--":
		p.take()
		return &Step{pos, op, left}
	case slices.Contains([]string{"=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="}, op):
		p.take()
		return &Assign{pos, op, left, p.expression()}
	}
	if c, ok := left.(*Call); ok {
		return &Do{pos, c}
	}
	p.want("an assignment or a call")
	return nil
}

// place reports whether an expression names what can be written.
func place(x Expr) bool {
	for {
		switch a := x.(type) {
		case *Ident:
			return a.Template == nil
		case *Index:
			x = a.X
		case *Member:
			x = a.X
		case *Unary:
			if a.Op != "*" && a.Op != "&" {
				return false
			}
			x = a.X
		default:
			return false
		}
	}
}

func (p *parser) ifStatement() *If {
	defer p.deeper()()
	s := &If{Pos: p.take().pos}
	s.Cond, s.Then = p.expression(), p.block()
	if p.accept("else") {
		if p.is("if") {
			s.Else = p.ifStatement()
		} else {
			s.Else = p.block()
		}
	}
	return s
}

func (p *parser) switchStatement(pos Pos) *Switch {
	s := &Switch{Pos: pos, X: p.expression()}
	p.attributes()
	p.expect("{")
	for !p.accept("}") {
		var c Case
		if t := p.next; p.accept("default") {
			c.Selectors = []Expr{&Ident{Pos: t.pos, Name: "default"}}
		} else {
			p.expect("case")
			for !p.is(":") && !p.is("{") {
				if t := p.next; p.accept("default") {
					c.Selectors = append(c.Selectors, &Ident{Pos: t.pos, Name: "default"})
				} else {
					c.Selectors = append(c.Selectors, p.expression())
				}
				if !p.accept(",") {
					break
				}
			}
		}
		p.accept(":")
		c.Body = p.block()
		s.Cases = append(s.Cases, c)
	}
	return s
}

func (p *parser) loop(pos Pos) *Loop {
	defer p.deeper()()
	l := &Loop{Pos: pos, Body: &Block{Pos: p.next.pos}}
	p.attributes()
	p.expect("{")
	for !p.accept("}") {
		if p.next.kind == end {
			p.want(`"}"`)
		}
		if p.accept("continuing") {
			p.continuing(l)
			p.expect("}")
			return l
		}
		if s := p.statement(); s != nil {
			l.Body.List = append(l.Body.List, s)
		}
	}
	return l
}

func (p *parser) continuing(l *Loop) {
	l.Continuing = &Block{Pos: p.next.pos}
	p.attributes()
	p.expect("{")
	for !p.accept("}") {
		if p.next.kind == end {
			p.want(`"}"`)
		}
		if p.is("break") && p.tokens[p.at+1].text == "if" {
			p.take()
			p.take()
			l.BreakIf = p.expression()
			p.expect(";")
			p.expect("}")
			return
		}
		if s := p.statement(); s != nil {
			l.Continuing.List = append(l.Continuing.List, s)
		}
	}
}

func (p *parser) forStatement(pos Pos, unroll bool) *For {
	f := &For{Pos: pos, Unroll: unroll}
	p.expect("(")
	if !p.accept(";") {
		f.Init = p.simple()
		p.expect(";")
	}
	if !p.accept(";") {
		f.Cond = p.expression()
		p.expect(";")
	}
	if !p.is(")") {
		f.Post = p.simple()
	}
	p.expect(")")
	f.Body = p.block()
	return f
}
