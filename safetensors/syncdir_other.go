//go:build !unix

package safetensors

// syncDir does nothing: Windows, js/wasm and their like cannot sync a folder.
func syncDir(string) error { return nil }
