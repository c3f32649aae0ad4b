package wgsl

import (
	"fmt"
	"slices"
	"strings"
)

// Parse reads a text. An error is an *Error, with the place and what was wanted there.
func Parse(text string) (m *Module, err error) {
	p, err := newParser(text)
	if err != nil {
		return nil, err
	}
	defer p.recover(&err)
	return p.module(), nil
}

// ParseExpr reads one expression.
func ParseExpr(text string) (x Expr, err error) {
	p, err := newParser(text)
	if err != nil {
		return nil, err
	}
	defer p.recover(&err)
	x = p.expression()
	if p.next.kind != end {
		p.want("the end of the expression")
	}
	return x, nil
}

// deepest is how deep blocks and expressions may stand in each other: deeper ones are no
// shader, and would need as much stack.
const deepest = 500

// longest is how many operators or accesses may stand in a row, which make as deep a tree.
const longest = 10_000

type parser struct {
	tokens   []token
	comments []Comment
	at       int
	next     token
	depth    int
	row      int // operators of the expression at hand
}

func newParser(text string) (*parser, error) {
	all, comments, err := tokens(text)
	if err != nil {
		return nil, err
	}
	return &parser{tokens: all, comments: comments, next: all[0]}, nil
}

// recover turns the panic of fail into an error.
func (p *parser) recover(err *error) {
	switch e := recover().(type) {
	case nil:
	case *Error:
		*err = e
	default:
		panic(e)
	}
}

func (p *parser) fail(pos Pos, format string, args ...any) {
	panic(&Error{pos, fmt.Sprintf(format, args...)})
}

// want fails for the token at hand.
func (p *parser) want(what string) {
	got := p.next.text
	if p.next.kind == operator {
		got = strings.TrimPrefix(got, "template")
	}
	if p.next.kind == end {
		p.fail(p.next.pos, "got the end of the text, want %s", what)
	}
	p.fail(p.next.pos, "got %q, want %s", got, what)
}

// deeper counts how deep the caller stands; it is called back when that is over.
func (p *parser) deeper() func() {
	if p.depth++; p.depth > deepest {
		p.fail(p.next.pos, "more than %d expressions or blocks in each other", deepest)
	}
	return func() { p.depth-- }
}

// take is the token at hand, which it passes.
func (p *parser) take() token {
	t := p.next
	if t.kind != end {
		p.at++
		p.next = p.tokens[p.at]
	}
	return t
}

// is reports whether the token at hand is an operator or word.
func (p *parser) is(text string) bool {
	return p.next.text == text && p.next.kind != number && p.next.kind != end
}

// accept passes an operator or word, if it is at hand.
func (p *parser) accept(text string) bool {
	if p.is(text) {
		p.take()
		return true
	}
	return false
}

func (p *parser) expect(text string) token {
	if !p.is(text) {
		p.want(fmt.Sprintf("%q", strings.TrimPrefix(text, "template")))
	}
	return p.take()
}

// keywords are the words that are no names.
var keywords = []string{
	"alias", "break", "case", "const", "const_assert", "continue", "continuing", "default", "diagnostic", "discard", "else", "enable",
	"false", "fn", "for", "if", "let", "loop", "override", "requires", "return", "struct", "switch", "true", "var", "while",
}

func (p *parser) name(what string) token {
	if p.next.kind != word || slices.Contains(keywords, p.next.text) {
		p.want(what)
	}
	return p.take()
}

func (p *parser) module() *Module {
	m := &Module{Comments: p.comments}
	for p.is("enable") || p.is("requires") || p.is("diagnostic") {
		m.Directives = append(m.Directives, p.directive())
	}
	for p.next.kind != end {
		if p.accept(";") {
			continue
		}
		m.Decls = append(m.Decls, p.decl())
	}
	names := map[string]Pos{}
	for _, d := range m.Decls {
		if name := d.declared(); name != "" {
			if _, ok := names[name]; ok {
				p.fail(position(d), "%s is declared twice", name)
			}
			names[name] = position(d)
		}
	}
	return m
}

// position is where a declaration stands.
func position(d Decl) Pos {
	switch d := d.(type) {
	case *Var:
		return d.Pos
	case *Const:
		return d.Pos
	case *Override:
		return d.Pos
	case *Alias:
		return d.Pos
	case *Struct:
		return d.Pos
	case *Func:
		return d.Pos
	case *Assert:
		return d.Pos
	}
	return Pos{}
}

func (p *parser) directive() string {
	word := p.take().text
	if word == "diagnostic" {
		a := Attribute{Name: word}
		p.expect("(")
		a.Args = p.list(")")
		p.expect(";")
		return word + "(" + texts(a.Args) + ")"
	}
	list := p.list(";")
	for _, x := range list {
		if id, ok := x.(*Ident); !ok || id.Template != nil {
			p.fail(p.tokens[p.at-1].pos, "got %s, want the names of extensions", Text(x))
		}
	}
	if len(list) == 0 {
		p.fail(p.tokens[p.at-1].pos, "got %q, want the name of an extension", ";")
	}
	return word + " " + texts(list)
}

