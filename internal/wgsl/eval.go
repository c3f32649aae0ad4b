package wgsl

import (
	"math"
	"strconv"
	"strings"
)

// Value is the value of a constant expression of whole numbers or of truth.
type Value struct {
	Kind Kind
	N    int64 // 0 or 1 of a Bool
}

// Kind is the type of a Value.
type Kind uint8

// The kinds. Abstract is a number without a suffix.
const (
	Abstract Kind = iota
	U32
	I32
	Bool
)

// Constants knows what names of a module mean wherever they stand: its constants, and,
// once they are baked in, the fields of params.
type Constants struct {
	consts   map[string]*Const
	declared map[string]bool // what else a name of the module is, which may be that of something built in
	fields   map[string]Value
	known    map[string]Value
	busy     map[string]bool
}

// NewConstants takes the constants of a module.
func NewConstants(m *Module) *Constants {
	c := &Constants{consts: map[string]*Const{}, declared: map[string]bool{}, fields: map[string]Value{}, known: map[string]Value{}, busy: map[string]bool{}}
	for _, d := range m.Decls {
		c.declared[d.declared()] = true
		if k, ok := d.(*Const); ok {
			c.consts[k.Name] = k
		}
	}
	// const params = Params(5u, ...), as Bake writes it
	params := c.consts["params"]
	if params == nil {
		return c
	}
	call, ok := params.Init.(*Call)
	if !ok {
		return c
	}
	for _, d := range m.Decls {
		if s, ok := d.(*Struct); ok && s.Name == call.Func.Name && len(s.Fields) == len(call.Args) {
			for i, f := range s.Fields {
				kind, whole := c.kindOf(f.Type)
				if v, ok := c.Eval(nil, call.Args[i]); ok && whole {
					c.fields[f.Name] = Value{kind, v.N}
				}
			}
		}
	}
	return c
}

// kindOf is the kind that a type is.
func (c *Constants) kindOf(x Expr) (Kind, bool) {
	id, ok := x.(*Ident)
	if !ok || c.declared[id.Name] {
		return 0, false
	}
	k, ok := map[string]Kind{"u32": U32, "i32": I32, "bool": Bool}[id.Name]
	return k, ok
}

func truth(yes bool) (Value, bool) {
	if yes {
		return Value{Bool, 1}, true
	}
	return Value{Bool, 0}, true
}

// Eval evaluates an expression, and reports whether it is a constant one that it knows;
// isLocal says which names are none of the module there, and nil that there are none. Of
// what overflows, or divides by zero, nothing is known.
func (c *Constants) Eval(isLocal func(name string) bool, x Expr) (Value, bool) {
	none := Value{}
	switch x := x.(type) {
	case *Literal:
		return literal(x.Text)
	case *Ident:
		if isLocal != nil && isLocal(x.Name) || x.Template != nil {
			return none, false
		}
		return c.constant(x.Name)
	case *Member:
		if id, ok := x.X.(*Ident); ok && id.Name == "params" && (isLocal == nil || !isLocal("params")) {
			v, ok := c.fields[x.Name]
			return v, ok
		}
	case *Unary:
		v, ok := c.Eval(isLocal, x.X)
		switch {
		case ok && x.Op == "!" && v.Kind == Bool:
			return truth(v.N == 0)
		case ok && x.Op == "-" && (v.Kind == I32 || v.Kind == Abstract):
			return inside(v.Kind, -v.N)
		}
	case *Binary:
		a, ok := c.Eval(isLocal, x.X)
		if !ok {
			return none, false
		}
		b, ok := c.Eval(isLocal, x.Y)
		if ok {
			return binary(x.Op, a, b)
		}
	case *Call:
		return c.call(isLocal, x)
	}
	return none, false
}

// constant is the value of a constant of the module.
func (c *Constants) constant(name string) (Value, bool) {
	if v, ok := c.known[name]; ok {
		return v, true
	}
	k := c.consts[name]
	if k == nil || c.busy[name] {
		return Value{}, false
	}
	c.busy[name] = true
	v, ok := c.Eval(nil, k.Init)
	delete(c.busy, name)
	if !ok {
		return v, false
	}
	if kind, typed := c.kindOf(k.Type); typed {
		if v.Kind != Abstract && v.Kind != kind {
			return v, false
		}
		if v, ok = inside(kind, v.N); !ok {
			return v, false
		}
	} else if k.Type != nil {
		return v, false
	}
	c.known[name] = v
	return v, true
}

