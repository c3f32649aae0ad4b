package wgsl_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestNoRegexp wants no regular expression where WGSL is: what a text means is read from
// its tokens and its tree.
func TestNoRegexp(t *testing.T) {
	const root = "../.."
	meet := []string{"github.com/pumice-ml/pumice/internal/wgsl", "github.com/pumice-ml/pumice/shaders"}
	files := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		var imports []string
		for _, i := range f.Imports {
			name, _ := strconv.Unquote(i.Path.Value)
			imports = append(imports, name)
		}
		inside, _ := filepath.Rel(root, path)
		inside = filepath.ToSlash(inside)
		if slices.ContainsFunc(meet, func(p string) bool { return slices.Contains(imports, p) }) ||
			slices.ContainsFunc([]string{"internal/", "compute/", "shaders/", "cmd/mutate/"}, func(p string) bool { return strings.HasPrefix(inside, p) }) {
			files++
			if slices.Contains(imports, "regexp") {
				t.Errorf("%s imports regexp", inside)
			}
		}
		return nil
	})
	if err != nil || files < 50 {
		t.Errorf("%d files, %v", files, err)
	}
}
