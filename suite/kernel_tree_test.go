package suite

import (
	"math"
	"math/rand/v2"
	"strings"
)

// num is a value and how far a device may be off from it: the running error analysis of
// Higham, section 3.3, with the errors of WGSL's functions.
type num struct{ v, e float64 }

const (
	unit     = 0x1p-24
	smallest = 0x1p-126
)

// rounded is a result that is rounded so many units.
func rounded(v, e, units float64) num { return num{v, e + units*unit*(math.Abs(v)+e) + smallest} }

// or is what may as well be another value.
func (a num) or(b num) num { return num{a.v, max(a.e, math.Abs(a.v-b.v)+b.e)} }

// point is what a kernel computes at one element.
type point struct {
	i        int
	x, z, by float64
	next     float64 // the element of z behind i's
	args     []num
}

// node is an expression of f32: what it is worth at a point, and its parts, of which
// spelling makes WGSL.
type node struct {
	kind  string
	value float64 // of a constant; by what a loop multiplies
	count int     // of turns; which argument
	cond  *cond
	parts []*node
	turn  *cond // of a loop: when it breaks, by arguments
}

// cond compares two expressions, or joins or turns round others.
type cond struct {
	op    string
	sides []*node
	parts []*cond
}

func (c *cond) at(p *point) (yes, sure bool) {
	switch c.op {
	case "!":
		yes, sure = c.parts[0].at(p)
		return !yes, sure
	case "&&", "||":
		a, surely := c.parts[0].at(p)
		b, certain := c.parts[1].at(p)
		if c.op == "&&" {
			return a && b, surely && certain || surely && !a || certain && !b
		}
		return a || b, surely && certain || surely && a || certain && b
	}
	a, b := c.sides[0].at(p), c.sides[1].at(p)
	switch c.op {
	case "<":
		yes = a.v < b.v
	case "<=":
		yes = a.v <= b.v
	case ">":
		yes = a.v > b.v
	case ">=":
		yes = a.v >= b.v
	}
	return yes, a.e+b.e == 0 || math.Abs(a.v-b.v) > a.e+b.e
}

func (n *node) at(p *point) num {
	var a []num
	for _, part := range n.parts {
		if n.kind != "call" || len(a) < len(n.parts)-1 {
			a = append(a, part.at(p))
		}
	}
	switch n.kind {
	case "x":
		return num{p.x, 0}
	case "z":
		return num{p.z, 0}
	case "next":
		return num{p.next, 0}
	case "by":
		return num{p.by, 0}
	case "place":
		return num{float64(p.i % 7), 0}
	case "number", "const":
		return num{n.value, 0}
	case "arg":
		return p.args[n.count]
	case "-":
		return rounded(a[0].v-a[1].v, a[0].e+a[1].e, 1)
	case "+":
		return rounded(a[0].v+a[1].v, a[0].e+a[1].e, 1)
	case "*":
		return rounded(a[0].v*a[1].v, math.Abs(a[0].v)*a[1].e+math.Abs(a[1].v)*a[0].e+a[0].e*a[1].e, 1)
	case "share": // a / (1 + |b|)
		d := rounded(1+math.Abs(a[1].v), a[1].e, 1)
		return rounded(a[0].v/d.v, (a[0].e+math.Abs(a[0].v/d.v)*d.e)/(d.v-d.e), 5)
	case "neg":
		return num{-a[0].v, a[0].e}
	case "abs":
		return num{math.Abs(a[0].v), a[0].e}
	case "min":
		return num{min(a[0].v, a[1].v), max(a[0].e, a[1].e)}
	case "max":
		return num{max(a[0].v, a[1].v), max(a[0].e, a[1].e)}
	case "clamp":
		return num{min(max(a[0].v, -n.value), n.value), a[0].e}
	case "if":
		yes, sure := n.cond.at(p)
		then, otherwise := a[0], a[1]
		if !yes {
			then, otherwise = otherwise, then
		}
		if sure {
			return then
		}
		return then.or(otherwise)
	case "loop": // so many times: break if a comparison holds; v = clamp(v * value) + b
		return n.turns(p, a[0], a[1], 0)
	case "call":
		return n.parts[len(n.parts)-1].at(&point{args: a, by: p.by})
	}
	panic("suite: no expression " + n.kind)
}

