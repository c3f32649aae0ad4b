package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/internal/shader"
	"github.com/pumice-ml/pumice/shaders"
)

// TestEntryPoints fails where an entry point of a shader has no kernel.
func TestEntryPoints(t *testing.T) {
	kernels := map[string]bool{}
	for _, k := range ir.Kernels() {
		kernels[k.Name()] = true
	}
	for _, name := range shaders.Names() {
		s, err := shader.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range s.Entries {
			if !kernels[name+"."+e.Name] {
				t.Errorf("%s.wgsl: entry point %s has no kernel", name, e.Name)
			}
		}
	}
}

// TestImports holds the arrows between the packages.
func TestImports(t *testing.T) {
	const module = "github.com/pumice-ml/pumice/"
	const machinery = "shaders internal/wgsl internal/shader internal/webgpu internal/tapeoption "
	allowed := map[string]string{
		"shaders": "", "safetensors": "", "train/data": "safetensors", "train/supervise": "",
		"internal/wgsl": "", "internal/webgpu": "", "internal/tapeoption": "",
		"internal/shader": "shaders internal/wgsl",
		"compute":         machinery,
		"layers":          machinery + "compute safetensors",
		"compute/conform": machinery + "compute",
		"infer/explain":   machinery + "compute safetensors layers infer",
		"infer/filter":    machinery + "compute safetensors layers",
		"train/search":    machinery + "compute safetensors layers train train/data",
		"infer":           machinery + "compute safetensors layers",
		"train":           machinery + "compute safetensors layers train/data",
		"train/report":    machinery + "compute safetensors layers train train/data bench",
	}
	const binding = "internal/webgpu"
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}}: {{join .Imports \" \"}}", module+"...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		pkg, imports, _ := strings.Cut(strings.TrimSpace(line), ": ")
		pkg = strings.TrimPrefix(pkg, module)
		for dep := range strings.FieldsSeq(imports) {
			foreign := strings.HasSuffix(dep, "/wgpu") || strings.Contains(dep, "/wgpu/") || dep == "syscall/js"
			if foreign && pkg != binding || dep == module+binding && pkg != "compute" {
				t.Errorf("%s imports %s, which only the door may", pkg, dep)
			}
		}
	}
	for pkg, may := range allowed {
		out, err := exec.Command("go", "list", "-deps", module+pkg).Output()
		if err != nil {
			t.Fatal(err)
		}
		for dep := range strings.Lines(string(out)) {
			dep = strings.TrimSpace(dep)
			ours, ok := strings.CutPrefix(dep, module)
			if ok && ours != pkg && !strings.Contains(" "+may+" ", " "+ours+" ") {
				t.Errorf("%s imports %s, want only %q", pkg, ours, may)
			}
		}
	}
}

// TestNoInit fails where a package does something when it is initialised, whose order
// depends on the names of files. The OpenBLAS files choose a library, under a build tag.
func TestNoInit(t *testing.T) {
	set, seen := token.NewFileSet(), 0
	err := filepath.WalkDir("../..", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "openblas.go") {
			return err
		}
		f, err := parser.ParseFile(set, file, nil, 0)
		if err != nil {
			return err
		}
		seen++
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%v: an init function", set.Position(fn.Pos()))
			}
		}
		return nil
	})
	if err != nil || seen < 100 {
		t.Fatalf("%d files: %v", seen, err)
	}
}
