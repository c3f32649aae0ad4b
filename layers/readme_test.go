package layers

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestReadme wants every layer and loss in the README's table, and every name
// there to be something exported here or in train.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "## Layers")
	table, _, _ = strings.Cut(table, "Images are")
	exported := map[string]bool{}
	for _, dir := range []string{".", "../train"} {
		//lint:ignore SA1019 the files are read one by one, without build tags
		packages, err := parser.ParseDir(token.NewFileSet(), dir, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range packages {
			ast.Inspect(p, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.FuncDecl:
					exported[n.Name.Name] = true
					if n.Recv != nil && (n.Name.Name == "Forward" || n.Name.Name == "Loss") {
						name := receiver(n)
						if ast.IsExported(name) && !regexp.MustCompile(`\b`+name+`\b`).MatchString(table) {
							t.Errorf("README has no %s", name)
						}
					}
				case *ast.TypeSpec:
					exported[n.Name.Name] = true
				}
				return true
			})
		}
	}
	for _, line := range strings.Split(table, "\n") {
		cells := strings.Split(line, "|")
		if len(cells) < 4 || cells[1] == " First values " {
			continue
		}
		for _, name := range strings.Split(regexp.MustCompile(`\([^)]*\)`).ReplaceAllString(cells[2], ""), ",") {
			if name = strings.TrimSpace(name); name != "" && name != "---" && !exported[name] {
				t.Errorf("README names %q, which is not there", name)
			}
		}
	}
}

// receiver is the name of a method's type.
func receiver(f *ast.FuncDecl) string {
	x := f.Recv.List[0].Type
	if star, ok := x.(*ast.StarExpr); ok {
		x = star.X
	}
	if id, ok := x.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}
