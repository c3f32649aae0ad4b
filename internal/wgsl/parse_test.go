package wgsl_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/pumice-ml/pumice/internal/wgsl"
)

// TestRoundTrip reads what String writes of every shader, and wants the same text again.
func TestRoundTrip(t *testing.T) {
	files, err := filepath.Glob("../../shaders/*.wgsl")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m, err := wgsl.Parse(string(text))
		if err != nil {
			t.Errorf("%s:%v", file, err)
			continue
		}
		once := m.String()
		again, err := wgsl.Parse(once)
		if err != nil {
			t.Errorf("%s, written: %v\n%s", file, err, once)
			continue
		}
		if twice := again.String(); twice != once {
			t.Errorf("%s: written twice it differs", file)
		}
	}
}
