package suite

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/pumice-ml/pumice/internal/wgsl"
)

// spelling writes a kernel, in one of many ways.
type spelling struct {
	*rand.Rand
	x, y, z, index, by string // what they are called, or what gives them
	decls              []string
	lines              []string
	taken              []string // names of the module, and of what is visible
	args               []string // of the function at hand
	next               int
}

// names are what things may be called; some are those that passes make or look for.
var names = strings.Fields("x y z a b c d w q r s t u k j h g v out data src value total finish finish4 handed element e0_value e0_i e0_handed chained_1 chained_2 p0_x joined_1 m_e0_i params_ lane row v_0 v_1 i_ sum_ at here accumulated n by i count")

func (s *spelling) pick(words ...string) string { return words[s.IntN(len(words))] }

// name is one that nothing visible has.
func (s *spelling) name() string {
	for range 100 {
		if n := names[s.IntN(len(names))]; !slices.Contains(s.taken, n) {
			s.taken = append(s.taken, n)
			return n
		}
	}
	s.next++
	s.taken = append(s.taken, fmt.Sprint("name", s.next))
	return fmt.Sprint("name", s.next)
}

func (s *spelling) write(format string, args ...any) {
	s.lines = append(s.lines, fmt.Sprintf(format, args...))
	switch s.IntN(12) {
	case 0: // another thing of a name that means something
		n := s.taken[s.IntN(len(s.taken))]
		s.lines = append(s.lines, fmt.Sprintf("{ let %s = 2.0; _ = %s; }", n, n))
	case 1:
		s.lines = append(s.lines, s.pick(";", ";", "/* } */ ;", "{ }", "{ }", "{ }", "{ { } }", "if false { return; }"))
	}
}

// block writes statements in braces, where names end.
func (s *spelling) block(head string, body func()) {
	n := len(s.taken)
	s.lines = append(s.lines, head+" {")
	body()
	s.lines = append(s.lines, "}")
	s.taken = s.taken[:n]
}

