package shaders

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
)

// Eval evaluates an integer expression: literals (4, 4u), names, + - * / %, and
// parentheses as in WGSL, ceil(a/b) for division rounded up, min(a, b) and
// max(a, b), and comparisons, && and ||, which are 1 or 0. An unknown name, a division by zero or anything else is an error.
func Eval(expr string, lookup func(name string) (int, bool)) (int, error) {
	tree, err := parser.ParseExpr(unsuffixed(expr))
	if err != nil {
		return 0, fmt.Errorf("shaders: expression %q: %w", expr, err)
	}
	v, err := eval(tree, lookup)
	if err != nil {
		return 0, fmt.Errorf("shaders: expression %q: %w", expr, err)
	}
	return v, nil
}

// unsuffixed is expr without the suffix of WGSL's integer literals.
func unsuffixed(expr string) string {
	out := make([]byte, 0, len(expr))
	number := false // c continues a literal
	for i := range len(expr) {
		c := expr[i]
		digit := '0' <= c && c <= '9'
		if number && (c == 'u' || c == 'i') && (i+1 == len(expr) || !word(expr[i+1])) {
			number = false
			continue
		}
		number = digit && (number || i == 0 || !word(expr[i-1]))
		out = append(out, c)
	}
	return string(out)
}

func eval(e ast.Expr, lookup func(string) (int, bool)) (int, error) {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return eval(e.X, lookup)
	case *ast.BasicLit:
		if e.Kind == token.INT {
			return strconv.Atoi(e.Value)
		}
	case *ast.Ident:
		if v, ok := lookup(e.Name); ok {
			return v, nil
		}
		return 0, fmt.Errorf("unknown name %s", e.Name)
	case *ast.SelectorExpr:
		if x, ok := e.X.(*ast.Ident); ok {
			if v, ok := lookup(x.Name + "." + e.Sel.Name); ok {
				return v, nil
			}
			return 0, fmt.Errorf("unknown name %s.%s", x.Name, e.Sel.Name)
		}
	case *ast.BinaryExpr:
		return binary(e, lookup, false)
	case *ast.CallExpr:
		name, ok := e.Fun.(*ast.Ident)
		if !ok {
			break
		}
		if name.Name == "ceil" && len(e.Args) == 1 {
			if q, ok := e.Args[0].(*ast.BinaryExpr); ok && q.Op == token.QUO {
				return binary(q, lookup, true)
			}
		}
		if (name.Name == "min" || name.Name == "max") && len(e.Args) == 2 {
			a, err := eval(e.Args[0], lookup)
			if err != nil {
				return 0, err
			}
			b, err := eval(e.Args[1], lookup)
			if err != nil {
				return 0, err
			}
			if name.Name == "min" {
				return min(a, b), nil
			}
			return max(a, b), nil
		}
	}
	return 0, fmt.Errorf("not an integer expression")
}

func binary(e *ast.BinaryExpr, lookup func(string) (int, bool), up bool) (int, error) {
	a, err := eval(e.X, lookup)
	if err != nil {
		return 0, err
	}
	b, err := eval(e.Y, lookup)
	if err != nil {
		return 0, err
	}
	switch e.Op {
	case token.ADD:
		return a + b, nil
	case token.SUB:
		return a - b, nil
	case token.MUL:
		return a * b, nil
	case token.EQL:
		return one(a == b), nil
	case token.NEQ:
		return one(a != b), nil
	case token.LSS:
		return one(a < b), nil
	case token.LEQ:
		return one(a <= b), nil
	case token.GTR:
		return one(a > b), nil
	case token.GEQ:
		return one(a >= b), nil
	case token.LAND:
		return one(a != 0 && b != 0), nil
	case token.LOR:
		return one(a != 0 || b != 0), nil
	case token.QUO, token.REM:
		if b == 0 {
			return 0, fmt.Errorf("division by zero")
		}
		if e.Op == token.REM {
			return a % b, nil
		}
		if up {
			return (a + b - 1) / b, nil
		}
		return a / b, nil
	}
	return 0, fmt.Errorf("operator %s is not known", e.Op)
}

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}
