// Package browsertest runs the tests of other packages in a browser: its own
// test builds them for GOOS=js and opens them in a headless Chromium, whose
// WebGPU compiles the shaders by Tint. It needs a Chromium and takes minutes, so
// that it runs only where PUMICE_CHROMIUM names one:
//
//	PUMICE_CHROMIUM=chromium go test ./internal/browsertest
//
// PUMICE_BROWSER_RUN chooses tests of those packages, as -run does.
package browsertest
