package wgsl

func (p *printer) list(all []Expr) {
	for i, x := range all {
		if i > 0 {
			p.write(", ")
		}
		// With one that is greater behind it, a comparison would be a template list.
		p.paren(x, i+1 < len(all) && endsLess(x))
	}
}

// endsLess reports whether an expression is, or ends with, a comparison by <.
func endsLess(x Expr) bool {
	b, ok := x.(*Binary)
	return ok && (b.Op == "<" || level(b.Op) == ands && endsLess(b.Y))
}

// template is the list between angle brackets, which an operator of a > would close.
func (p *printer) template(all []Expr) {
	for i, x := range all {
		if i > 0 {
			p.write(", ")
		}
		_, binary := x.(*Binary)
		p.paren(x, binary)
	}
}

// texts are expressions with commas between them.
func texts(all []Expr) string {
	p := &printer{}
	p.list(all)
	return p.out.String()
}

func (p *printer) paren(x Expr, yes bool) {
	if yes {
		p.write("(")
	}
	p.expr(x)
	if yes {
		p.write(")")
	}
}

func (p *printer) expr(x Expr) {
	switch x := x.(type) {
	case nil:
	case *Ident:
		p.write(x.Name)
		if x.Template != nil {
			p.write("<")
			p.template(x.Template)
			p.write(">")
		}
	case *Literal:
		p.write(x.Text)
	case *Unary:
		p.write(x.Op)
		_, binary := x.X.(*Binary)
		_, unary := x.X.(*Unary)
		p.paren(x.X, binary || unary)
	case *Binary:
		p.paren(x.X, !fits(x.Op, x.X, false))
		p.write(" ", x.Op, " ")
		p.paren(x.Y, !fits(x.Op, x.Y, true))
	case *Call:
		p.expr(x.Func)
		p.write("(")
		p.list(x.Args)
		p.write(")")
	case *Index:
		p.operand(x.X)
		p.write("[")
		p.expr(x.I)
		p.write("]")
	case *Member:
		p.operand(x.X)
		p.write(".", x.Name)
	}
}

// operand is what an index or a member stands behind.
func (p *printer) operand(x Expr) {
	switch x.(type) {
	case *Binary, *Unary, *Literal: // a number with a point is another one
		p.paren(x, true)
	default:
		p.expr(x)
	}
}

// fits reports whether the grammar takes x beside an operator without parentheses.
func fits(op string, x Expr, right bool) bool {
	b, ok := x.(*Binary)
	if !ok {
		return true
	}
	in := level(b.Op)
	switch of := level(op); of {
	case products:
		return !right && in == products
	case sums:
		return in == products || !right && in == sums
	case comparisons:
		return in == products || in == sums || in == shifts
	case ands:
		return in == products || in == sums || in == shifts || in == comparisons || !right && b.Op == op
	case bits:
		return !right && b.Op == op
	}
	return false // of shifts
}

const (
	products = iota
	sums
	shifts
	comparisons
	bits
	ands
)

func level(op string) int {
	switch op {
	case "*", "/", "%":
		return products
	case "+", "-":
		return sums
	case "<<", ">>":
		return shifts
	case "&", "|", "^":
		return bits
	case "&&", "||":
		return ands
	}
	return comparisons
}
