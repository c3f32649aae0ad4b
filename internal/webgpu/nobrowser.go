//go:build !js

package webgpu

// Browser is the browser's name of itself; here there is none.
func Browser() string { return "" }
