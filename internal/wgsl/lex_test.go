package wgsl_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/internal/wgsl"
)

// TestErrors wants the place of what is no WGSL, and what was wanted there.
func TestErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"fn f() { let x = 1 $ 2; }", `1:20: got the character '$'`},
		{"fn f() {\n  /* a /* b */\n", "2:3: a comment that nothing ends"},
		{"fn f() {\n  let é = `; }", "2:11: got the character '`'"},
		{"const a = 1abc;", `1:11: got "1abc", want a number`},
		{"const a = 010;", `1:11: got "010", want a number`},
		{"const a = 1.5u;", `1:11: got "1.5u", want a number`},
		{"const a = 1e3i;", `1:11: got "1e3i", want a number`},
		{"const a = 0x;", `1:11: got "0x", want a number`},
		{"const a = 0x1.8h;", `1:11: got "0x1.8h", want a number`},
		{"const a = 1_000;", `1:11: got "1_000", want a number`},
		{"const a = ;", `1:11: got ";", want an expression`},
		{"const a = 1 + ;", `1:15: got ";", want an expression`},
		{"const a = 1\nconst b = 2;", `2:1: got "const", want ";"`},
		{"const a = 1 < 2 < 3;", `1:17: got "<", want parentheses around the expression that starts at 1:11`},
		{"const a = x & y == z;", `1:17: got "==", want parentheses`},
		{"const a = 1 << 2 + 3;", `1:18: got "+", want parentheses`},
		{"const a = x && y || z;", `1:18: got "||", want parentheses`},
		{"const a = array<>(1);", "1:11: the template list of array is empty"},
		{"const a = 1; const a = 2;", "1:14: a is declared twice"},
		{"const if = 1;", `1:7: got "if", want the name of a constant`},
		{"fn f( { }", `1:7: got "{", want a name`},
		{"fn f() {", "1:9: got the end of the text, want the brace that closes the one at 1:8"},
		{"fn f() { loop {", `1:16: got the end of the text, want "}"`},
		{"fn f() { if x { } else y { } }", `1:24: got "y", want "{"`},
		{"fn f() { x + y = 1; }", `1:12: got "+", want an assignment or a call`},
		{"fn f() { (x + y) = 1; }", `1:18: got "=", want a variable, an element or a member before it`},
		{"fn f() { g(x)++; }", `1:14: got "++", want a variable, an element or a member before it`},
		{"fn f() { let x; }", `1:15: got ";", want "="`},
		{"fn f() { var x; }", `1:15: got ";", want "="`},
		{"fn f() { break if x; }", `1:16: got "if", want ";"`},
		{"fn f() { switch x { 1: { } } }", `1:21: got "1", want "case"`},
		{"fn f() { // unroll\n\n x = 1; }\nfn g() {\n// unroll\nx = 1; }", `6:1: got "x", want a for statement below the line "// unroll"`},
		{"fn f() { a[1; }", `1:13: got ";", want "]"`},
		{"fn f() { templates templates }", `1:20: got "templates", want an assignment or a call`},
		{"@compute const a = 1;", `1:10: got "const", want var, override or fn behind the attributes`},
		{"enable f16 subgroups;", `1:12: got "subgroups", want ";"`},
		{"enable ;", `1:8: got ";", want the name of an extension`},
		{"struct A { x f32 }", `1:14: got "f32", want ":"`},
		{"x = 1;", `1:1: got "x", want a declaration`},
		{"import a from b;", `1:1: got "import", want a declaration`},
		{"#define a", `1:1: got the character '#'`},
		{"const a = \"x\";", `1:11: got the character '"'`},
		{"const a = \xff;", "1:11: got the character"},
		// for WGSL the comment ends at the carriage return
		{"const a = 1; // b \r const a = 2;", "a is declared twice"},
		{strings.Repeat("(", 10_000), "more than 500 expressions or blocks in each other"},
		{"const a = " + strings.Repeat("-(", 10_000), "more than 500"},
		{"const a = " + strings.Repeat("!", 10_000), "more than 500"},
		{"const a = " + strings.Repeat("array<", 10_000) + strings.Repeat("> ", 10_000), "more than 500"},
		{"fn f() " + strings.Repeat("{", 10_000), "more than 500"},
		{"fn f() {" + strings.Repeat("if x {} else ", 10_000), "more than 500"},
		{"fn f() {" + strings.Repeat("loop {", 10_000), "more than 500"},
		{"fn f() {" + strings.Repeat("switch x { default {", 10_000), "more than 500"},
		{"const a = x" + strings.Repeat(" + x", 100_000) + ";", "more than 10000 operators in a row"},
		{"const a = x" + strings.Repeat("[0]", 100_000) + ";", "more than 10000 accesses in a row"},
		{strings.Repeat("/*", 100_000), "1:1: a comment that nothing ends"},
		{strings.Repeat("a<", 100_000), "1:1: got \"a\", want a declaration"},
	} {
		m, err := wgsl.Parse(c.text)
		if strings.HasPrefix(c.text, "((") {
			_, err = wgsl.ParseExpr(c.text)
		}
		var e *wgsl.Error
		if !errors.As(err, &e) || e.Line < 1 || e.Column < 1 || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60q: got %v and %v, want %s", c.text, m != nil, err, c.want)
		}
	}
}

