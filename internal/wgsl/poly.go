package wgsl

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// polynomial is a sum of products of what an entry point gets from outside, with whole
// coefficients, modulo 2^32, as u32 arithmetic is: two indices are one where their
// polynomials are, however they are spelled. The key of a product is its factors, sorted,
// with a star behind each.
type polynomial map[string]uint32

func (p polynomial) equal(q polynomial) bool { return maps.Equal(p, q) }

func (p polynomial) add(q polynomial, times uint32) polynomial {
	sum := maps.Clone(p)
	for k, c := range q {
		if sum[k] += times * c; sum[k] == 0 {
			delete(sum, k)
		}
	}
	return sum
}

func (p polynomial) times(q polynomial) polynomial {
	product := polynomial{}
	for a, c := range p {
		for b, d := range q {
			factors := append(strings.SplitAfter(a, "*"), strings.SplitAfter(b, "*")...)
			factors = slices.DeleteFunc(factors, func(f string) bool { return f == "" })
			slices.Sort(factors)
			k := strings.Join(factors, "")
			if product[k] += c * d; product[k] == 0 {
				delete(product, k)
			}
		}
	}
	return product
}

func number32(n uint32) polynomial {
	if n == 0 {
		return polynomial{}
	}
	return polynomial{"": n}
}

func atom(name string) polynomial { return polynomial{name + "*": 1} }

func (p polynomial) String() string {
	var terms []string
	for _, k := range slices.Sorted(maps.Keys(p)) {
		terms = append(terms, fmt.Sprint(k, p[k]))
	}
	return strings.Join(terms, "+")
}

// symbols is what names of an entry point stand for.
type symbols struct {
	consts    *Constants
	builtins  map[string]string     // parameters, by name
	lets      map[string]Expr       // of the function, those that are declared once
	local     map[string]bool       // all names that the function declares
	functions map[string]*Func      // of the module
	block     uint32                // the workgroup's size in x; y and z are 1
	args      map[string]polynomial // of the function at hand, if it is none of the entry point's
	known     map[string]polynomial // of lets; nil is none
	depth     int                   // of functions that call each other
	steps     *int                  // that are left for the expression at hand
}

// What is taken for a polynomial: one of no more products, with no more characters in each,
// that is found in so many steps. Short texts make much longer ones.
const (
	mostProducts   = 64
	longestProduct = 256
	mostSteps      = 10_000
)

// polynomial is that of an expression, and whether it has one.
func (s *symbols) polynomial(x Expr) (polynomial, bool) {
	if s.steps == nil {
		steps := mostSteps
		s.steps = &steps
		defer func() { s.steps = nil }()
	}
	if *s.steps--; *s.steps < 0 {
		return nil, false
	}
	p, ok := s.find(x)
	if len(p) > mostProducts {
		return nil, false
	}
	for k := range p {
		if len(k) > longestProduct {
			return nil, false
		}
	}
	return p, ok
}

// let is the polynomial of what a let stands for.
func (s *symbols) let(name string, init Expr) (polynomial, bool) {
	p, ok := s.known[name]
	if !ok {
		s.known[name] = nil // of one that its own expression names, which is another
		if p, ok = s.polynomial(init); !ok {
			p = nil
		}
		s.known[name] = p
	}
	return p, p != nil
}

// find is polynomial, however long.
func (s *symbols) find(x Expr) (polynomial, bool) {
	if v, ok := s.consts.Eval(func(name string) bool { return s.local[name] }, x); ok && v.Kind != Bool && v.N >= 0 {
		return number32(uint32(v.N)), true
	}
	switch x := x.(type) {
	case *Ident:
		if s.builtins[x.Name] == "local_invocation_index" {
			return atom("local.x"), true
		}
		if init, ok := s.lets[x.Name]; ok {
			return s.let(x.Name, init)
		}
		if p, ok := s.args[x.Name]; ok {
			return p, true
		}
	case *Member:
		id, ok := x.X.(*Ident)
		if !ok {
			return nil, false
		}
		switch builtin := s.builtins[id.Name]; builtin {
		case "":
			if id.Name == "params" && !s.local["params"] {
				return atom("params." + x.Name), true
			}
		case "global_invocation_id":
			if x.Name == "x" {
				return atom("group.x").times(number32(s.block)).add(atom("local.x"), 1), true
			}
			return atom("group." + x.Name), true
		case "workgroup_id":
			return atom("group." + x.Name), true
		case "num_workgroups":
			return atom("groups." + x.Name), true
		case "local_invocation_id":
			if x.Name == "x" {
				return atom("local.x"), true
			}
			return number32(0), true
		}
	case *Binary:
		p, ok := s.polynomial(x.X)
		if !ok {
			return nil, false
		}
		q, ok := s.polynomial(x.Y)
		if !ok {
			return nil, false
		}
		switch x.Op {
		case "+":
			return p.add(q, 1), true
		case "-":
			return p.add(q, ^uint32(0)), true
		case "*":
			return p.times(q), true
		case "<<":
			if v, ok := s.consts.Eval(func(name string) bool { return s.local[name] }, x.Y); ok && v.N >= 0 && v.N < 32 {
				return p.times(number32(1 << v.N)), true
			}
		case "/", "%":
			return quotient(p, x.Op, q), true
		}
	case *Call:
		return s.call(x)
	}
	return nil, false
}

func quotient(p polynomial, op string, q polynomial) polynomial {
	return atom("(" + p.String() + op + q.String() + ")")
}

// call is the polynomial of ceil(a/b), which sizes have, and of a function that returns
// an expression and does nothing else.
func (s *symbols) call(x *Call) (polynomial, bool) {
	if f := s.functions[x.Func.Name]; f != nil && !s.local[x.Func.Name] {
		if len(f.Params) != len(x.Args) || len(f.Body.List) != 1 || s.depth > 8 {
			return nil, false
		}
		r, ok := f.Body.List[0].(*Return)
		if !ok {
			return nil, false
		}
		inside := &symbols{consts: s.consts, functions: s.functions, block: s.block, depth: s.depth + 1, steps: s.steps, args: map[string]polynomial{}, local: map[string]bool{}}
		for i, p := range f.Params {
			if inside.args[p.Name], ok = s.polynomial(x.Args[i]); !ok {
				return nil, false
			}
			inside.local[p.Name] = true
		}
		return inside.polynomial(r.X)
	}
	if x.Func.Name != "ceil" || len(x.Args) != 1 || s.consts.declared["ceil"] {
		return nil, false
	}
	q, ok := x.Args[0].(*Binary)
	if !ok || q.Op != "/" {
		return nil, false
	}
	a, ok := s.polynomial(q.X)
	b, known := s.polynomial(q.Y)
	if !ok || !known {
		return nil, false
	}
	return quotient(a.add(b, 1).add(number32(1), ^uint32(0)), "/", b), true
}

// element is the polynomial of the index of an invocation in a grid of one dimension that
// is folded into a second.
func (s *symbols) element() polynomial {
	row := atom("group.y").times(atom("groups.x")).add(atom("group.x"), 1)
	return row.times(number32(s.block)).add(atom("local.x"), 1)
}