func (p *parser) attributes() (all []Attribute) {
	for p.accept("@") {
		var a Attribute
		if p.next.kind != word {
			p.want("the name of an attribute")
		}
		a.Name = p.take().text
		if p.accept("(") {
			a.Args = p.list(")")
		}
		all = append(all, a)
	}
	return all
}

// list reads expressions between commas, to the operator that ends them. The last one may
// have a comma behind it.
func (p *parser) list(last string) (all []Expr) {
	for !p.accept(last) {
		all = append(all, p.expression())
		if !p.accept(",") {
			p.expect(last)
			break
		}
	}
	return all
}

func (p *parser) decl() Decl {
	notes, pos := p.notes(), p.next.pos
	attributes := p.attributes()
	if len(attributes) > 0 && !p.is("var") && !p.is("override") && !p.is("fn") {
		p.want("var, override or fn behind the attributes")
	}
	switch {
	case p.is("var"):
		return p.moduleVar(attributes, pos)
	case p.is("fn"):
		return p.function(attributes, notes, pos)
	case p.accept("const"):
		c := &Const{Pos: pos, Name: p.name("the name of a constant").text}
		if p.accept(":") {
			c.Type = p.typeName()
		}
		p.expect("=")
		c.From = p.next.start
		c.Init = p.expression()
		c.To = p.tokens[p.at-1].start + len(p.tokens[p.at-1].text)
		if strings.HasPrefix(p.tokens[p.at-1].text, "template") {
			c.To -= len("template")
		}
		p.expect(";")
		return c
	case p.accept("override"):
		o := &Override{Pos: pos, Attributes: attributes, Name: p.name("the name of a pipeline constant").text}
		if p.accept(":") {
			o.Type = p.typeName()
		}
		if p.accept("=") {
			o.Init = p.expression()
		}
		p.expect(";")
		return o
	case p.accept("alias"):
		a := &Alias{Pos: pos, Name: p.name("the name of a type").text}
		p.expect("=")
		a.Type = p.typeName()
		p.expect(";")
		return a
	case p.accept("struct"):
		s := &Struct{Pos: pos, Name: p.name("the name of a structure").text}
		p.expect("{")
		s.Fields = p.fields("}")
		return s
	case p.accept("const_assert"):
		a := &Assert{Pos: pos, X: p.expression()}
		p.expect(";")
		return a
	}
	p.want("a declaration: var, const, override, alias, struct, fn or const_assert")
	return nil
}

// notes are the comments on the lines right above the token at hand.
func (p *parser) notes() (lines []string) {
	line := p.next.pos.Line
	for i := p.next.notes - 1; i >= 0 && p.comments[i].Line == line-1 && !strings.HasPrefix(p.comments[i].Text, "/*"); i-- {
		if p.comments[i].Column > 1 { // it stands behind something
			break
		}
		line--
		lines = append(lines, p.comments[i].Text)
	}
	slices.Reverse(lines)
	return lines
}

func (p *parser) moduleVar(attributes []Attribute, pos Pos) *Var {
	p.expect("var")
	v := &Var{Pos: pos, Attributes: attributes}
	if p.accept("template<") {
		v.Space = p.name("an address space").text
		if p.accept(",") && !p.is("template>") {
			v.Access = p.name("an access mode").text
			p.accept(",")
		}
		p.expect("template>")
	}
	v.Name = p.name("the name of a variable").text
	if p.accept(":") {
		v.Type = p.typeName()
	}
	if p.accept("=") {
		v.Init = p.expression()
	}
	p.expect(";")
	return v
}

func (p *parser) fields(last string) (all []Field) {
	for !p.accept(last) {
		f := Field{Attributes: p.attributes(), Name: p.name("a name").text}
		p.expect(":")
		f.Type = p.typeName()
		all = append(all, f)
		if !p.accept(",") {
			p.expect(last)
			break
		}
	}
	return all
}

// typeName is a type: a name, perhaps with a template list.
func (p *parser) typeName() Expr { return p.ident("a type") }

func (p *parser) ident(what string) *Ident {
	t := p.name(what)
	x := &Ident{Pos: t.pos, Name: t.text}
	if p.accept("template<") {
		if x.Template = p.list("template>"); len(x.Template) == 0 {
			p.fail(t.pos, "the template list of %s is empty", t.text)
		}
	}
	return x
}

func (p *parser) function(attributes []Attribute, notes []string, pos Pos) *Func {
	p.expect("fn")
	f := &Func{Pos: pos, Notes: notes, Attributes: attributes, Name: p.name("the name of a function").text}
	p.expect("(")
	f.Params = p.fields(")")
	if p.accept("->") {
		f.ResultAttributes = p.attributes()
		f.Result = p.typeName()
	}
	f.Body = p.block()
	return f
}

// ParseStatements reads statements of a function.
func ParseStatements(text string) (list []Stmt, err error) {
	p, err := newParser(text)
	if err != nil {
		return nil, err
	}
	defer p.recover(&err)
	for p.next.kind != end {
		if s := p.statement(); s != nil {
			list = append(list, s)
		}
	}
	return list, nil
}
