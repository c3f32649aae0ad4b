//go:build mutate

package shaders

import (
	"io/fs"
	"os"
)

// FS holds the files: in programs built to be checked themselves (see cmd/mutate), those
// of the folder PUMICE_SHADERS.
func FS() fs.FS {
	if dir := os.Getenv("PUMICE_SHADERS"); dir != "" {
		return os.DirFS(dir)
	}
	return files
}
