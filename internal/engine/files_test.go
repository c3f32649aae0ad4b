package engine

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/internal/shader"
	"github.com/pumice-ml/pumice/internal/webgpu"
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
	names := shaders.Names()
	for _, name := range names {
		s, err := shader.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range s.Entries {
			if e.Subgroup {
				continue // TestSubgroupFilesCompile
			}
			if err := compiles(dev, s.Text, e); err != nil {
				t.Errorf("%s.wgsl, %s: %v", name, e.Name, err)
			}
			if err := compiles(dev, strings.Replace(s.Text, "fn "+e.Name+"(", "fn "+e.Name+"(wrong", 1), e); err == nil {
				t.Errorf("%s.wgsl, %s: a broken text compiles", name, e.Name)
			}
		}
	}
	if len(names) < 30 {
		t.Errorf("%d shader files, want 30 or more", len(names))
	}
}

// compiles gives an entry point to the driver's compiler, with params as a buffer.
func compiles(dev *Device, text string, e shader.Entry) error {
	slots := []webgpu.Slot{{Binding: 0, Access: webgpu.UniformRead}}
	for _, b := range e.Bindings {
		slots = append(slots, slotOf(uint32(b.Number), b.Access))
	}
	p, err := dev.Engine.(*GPU).dev.NewPipeline(e.Name, text, e.Name, slots)
	if err == nil {
		p.Release()
	}
	return err
}

// literals are the params of a shader's test.
func literals(s *shader.Shader) (params []string) {
	for _, f := range s.Params {
		format := map[string]string{"u32": "%.0fu", "i32": "i32(%.0f)", "f32": "%gf"}[f.Type]
		params = append(params, fmt.Sprintf(format, s.Test[f.Name]))
	}
	return params
}

// TestEveryLinkCompiles compiles every element-wise entry point behind another one, once
// for each array that it can be handed an element of.
func TestEveryLinkCompiles(t *testing.T) {
	dev, err := Open(context.Background(), Want{Name: os.Getenv("PUMICE_ADAPTER"), DefaultLimits: true})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	first := must(shader.Load("fill"))
	e := first.Entries[0]
	found := 0
	for _, name := range shaders.Names() {
		s := must(shader.Load(name))
		for _, next := range s.Entries {
			for _, array := range s.Pointwise(next) {
				found++
				l := shader.Link{Shader: s, Entry: next, Text: must(s.Specialize(next.Name, nil, literals(s))), Keep: 10}
				for i, b := range next.Bindings {
					switch {
					case b.Name == array:
						l.Bindings = append(l.Bindings, shader.Handed)
					case b.Access == "read_write":
						l.Bindings = append(l.Bindings, e.Bindings[0].Number)
					default:
						l.Bindings = append(l.Bindings, 11+i)
					}
				}
				c, err := shader.Chain(first, e, []shader.Link{l})
				if err == nil {
					err = compiles(dev, c.Text, c.Entries[0])
				}
				if err != nil {
					t.Errorf("%s.%s, handed %s: %v", name, next.Name, array, err)
				}
			}
		}
	}
	if found < 30 {
		t.Errorf("%d links, want 30 or more", found)
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
		s, err := shader.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range s.Entries {
			if !e.Subgroup {
				continue
			}
			found++
			text := must(s.Specialize(e.Name, nil, literals(s)))
			var slots []webgpu.Slot
			for _, b := range e.Bindings {
				slots = append(slots, slotOf(uint32(b.Number), b.Access))
			}
			p, err := dev.Engine.(*GPU).dev.NewPipeline(e.Name, text, e.Name, slots)
			if dev.Info().Subgroup == 0 {
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

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
