package compute

import (
	"context"
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
			if e.Subgroup && dev.info.Subgroup == 0 {
				continue
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
