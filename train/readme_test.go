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
	_, program, _ := strings.Cut(string(readme), "```go\n")
	program, _, _ = strings.Cut(program, "```")
	want := strings.NewReplacer(
		"package main", "package train_test",
		"func main()", "// Example trains a small network on digits and measures it.\nfunc Example()",
		"TestAccuracy > 0.7)\n", "TestAccuracy > 0.7)\n\t// Output: epochs: 2 - better than 70%: true\n",
	).Replace(program)
	if string(example) != want {
		t.Errorf("example_test.go is not the program of the README:\n%s", want)
	}
	if lines := strings.Count(program, "\n") - strings.Count(program, "\n\n"); lines > 30 {
		t.Errorf("the program has %d lines that are not blank, want at most 30", lines)
	}
}
