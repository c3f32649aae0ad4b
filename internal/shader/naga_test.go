package shader

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gogpu/naga"
	"github.com/gogpu/naga/ir"

	"github.com/pumice-ml/pumice/shaders"
)

// unread are the shaders that naga, the second opinion, does not read, and why. Tint and
// the naga of wgpu do (see compute.TestEveryFileCompiles).
var unread = map[string]string{
	"conv2d": "function split body: math function requires at least one argument", // its function length, which shadows a built-in one
	"log":    "line 15, column 26: expected ;, got Ident",                         // a hexadecimal number with a point or an exponent
}

// second is what naga reads in a text.
func second(text string) (*ir.Module, error) {
	ast, err := naga.Parse(text)
	if err != nil {
		return nil, err
	}
	m, err := naga.LowerWithSource(ast, text)
	if err != nil {
		return nil, err
	}
	problems, err := naga.Validate(m)
	if err == nil && len(problems) > 0 {
		err = fmt.Errorf("%v", problems)
	}
	return m, err
}

// compare wants naga to find the entry points and bindings of a shader.
func compare(s *Shader, m *ir.Module) error {
	var ours, theirs []string
	for _, e := range s.Entries {
		ours = append(ours, fmt.Sprint(e.Name, e.Workgroup))
	}
	for _, e := range m.EntryPoints {
		theirs = append(theirs, fmt.Sprint(e.Name, e.Workgroup))
	}
	for _, b := range s.Bindings {
		ours = append(ours, fmt.Sprint(b.Number, b.Name, b.Access))
	}
	for _, v := range m.GlobalVariables {
		if v.Binding == nil {
			continue
		}
		access := "uniform"
		if v.Space == ir.SpaceStorage {
			access = map[ir.StorageAccessMode]string{ir.StorageRead: "read", ir.StorageReadWrite: "read_write"}[v.Access]
		}
		theirs = append(theirs, fmt.Sprint(v.Binding.Binding, v.Name, access))
	}
	slices.Sort(ours)
	slices.Sort(theirs)
	if !slices.Equal(ours, theirs) {
		return fmt.Errorf("got %v, naga finds %v", ours, theirs)
	}
	return nil
}

// TestSecondOpinion has another reader of WGSL read every file, and every specialised text.
func TestSecondOpinion(t *testing.T) {
	read := 0
	for _, name := range shaders.Names() {
		s, err := Load(name)
		if err != nil {
			t.Fatal(err)
		}
		m, err := second(s.Text)
		if why, ok := unread[name]; ok {
			if err == nil || !strings.Contains(err.Error(), why) {
				t.Errorf("%s.wgsl: got %v, want %s", name, err, why)
			}
			continue
		}
		if err == nil {
			err = compare(s, m)
		}
		if err != nil {
			t.Errorf("%s.wgsl: %v", name, err)
			continue
		}
		read++
		var params []string
		for _, f := range s.Params {
			v, ok := s.Test[f.Name]
			if !ok {
				v = map[bool]float64{true: 0.5, false: 67}[f.Type == "f32"]
			}
			params = append(params, fmt.Sprintf("%s(%v)", f.Type, v))
		}
		for _, e := range s.Entries {
			for _, baked := range [][]string{nil, params} {
				text, err := s.Specialize(e.Name, nil, baked)
				if err != nil {
					t.Errorf("%s.%s: %v", name, e.Name, err)
					continue
				}
				m, err := second(text)
				if err == nil && (len(m.EntryPoints) != 1 || m.EntryPoints[0].Name != e.Name || fmt.Sprint(m.EntryPoints[0].Workgroup) != fmt.Sprint(e.Workgroup)) {
					err = fmt.Errorf("naga finds %d entry points, want %s", len(m.EntryPoints), e.Name)
				}
				for _, b := range e.Bindings {
					if err == nil && !slices.ContainsFunc(m.GlobalVariables, func(v ir.GlobalVariable) bool {
						return v.Name == b.Name && v.Binding != nil && int(v.Binding.Binding) == b.Number
					}) {
						err = fmt.Errorf("naga finds no binding %d, %s", b.Number, b.Name)
					}
				}
				if err != nil {
					t.Errorf("%s.%s, with params %v: %v\n%s", name, e.Name, baked, err, text)
				}
			}
		}
	}
	if read < len(shaders.Names())-len(unread) {
		t.Errorf("naga reads %d of %d files", read, len(shaders.Names()))
	}
}
