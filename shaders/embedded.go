//go:build !mutate

package shaders

import "io/fs"

// source is where the package's own shaders come from.
var source fs.FS = files
