package testdata

import (
	"strings"
	"testing"
)

func TestFilesDecode(t *testing.T) {
	entries, err := files.ReadDir("pytorch")
	if err != nil || len(entries) < 20 {
		t.Fatalf("%d files, %v", len(entries), err)
	}
	for _, e := range entries {
		group, ok := strings.CutSuffix(e.Name(), ".json")
		if !ok {
			continue
		}
		for _, c := range PyTorch(group) {
			for name, tensor := range c.Tensors {
				n := 1
				for _, d := range tensor.Shape {
					n *= d
				}
				if len(tensor.Data) != n {
					t.Errorf("%s, %s: %s has %d elements for shape %v", group, c.Name, name, len(tensor.Data), tensor.Shape)
				}
			}
		}
	}
}