func (n *node) turns(p *point, v, b num, turn int) num {
	if turn == n.count {
		return v
	}
	stop, sure := false, true
	if n.turn != nil {
		stop, sure = n.turn.at(&point{args: []num{v}})
	}
	if stop && sure {
		return v
	}
	product := rounded(v.v*n.value, math.Abs(n.value)*v.e, 1)
	product.v = min(max(product.v, -64), 64)
	more := n.turns(p, rounded(product.v+b.v, product.e+b.e, 1), b, turn+1)
	switch {
	case sure:
		return more
	case stop:
		return v.or(more)
	}
	return more.or(v)
}

// growing draws trees.
type growing struct {
	*rand.Rand
	args  int
	other bool // there is an array z
	whole bool // it does not divide
}

func (g *growing) pick(words ...string) string { return words[g.IntN(len(words))] }

// number is a multiple of an eighth, which f32 holds.
func (g *growing) number() float64 { return float64(g.IntN(33)-16) / 8 }

func (g *growing) leaf() *node {
	if g.args > 0 && g.IntN(4) > 0 {
		return &node{kind: "arg", count: g.IntN(g.args)}
	}
	switch k := g.pick("x", "x", "x", "z", "next", "by", "place", "number", "const"); {
	case g.args > 0 && k != "number" && k != "const" && k != "by", !g.other && (k == "z" || k == "next"):
		return &node{kind: "number", value: g.number()}
	default:
		return &node{kind: k, value: g.number()}
	}
}

func (g *growing) node(depth int) *node {
	if depth == 0 || g.IntN(8) == 0 {
		return g.leaf()
	}
	kind := g.pick("+", "+", "-", "*", "*", "share", "neg", "abs", "min", "max", "clamp", "if", "if", "loop", "call")
	if kind == "share" && g.whole {
		kind = "+"
	}
	n := &node{kind: kind, value: math.Abs(g.number()) + 0.5}
	switch kind {
	case "neg", "abs", "clamp":
		n.parts = []*node{g.node(depth - 1)}
	case "if":
		n.cond, n.parts = g.cond(depth-1), []*node{g.node(depth - 1), g.node(depth - 1)}
	case "loop":
		n.value, n.count = g.number()/4, 1+g.IntN(4)
		n.parts = []*node{g.node(depth - 1), g.node(depth - 1)}
		if g.IntN(2) == 0 {
			n.turn = &cond{op: g.pick("<", ">"), sides: []*node{{kind: "arg"}, {kind: "number", value: g.number()}}}
		}
	case "call":
		if g.args > 0 {
			return g.node(depth - 1)
		}
		for range 1 + g.IntN(2) {
			n.parts = append(n.parts, g.node(depth-1))
		}
		inside := *g
		inside.args = len(n.parts)
		n.parts = append(n.parts, inside.node(2))
	default:
		n.parts = []*node{g.node(depth - 1), g.node(depth - 1)}
		if strings.Contains("+-*", kind) {
			return apart(n)
		}
	}
	return n
}

// apart is a sum or product that no driver makes another one of with those around it:
// WGSL allows it to make a * 0.5 + a * 2.0 one product, and lavapipe and SwiftShader do,
// where they see that both a are one tensor, or that a param is a constant.
func apart(n *node) *node { return &node{kind: "clamp", value: 64, parts: []*node{n}} }

func (g *growing) cond(depth int) *cond {
	if depth > 0 && g.IntN(3) == 0 {
		c := &cond{op: g.pick("!", "&&", "||"), parts: []*cond{g.cond(depth - 1)}}
		if c.op != "!" {
			c.parts = append(c.parts, g.cond(depth-1))
		}
		return c
	}
	return &cond{op: g.pick("<", "<=", ">", ">="), sides: []*node{g.node(min(depth, 1)), g.node(min(depth, 1))}}
}
