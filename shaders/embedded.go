//go:build !mutate

package shaders

import "io/fs"

// FS holds the files.
func FS() fs.FS { return files }
