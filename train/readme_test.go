package train

import (
	"os"
	"strings"
	"testing"
)

// TestReadme wants the README's program to be the Example, line by line.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(readme), "```go\n")
	block, _, _ = strings.Cut(block, "```")
	indented := "\t" + strings.ReplaceAll(strings.TrimSuffix(block, "\n"), "\n", "\n\t") + "\n"
	if len(block) < 500 || !strings.Contains(string(example), indented) {
		t.Errorf("the program of the README is not in example_test.go:\n%s", block)
	}
	if lines := strings.Count(block, "\n"); lines > 30 {
		t.Errorf("the program has %d lines, want at most 30", lines)
	}
}
