package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/shaders"
)

// TestEntryPoints fails where an entry point of a shader has no kernel.
func TestEntryPoints(t *testing.T) {
	kernels := map[string]bool{}
	for _, k := range compute.Kernels() {
		kernels[k.Name()] = true
	}
	for _, name := range shaders.Names() {
		s, err := shaders.Load(name)
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
	allowed := map[string]string{
		"shaders": "", "safetensors": "", "train/data": "safetensors", "train/supervise": "", "compute/internal/webgpu": "",
		"compute":         "shaders compute/internal/webgpu",
		"layers":          "shaders compute compute/internal/webgpu safetensors",
		"compute/conform": "shaders compute compute/internal/webgpu",
		"infer/explain":   "shaders compute compute/internal/webgpu safetensors layers infer",
		"infer/filter":    "shaders compute compute/internal/webgpu safetensors layers",
		"train/search":    "shaders compute compute/internal/webgpu safetensors layers train train/data",
		"infer":           "shaders compute compute/internal/webgpu safetensors layers",
		"train":           "shaders compute compute/internal/webgpu safetensors layers train/data",
		"train/report":    "shaders compute compute/internal/webgpu safetensors layers train train/data bench",
	}
	const binding = "compute/internal/webgpu"
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