func float(v float64) string {
	text := strconv.FormatFloat(v, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

// expr is the text of an expression, before which it may write statements.
func (s *spelling) expr(n *node) string {
	text := s.text(n)
	if s.IntN(3) > 0 {
		return text
	}
	kind := s.pick("", ": f32")
	name := s.name()
	s.write("%s %s%s = %s;", s.pick("let", "var"), name, kind, text)
	return name
}

func (s *spelling) text(n *node) string {
	sub := func(i int) string { return s.expr(n.parts[i]) }
	switch n.kind {
	case "x":
		return s.x + "[" + s.index + "]"
	case "z":
		return s.z + "[" + s.index + "]"
	case "next":
		return s.z + "[(" + s.index + " + 1u) % params.n]"
	case "by":
		return s.by
	case "place":
		return "f32(" + s.index + " % 7u)"
	case "number":
		return float(n.value)
	case "const":
		name := s.fixed()
		s.decls = append(s.decls, fmt.Sprintf("const %s%s = %s;", name, s.pick("", ": f32"), float(n.value)))
		return name
	case "arg":
		return s.args[n.count]
	case "+", "-", "*":
		a := sub(0)
		if s.IntN(4) == 0 {
			name := s.name()
			s.write("var %s = %s;", name, a)
			b := sub(1)
			s.write("%s %s= %s;", name, n.kind, b)
			return name
		}
		return "(" + a + " " + n.kind + " " + sub(1) + ")"
	case "share":
		return "(" + sub(0) + " / (1.0 + abs(" + sub(1) + ")))"
	case "neg":
		return "(-" + s.pick("(", " (") + sub(0) + "))"
	case "abs":
		return "abs(" + sub(0) + ")"
	case "min", "max":
		return n.kind + "(" + sub(0) + ", " + sub(1) + ")"
	case "clamp":
		return fmt.Sprintf("clamp(%s, -%s, %s)", sub(0), float(n.value), float(n.value))
	case "if":
		return s.choice(n)
	case "loop":
		return s.loop(n)
	}
	return s.call(n)
}

// fixed is a name of the module that no function has for anything else.
func (s *spelling) fixed() string {
	s.next++
	return fmt.Sprint("fixed", s.next)
}

func (s *spelling) cond(c *cond) string {
	switch c.op {
	case "!":
		return "!(" + s.cond(c.parts[0]) + ")"
	case "&&", "||":
		return "((" + s.cond(c.parts[0]) + ") " + c.op + " (" + s.cond(c.parts[1]) + "))"
	}
	a, b := s.expr(c.sides[0]), s.expr(c.sides[1])
	if s.IntN(3) == 0 {
		return b + map[string]string{"<": " > ", "<=": " >= ", ">": " < ", ">=": " <= "}[c.op] + a
	}
	return a + " " + c.op + " " + b
}

func (s *spelling) choice(n *node) string {
	if s.IntN(3) == 0 {
		then, otherwise := s.expr(n.parts[0]), s.expr(n.parts[1])
		return "select(" + otherwise + ", " + then + ", " + s.cond(n.cond) + ")"
	}
	name := s.name()
	set := func(part int) func() {
		return func() { s.write("%s = %s;", name, s.expr(n.parts[part])) }
	}
	switch s.IntN(3) {
	case 0:
		s.write("var %s = %s;", name, s.expr(n.parts[1]))
		s.block("if "+s.cond(n.cond), set(0))
	case 1:
		s.write("var %s: f32;", name)
		s.block("if "+s.cond(n.cond), set(0))
		s.block("else", set(1))
	default:
		s.write("var %s: f32;", name)
		s.lines = append(s.lines, "switch select(0u, 1u, "+s.cond(n.cond)+") {")
		s.block("case 1u:", set(0))
		s.block("default:", set(1))
		s.lines = append(s.lines, "}")
	}
	return name
}

func (s *spelling) loop(n *node) string {
	v := s.name()
	s.write("var %s = %s;", v, s.expr(n.parts[0]))
	b := s.name()
	s.write("let %s = %s;", b, s.expr(n.parts[1]))
	t := s.name()
	body := func() {
		if n.turn != nil {
			args := s.args
			s.args = []string{v}
			s.block("if "+s.cond(n.turn), func() { s.lines = append(s.lines, "break;") })
			s.args = args
		}
		s.write("%s = clamp(%s * %s, -64.0, 64.0) + %s;", v, v, float(n.value), b)
	}
	switch s.IntN(5) {
	case 0:
		s.block(fmt.Sprintf("for (var %s = 0u; %s < %du; %s++)", t, t, n.count, t), body)
	case 1:
		s.block(fmt.Sprintf("for (var %s = 0; %s < 9; %s += 1)", t, t, t), func() {
			s.write("if %s >= %d { break; }", t, n.count)
			body()
		})
	case 2:
		s.write("var %s = %du;", t, n.count)
		s.block("while "+t+" > 0u", func() {
			body()
			s.write("%s--;", t)
		})
	case 3:
		s.write("var %s = 0u;", t)
		s.block("loop", func() {
			s.write("if %s == %du { break; }", t, n.count)
			body()
			s.lines = append(s.lines, fmt.Sprintf("continuing { %s++; }", t))
		})
	default:
		s.lines = append(s.lines, "// unroll")
		s.block(fmt.Sprintf("for (var %s = 1u; %s <= %du; %s = %s + 1u)", t, t, n.count, t, t), body)
	}
	return v
}

// call writes a function, and its call.
func (s *spelling) call(n *node) string {
	last := len(n.parts) - 1
	f := &spelling{Rand: s.Rand, by: s.by, next: s.next + 100, taken: slices.Clone(s.taken)}
	var params, args []string
	for range last {
		name := f.name()
		f.args = append(f.args, name)
		params = append(params, name+": f32")
	}
	f.by = "params.by"
	f.lines = append(f.lines, "return "+f.expr(n.parts[last])+";")
	name := s.fixed()
	s.next = f.next + 100
	s.decls = append(append(s.decls, f.decls...), fmt.Sprintf("fn %s(%s) -> f32 { %s }", name, strings.Join(params, ", "), strings.Join(f.lines, "\n")))
	for i := range last {
		args = append(args, s.expr(n.parts[i]))
	}
	return name + "(" + strings.Join(args, ", ") + ")"
}

// spaced is a text with other spaces and comments between its tokens.
func spaced(r *rand.Rand, text string) string {
	tokens, err := wgsl.Tokens(text)
	if err != nil {
		return text // what the shader's reader says about it
	}
	var out strings.Builder
	end := 0
	for i, t := range tokens {
		between := text[end:t.Start]
		keep := strings.Contains(between, "unroll") || i > 0 && tokens[i-1].Text == "@"
		switch {
		case i == 0:
		case keep:
			out.WriteString(between)
		case between == "" && r.IntN(30) > 0:
		case between != "" && r.IntN(3) > 0:
			out.WriteString(" ")
		default:
			out.WriteString([]string{" ", "\n", "\t", "  ", " /* if */ ", " // return;\n", " /**/"}[r.IntN(7)])
		}
		out.WriteString(t.Text)
		end = t.Start + len(t.Text)
	}
	return out.String()
}
