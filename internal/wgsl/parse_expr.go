package wgsl

import "slices"

// expression reads an expression by the grammar of the specification (section 8.19):
// && and || stand between comparisons, and & | ^ between unary expressions; mixing them
// needs parentheses.
func (p *parser) expression() Expr {
	defer p.deeper()()
	defer func(n int) { p.row = n }(p.row)
	p.row = 0
	first := p.next
	x := p.unary()
	for _, op := range []string{"&", "|", "^"} {
		if p.is(op) {
			for p.is(op) {
				t := p.operator()
				x = &Binary{t.pos, op, x, p.unary()}
			}
			p.noMore(first)
			return x
		}
	}
	x = p.relational(x)
	for _, op := range []string{"&&", "||"} {
		if p.is(op) {
			for p.is(op) {
				t := p.operator()
				x = &Binary{t.pos, op, x, p.relational(p.unary())}
			}
			p.noMore(first)
			return x
		}
	}
	p.noMore(first)
	return x
}

// operator passes an operator between two expressions, of which a row has no more than
// longest.
func (p *parser) operator() token {
	if p.row++; p.row > longest {
		p.fail(p.next.pos, "more than %d operators in a row", longest)
	}
	return p.take()
}

// noMore fails where another operator follows an expression, which needs parentheses.
func (p *parser) noMore(first token) {
	if p.next.kind == operator && slices.Contains([]string{"&", "|", "^", "&&", "||", "<", ">", "<=", ">=", "==", "!=", "<<", ">>", "+", "-", "*", "/", "%"}, p.next.text) {
		p.fail(p.next.pos, "got %q, want parentheses around the expression that starts at %d:%d", p.next.text, first.pos.Line, first.pos.Column)
	}
}

// relational goes on with a comparison that starts with a unary expression.
func (p *parser) relational(x Expr) Expr {
	x = p.shift(x)
	for _, op := range []string{"<", ">", "<=", ">=", "==", "!="} {
		if p.is(op) {
			t := p.take()
			return &Binary{t.pos, op, x, p.shift(p.unary())}
		}
	}
	return x
}

// shift goes on with a shift or a sum.
func (p *parser) shift(x Expr) Expr {
	if p.is("<<") || p.is(">>") {
		t := p.take()
		return &Binary{t.pos, t.text, x, p.unary()}
	}
	x = p.product(x)
	for p.is("+") || p.is("-") {
		t := p.operator()
		x = &Binary{t.pos, t.text, x, p.product(p.unary())}
	}
	return x
}

func (p *parser) product(x Expr) Expr {
	for p.is("*") || p.is("/") || p.is("%") {
		t := p.operator()
		x = &Binary{t.pos, t.text, x, p.unary()}
	}
	return x
}

func (p *parser) unary() Expr {
	for _, op := range []string{"-", "!", "~", "*", "&"} {
		if p.is(op) {
			defer p.deeper()()
			t := p.take()
			return &Unary{t.pos, op, p.unary()}
		}
	}
	return p.postfix(p.primary())
}

func (p *parser) postfix(x Expr) Expr {
	for n := 0; ; n++ {
		if n > longest {
			p.fail(p.next.pos, "more than %d accesses in a row", longest)
		}
		switch {
		case p.is("["):
			t := p.take()
			x = &Index{t.pos, x, p.expression()}
			p.expect("]")
		case p.is("."):
			t := p.take()
			if p.next.kind != word {
				p.want("the name of a member")
			}
			x = &Member{t.pos, x, p.take().text}
		default:
			return x
		}
	}
}

func (p *parser) primary() Expr {
	switch {
	case p.next.kind == number, p.is("true"), p.is("false"):
		t := p.take()
		return &Literal{t.pos, t.text}
	case p.accept("("):
		x := p.expression()
		p.expect(")")
		return x
	}
	x := p.ident("an expression")
	if p.accept("(") {
		return &Call{x.Pos, x, p.list(")")}
	}
	return x
}
