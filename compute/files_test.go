package compute

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/compute/internal/webgpu"
	"github.com/pumice-ml/pumice/shaders"
)

// TestEveryFileCompiles gives every entry point of every shader file to the
// driver's compiler as it stands: naga natively, Tint in Chromium.
func TestEveryFileCompiles(t *testing.T) {
	dev, err := Open(context.Background(), Want{Name: os.Getenv("PUMICE_ADAPTER"), DefaultLimits: true})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	compile := func(text string, e shaders.Entry) error {
		slots := []webgpu.Slot{{Binding: 0, Access: webgpu.UniformRead}}
		for _, b := range e.Bindings {
			access := webgpu.Read
			if b.Access == "read_write" {
				access = webgpu.ReadWrite
			}
			slots = append(slots, webgpu.Slot{Binding: uint32(b.Number), Access: access})
		}
		p, err := dev.eng.(*gpu).dev.NewPipeline(e.Name, text, e.Name, slots)
		if err == nil {
			p.Release()
		}
		return err
	}
	names := shaders.Names()
	for _, name := range names {
		s, err := shaders.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range s.Entries {
			if e.Subgroup {
				continue // TestSubgroupFilesCompile
			}
			if err := compile(s.Text, e); err != nil {
				t.Errorf("%s.wgsl, %s: %v", name, e.Name, err)
			}
			if err := compile(strings.Replace(s.Text, "fn "+e.Name+"(", "fn "+e.Name+"(wrong", 1), e); err == nil {
				t.Errorf("%s.wgsl, %s: a broken text compiles", name, e.Name)
			}
		}
	}
	if len(names) < 30 {
		t.Errorf("%d shader files, want 30 or more", len(names))
	}
}

// TestSubgroupFilesCompile compiles the entry points that call subgroup functions, with
// the params of their test baked in, on devices that have them.
func TestSubgroupFilesCompile(t *testing.T) {
	dev, err := Open(context.Background(), Want{Name: os.Getenv("PUMICE_ADAPTER")})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	found := 0
	for _, name := range shaders.Names() {
		s, err := shaders.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range s.Entries {
			if !e.Subgroup {
				continue
			}
			found++
			var params []string
			for _, f := range s.Params {
				format := map[string]string{"u32": "%vu", "i32": "i32(%v)", "f32": "%vf"}[f.Type]
				params = append(params, fmt.Sprintf(format, s.Test[f.Name]))
			}
			text, err := s.Specialize(e.Name, nil, params)
			if err != nil {
				t.Fatal(err)
			}
			var slots []webgpu.Slot
			for _, b := range e.Bindings {
				slots = append(slots, slotOf(uint32(b.Number), b.Access))
			}
			p, err := dev.eng.(*gpu).dev.NewPipeline(e.Name, text, e.Name, slots)
			if dev.info.Subgroup == 0 {
				if err == nil {
					t.Errorf("%s.wgsl, %s compiles on a device that says it has no subgroups", name, e.Name)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s.wgsl, %s: %v", name, e.Name, err)
				continue
			}
			p.Release()
		}
	}
	if found < 3 {
		t.Errorf("%d entry points, want 3 or more", found)
	}
}
