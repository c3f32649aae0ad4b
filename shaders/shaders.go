// Package shaders is the WGSL: one file per operation, forward and backward, each complete
// and valid on its own. Package internal/shader says what stands in them.
package shaders

import (
	"embed"
	"io/fs"
	"path"
	"slices"
	"strings"
)

//go:embed *.wgsl
var files embed.FS

// Names lists the files, without .wgsl, sorted.
func Names() []string {
	found, _ := fs.Glob(FS(), "*.wgsl")
	for i, f := range found {
		found[i] = strings.TrimSuffix(path.Base(f), ".wgsl")
	}
	slices.Sort(found)
	return found
}