func (c *Constants) call(isLocal func(string) bool, x *Call) (Value, bool) {
	if c.declared[x.Func.Name] || isLocal != nil && isLocal(x.Func.Name) || x.Func.Template != nil {
		return Value{}, false
	}
	var args []Value
	for _, a := range x.Args {
		v, ok := c.Eval(isLocal, a)
		if !ok {
			return v, false
		}
		args = append(args, v)
	}
	switch {
	case len(args) == 1 && x.Func.Name == "u32" && (args[0].Kind != I32 || args[0].N >= 0):
		return inside(U32, args[0].N)
	case len(args) == 1 && x.Func.Name == "i32":
		return inside(I32, args[0].N)
	case len(args) == 2 && (x.Func.Name == "min" || x.Func.Name == "max"):
		kind, ok := common(args[0], args[1])
		if !ok || kind == Bool {
			return Value{}, false
		}
		if (args[0].N < args[1].N) == (x.Func.Name == "min") {
			return Value{kind, args[0].N}, true
		}
		return Value{kind, args[1].N}, true
	case len(args) == 3 && x.Func.Name == "select" && args[2].Kind == Bool:
		kind, ok := common(args[0], args[1])
		return Value{kind, args[args[2].N].N}, ok
	}
	return Value{}, false
}

// inside is a number of a kind, if that holds it.
func inside(kind Kind, n int64) (Value, bool) {
	ok := true
	switch kind {
	case U32:
		ok = n >= 0 && n <= math.MaxUint32
	case I32:
		ok = n >= math.MinInt32 && n <= math.MaxInt32
	case Abstract:
		ok = n > math.MinInt64/4 && n < math.MaxInt64/4
	}
	return Value{kind, n}, ok
}

// common is the kind of an operation on two numbers.
func common(a, b Value) (Kind, bool) {
	switch {
	case a.Kind == b.Kind:
		return a.Kind, true
	case a.Kind == Abstract && b.Kind != Bool:
		return b.Kind, true
	case b.Kind == Abstract && a.Kind != Bool:
		return a.Kind, true
	}
	return 0, false
}

func binary(op string, a, b Value) (Value, bool) {
	if op == "<<" || op == ">>" {
		if a.Kind == Bool || b.Kind == Bool || b.N < 0 || b.N > 31 || a.N < 0 {
			return Value{}, false
		}
		if op == "<<" {
			if a.N<<b.N>>b.N != a.N {
				return Value{}, false
			}
			return inside(a.Kind, a.N<<b.N)
		}
		return inside(a.Kind, a.N>>b.N)
	}
	kind, ok := common(a, b)
	if !ok {
		return Value{}, false
	}
	x, y := a.N, b.N
	switch op {
	case "==":
		return truth(x == y)
	case "!=":
		return truth(x != y)
	}
	if kind == Bool {
		switch op {
		case "&&", "&":
			return truth(x != 0 && y != 0)
		case "||", "|":
			return truth(x != 0 || y != 0)
		}
		return Value{}, false
	}
	switch op {
	case "<":
		return truth(x < y)
	case "<=":
		return truth(x <= y)
	case ">":
		return truth(x > y)
	case ">=":
		return truth(x >= y)
	case "+":
		return inside(kind, x+y)
	case "-":
		return inside(kind, x-y)
	case "*":
		if x != 0 && (x*y/x != y || x*y == math.MinInt64) {
			return Value{}, false
		}
		return inside(kind, x*y)
	case "/", "%":
		if y == 0 {
			return Value{}, false
		}
		if op == "/" {
			return inside(kind, x/y)
		}
		return inside(kind, x%y)
	case "&":
		return inside(kind, x&y)
	case "|":
		return inside(kind, x|y)
	case "^":
		return inside(kind, x^y)
	}
	return Value{}, false
}

// literal is the value of a whole number, of true or of false.
func literal(text string) (Value, bool) {
	switch text {
	case "true":
		return truth(true)
	case "false":
		return truth(false)
	}
	kind := Abstract
	hex := strings.HasPrefix(text, "0x") || strings.HasPrefix(text, "0X")
	if rest, ok := strings.CutSuffix(text, "u"); ok {
		kind, text = U32, rest
	} else if rest, ok := strings.CutSuffix(text, "i"); ok {
		kind, text = I32, rest
	}
	if !hex && strings.ContainsAny(text, ".eEfh") {
		return Value{}, false
	}
	n, err := strconv.ParseInt(text, 0, 64)
	if err != nil {
		return Value{}, false
	}
	return inside(kind, n)
}

// expr is a value as an expression: i32(-2) where it is negative, for no literal is.
func (v Value) expr() Expr {
	text := strconv.FormatInt(v.N, 10)
	switch {
	case v.Kind == U32:
		text += "u"
	case v.N < 0:
		return NewCall("i32", &Unary{Op: "-", X: &Literal{Text: text[1:]}})
	case v.Kind == I32:
		text += "i"
	}
	return &Literal{Text: text}
}
