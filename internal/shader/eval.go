package shader

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/pumice-ml/pumice/internal/wgsl"
)

// Eval evaluates an integer expression: literals (4, 4u), names, + - * / %, and
// parentheses as in WGSL, ceil(a/b) for division rounded up, min(a, b) and
// max(a, b), and comparisons, && and ||, which are 1 or 0. An unknown name, a division by
// zero or anything else is an error.
func Eval(expr string, lookup func(name string) (int, bool)) (int, error) {
	x, err := wgsl.ParseExpr(expr)
	if err != nil {
		return 0, fmt.Errorf("shader: expression %q: %w", expr, err)
	}
	v, err := eval(x, lookup)
	if err != nil {
		return 0, fmt.Errorf("shader: expression %q: %w", expr, err)
	}
	return v, nil
}

func eval(x wgsl.Expr, lookup func(string) (int, bool)) (int, error) {
	named := func(name string) (int, error) {
		if lookup != nil {
			if v, ok := lookup(name); ok {
				return v, nil
			}
		}
		return 0, fmt.Errorf("unknown name %s", name)
	}
	switch x := x.(type) {
	case *wgsl.Literal:
		switch x.Text {
		case "true", "false":
			return one(x.Text == "true"), nil
		}
		return strconv.Atoi(strings.TrimRight(x.Text, "ui"))
	case *wgsl.Ident:
		if x.Template == nil {
			return named(x.Name)
		}
	case *wgsl.Member:
		if id, ok := x.X.(*wgsl.Ident); ok {
			return named(id.Name + "." + x.Name)
		}
	case *wgsl.Binary:
		return binary(x, lookup, false)
	case *wgsl.Call:
		if len(x.Args) == 0 {
			break
		}
		if q, ok := x.Args[0].(*wgsl.Binary); ok && x.Func.Name == "ceil" && len(x.Args) == 1 && q.Op == "/" {
			return binary(q, lookup, true)
		}
		if (x.Func.Name == "min" || x.Func.Name == "max") && len(x.Args) == 2 {
			a, err := eval(x.Args[0], lookup)
			if err != nil {
				return 0, err
			}
			b, err := eval(x.Args[1], lookup)
			if err != nil {
				return 0, err
			}
			if x.Func.Name == "min" {
				return min(a, b), nil
			}
			return max(a, b), nil
		}
	}
	return 0, fmt.Errorf("not an integer expression")
}

func binary(x *wgsl.Binary, lookup func(string) (int, bool), up bool) (int, error) {
	a, err := eval(x.X, lookup)
	if err != nil {
		return 0, err
	}
	b, err := eval(x.Y, lookup)
	if err != nil {
		return 0, err
	}
	switch x.Op {
	case "+":
		return a + b, nil
	case "-":
		return a - b, nil
	case "*":
		return a * b, nil
	case "==":
		return one(a == b), nil
	case "!=":
		return one(a != b), nil
	case "<":
		return one(a < b), nil
	case "<=":
		return one(a <= b), nil
	case ">":
		return one(a > b), nil
	case ">=":
		return one(a >= b), nil
	case "&&":
		return one(a != 0 && b != 0), nil
	case "||":
		return one(a != 0 || b != 0), nil
	case "/", "%":
		if b == 0 {
			return 0, fmt.Errorf("division by zero")
		}
		if x.Op == "%" {
			return a % b, nil
		}
		if up {
			return (a + b - 1) / b, nil
		}
		return a / b, nil
	}
	return 0, fmt.Errorf("operator %s is not known", x.Op)
}

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}
