//go:build mutate

package shaders

import (
	"io/fs"
	"os"
)

// source is where the package's own shaders come from: in programs built to be
// checked themselves (see cmd/mutate), the folder PUMICE_SHADERS.
var source fs.FS = func() fs.FS {
	if dir := os.Getenv("PUMICE_SHADERS"); dir != "" {
		return os.DirFS(dir)
	}
	return files
}()
