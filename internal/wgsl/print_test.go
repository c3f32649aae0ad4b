package wgsl_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/pumice-ml/pumice/internal/wgsl"
)

// dump is a tree with a parenthesis around each node.
func dump(x wgsl.Expr) string {
	all := func(list []wgsl.Expr) string {
		var parts []string
		for _, a := range list {
			parts = append(parts, dump(a))
		}
		return strings.Join(parts, ",")
	}
	switch x := x.(type) {
	case *wgsl.Ident:
		if x.Template != nil {
			return "(template " + x.Name + ":" + all(x.Template) + ")"
		}
		return x.Name
	case *wgsl.Literal:
		return "'" + x.Text
	case *wgsl.Unary:
		return "(" + x.Op + " " + dump(x.X) + ")"
	case *wgsl.Binary:
		return "(" + dump(x.X) + " " + x.Op + " " + dump(x.Y) + ")"
	case *wgsl.Call:
		return "(call " + dump(x.Func) + ":" + all(x.Args) + ")"
	case *wgsl.Index:
		return "(" + dump(x.X) + " at " + dump(x.I) + ")"
	case *wgsl.Member:
		return "(" + dump(x.X) + " . " + x.Name + ")"
	}
	return "nothing"
}

// The operators of template lists. In one, <= between others than names would be taken for
// an assignment (section 3.9).
const inTemplates = "+ - * / % & | ^ && || << >> < > >= == !="

// expression draws a tree.
func expression(t *rapid.T, depth int, operators string) wgsl.Expr {
	name := func() *wgsl.Ident {
		return &wgsl.Ident{Name: rapid.SampledFrom([]string{"a", "b", "vec4", "array"}).Draw(t, "name")}
	}
	list := func(least int) (all []wgsl.Expr) {
		for range rapid.IntRange(least, 3).Draw(t, "length") {
			all = append(all, expression(t, depth-1, operators))
		}
		return all
	}
	kind := rapid.IntRange(0, 9).Draw(t, "kind")
	if depth == 0 {
		kind %= 2
	}
	switch kind {
	case 0:
		return name()
	case 1:
		return &wgsl.Literal{Text: rapid.SampledFrom([]string{"0", "1u", "2.", "0x1p4f", "true"}).Draw(t, "number")}
	case 2:
		return &wgsl.Unary{Op: rapid.SampledFrom([]string{"-", "!", "~", "*", "&"}).Draw(t, "unary"), X: expression(t, depth-1, operators)}
	case 3:
		c := &wgsl.Call{Func: name(), Args: list(0)}
		if rapid.Bool().Draw(t, "template") {
			operators = inTemplates
			c.Func.Template = list(1)
		}
		return c
	case 4:
		return &wgsl.Index{X: expression(t, depth-1, operators), I: expression(t, depth-1, operators)}
	case 5:
		return &wgsl.Member{X: expression(t, depth-1, operators), Name: "xy"}
	}
	op := rapid.SampledFrom(strings.Fields(operators)).Draw(t, "op")
	return &wgsl.Binary{Op: op, X: expression(t, depth-1, operators), Y: expression(t, depth-1, operators)}
}

// TestText writes random trees and wants to read them back.
func TestText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := expression(t, 5, inTemplates+" <=")
		text := wgsl.Text(x)
		again, err := wgsl.ParseExpr(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if got, want := dump(again), dump(x); got != want {
			t.Fatalf("%s is read as\n%s, want\n%s", text, got, want)
		}
	})
}

// TestParentheses wants them where the grammar needs them, and nowhere else.
func TestParentheses(t *testing.T) {
	for _, text := range []string{
		"a + b * c - d / e % f", "(a + b) * c", "a - (b - c)", "a - (b + c)", "a * (b * c)", "a / (b / c)", "a < b + c", "a + b == c * d", "(a == b) != c",
		"a << b", "(a + b) << c", "(a << b) + c", "(a << b) << c", "a << (b << c)", "a & b & c", "a & (b & c)", "(a & b) | c", "(a | b) == c", "(a + b) & c", "a << b < c",
		"a < b && c > d && e", "a && (b && c)", "(a && b) || c", "!(a && b)", "-(a + b)", "-(-a)", "-a * b", "!(!a)", "(a + b)[c]", "(-a).x", "-a.x", "(a + b).x", "a[b + c]", "f(a + b)",
		"(a || b) && (c || d)", "(a == b) == (c == d)", "(a & b) == 0u",
	} {
		x, err := wgsl.ParseExpr(text)
		if err != nil || wgsl.Text(x) != text {
			t.Errorf("got %s, %v, want %s", wgsl.Text(x), err, text)
		}
	}
}