// TestNumbers wants the numbers of the specification, as they stand in the text.
func TestNumbers(t *testing.T) {
	for _, number := range []string{
		"0", "0u", "0i", "123", "123u", "0f", "1f", "1h", "1.", ".5", "1.5", "1.5f", "1e3", "1E+3", "1e-3f", "01.5", "0123.", "1.e4",
		"0x0", "0XfFu", "0x1F", "0x10i", "0x1.8", "0x.8p1", "0x1p4f", "0x1P-4h", "0x1.", "1.0e10f",
	} {
		x, err := wgsl.ParseExpr("-" + number + " + x")
		if err != nil || wgsl.Text(x) != "-"+number+" + x" {
			t.Errorf("%s: %v", number, err)
		}
	}
}

// TestTemplates wants angle brackets taken for template lists, comparisons and shifts as
// the specification has it.
func TestTemplates(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"a<b>(c)", "a<b>(c)"},
		{"a < b", "a < b"},
		{"f(a < b, c > d)", "f(a<b, c>d)"}, // is no expression
		{"f((a < b), c > d)", "f((a < b), c > d)"},
		{"f(x && (a < b), c > d)", "f((x && a < b), c > d)"},
		{"f(a < b, c)", "f((a < b), c)"},
		{"f(a <= b, c >= d)", "f(a <= b, c >= d)"},
		{"f(a << b, c >> d)", "f(a << b, c >> d)"},
		{"array<vec4<f32>,4>(x)", "array<vec4<f32>, 4>(x)"},
		{"array<vec2<vec2<f32>>>()", "array<vec2<vec2<f32>>>()"},
		{"array<f32, (a > b)>()", "array<f32, (a > b)>()"},
		{"array<f32, select(2, 3, a > b)>()", "array<f32, select(2, 3, a > b)>()"},
		{"a[b < c] > d", "a[b < c] > d"},
		{"a < b && c > d", "a < b && c > d"},
		{"(a < b) == (c > d)", "(a < b) == (c > d)"},
		{"a /* < */ < /* b> */ b", "a < b"},
		{"vec2<f32>(1.0) >= b", "vec2<f32>(1.0) >= b"},
		{"bitcast<f32>(a) < b", "bitcast<f32>(a) < b"},
		{"1 < 2", "1 < 2"},
		{"(1).x", "(1).x"},
		{"- -a - -b", "-(-a) - -b"},
		{"(*p).x[1].yzw", "(*p).x[1].yzw"},
		{"&a[1]", "&a[1]"},
	} {
		x, err := wgsl.ParseExpr(c.text)
		if c.text == "f(a < b, c > d)" {
			if err == nil {
				t.Errorf("%s is read as %s, want an error: it is a template list", c.text, wgsl.Text(x))
			}
			continue
		}
		if err != nil || wgsl.Text(x) != c.want {
			t.Errorf("%s: got %s, %v, want %s", c.text, wgsl.Text(x), err, c.want)
		}
	}
}
