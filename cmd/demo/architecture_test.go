package main

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
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
	const text = "shaders internal/wgsl internal/shader "
	const list = text + "internal/webgpu internal/tapeoption internal/ir "
	const machinery = list + "internal/engine internal/judge internal/tune internal/pass internal/compiler "
	const operations = machinery + "compute internal/rule "
	allowed := map[string]string{
		"shaders": "", "safetensors": "", "train/data": "safetensors", "train/supervise": "",
		"internal/wgsl": "", "internal/webgpu": "", "internal/tapeoption": "",
		"internal/shader":   "shaders internal/wgsl",
		"internal/ir":       list,
		"internal/engine":   list,
		"internal/judge":    list + "internal/engine",
		"internal/tune":     list + "internal/engine internal/judge",
		"internal/pass":     list + "internal/engine internal/judge internal/tune",
		"internal/compiler": machinery,
		"compute":           machinery,
		"internal/rule":     operations,
		"layers":            operations + "safetensors",
		"compute/conform":   machinery + "compute",
		"infer/explain":     operations + "safetensors layers infer",
		"infer/filter":      operations + "safetensors layers",
		"train/search":      operations + "safetensors layers train train/data",
		"infer":             operations + "safetensors layers",
		"train":             operations + "safetensors layers train/data",
		"train/report":      operations + "safetensors layers train train/data bench",
	}
	// ir and engine are behind the door: the limits and errors of devices, and the GPU's engine.
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
			if foreign && pkg != binding || dep == module+binding && pkg != "internal/ir" && pkg != "internal/engine" {
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

// TestPublicNames fails where package compute shows more than users of a library can look
// over: constants, variables, functions, types, and their methods and fields, those of
// aliases too; errors, Info and Limits are not counted.
func TestPublicNames(t *testing.T) {
	const most = 120
	inner := names(t, "../../internal/ir", "Param", "Model", "Reference32", "DType", "Tape fields")
	own := names(t, "../../compute")
	if n := len(own) + len(inner); n > most || len(own) < 50 || len(inner) < 10 {
		t.Errorf("%d names, want %d at most: %v and %v", n, most, own, inner)
	}
}

// names are the exported names of a package, or the methods and fields of some of its types.
func names(t *testing.T, dir string, only ...string) (all []string) {
	t.Helper()
	set := token.NewFileSet()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var parsed []*ast.File
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(set, file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, f)
	}
	p, err := doc.NewFromFiles(set, parsed, "x")
	if err != nil {
		t.Fatal(err)
	}
	values := func(of []*doc.Value) {
		for _, v := range of {
			for _, name := range v.Names {
				if ast.IsExported(name) && !strings.HasPrefix(name, "Err") && only == nil {
					all = append(all, name)
				}
			}
		}
	}
	functions := func(of string, list []*doc.Func) {
		for _, f := range list {
			all = append(all, of+f.Name)
		}
	}
	values(p.Consts)
	values(p.Vars)
	if only == nil {
		functions("", p.Funcs)
	}
	for _, one := range p.Types {
		fields := slices.Contains(only, one.Name) || slices.Contains(only, one.Name+" fields")
		if one.Name == "Info" || one.Name == "Limits" || only != nil && !fields {
			continue
		}
		values(one.Consts)
		values(one.Vars)
		if only == nil {
			all = append(all, one.Name)
			functions("", one.Funcs)
		}
		if !slices.Contains(only, one.Name+" fields") {
			functions(one.Name+".", one.Methods)
		}
		ast.Inspect(one.Decl, func(n ast.Node) bool {
			if f, ok := n.(*ast.Field); ok {
				for _, name := range f.Names {
					if name.IsExported() {
						all = append(all, one.Name+"."+name.Name)
					}
				}
			}
			_, function := n.(*ast.FuncType)
			return !function
		})
	}
	return all
}
