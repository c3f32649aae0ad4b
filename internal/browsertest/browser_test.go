//go:build !js

package browsertest

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

//go:embed page.html
var page []byte

// limit is how long one package may take.
const limit = 30 * time.Minute

func TestInBrowser(t *testing.T) {
	chromium := os.Getenv("PUMICE_CHROMIUM")
	if chromium == "" {
		t.Skip("PUMICE_CHROMIUM names no browser")
	}
	layers := []string{"-test.skip=" + withFiles}
	if testing.Short() {
		layers = []string{"-test.short", "-test.skip=" + withFiles + "|" + long}
	}
	for _, c := range []struct {
		pkg       string
		arguments []string
	}{
		{"internal/webgpu", nil},
		{"compute", []string{"-test.skip=" + withFiles}},
		{"internal/engine", nil},
		{"internal/compiler", nil},
		{"layers", layers},
	} {
		t.Run(c.pkg, func(t *testing.T) { inBrowser(t, chromium, c.pkg, c.arguments) })
	}
}

// Browsers have no files; and the others are left out where time is short: the remaining
// tests run the same kernels, or they are of kernels for GPUs, which run natively on the
// same software driver and whose texts the tests of compute compile here. Package layertest
// leaves out the gradients of the reference device, which are Go alone.
const (
	withFiles = "Save|Load|Readme|StateDict|Example"
	long      = "PyTorch|Accuracy|Long|Conv2DBatches|Conv2DChannels|Conv2DMatMul|Conv2DWorkgroup|Conv2DDirect|Conv2DChain|Conv2DVariants|Conv2DOnGPUs|Winograd|MatMulChain|MatMulVariant|TestTune" +
		"|Tiles|Rules|Initializer|ProductTile|Across|BroadcastShapes|PoolShapes" // no device
)

func inBrowser(t *testing.T, chromium, pkg string, more []string) {
	dir := t.TempDir()
	build := exec.Command("go", "test", "-c", "-o", filepath.Join(dir, "test.wasm"), "github.com/pumice-ml/pumice/"+pkg)
	build.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", build, err, out)
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	if run := os.Getenv("PUMICE_BROWSER_RUN"); run != "" {
		more = []string{"-test.run=" + run}
	}
	arguments := map[string]any{"argv": append([]string{"test", "-test.v=test2json", "-test.timeout=" + limit.String()}, more...)}
	var printed strings.Builder
	exit := make(chan string, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { w.Write(page) })
	mux.HandleFunc("GET /arguments", func(w http.ResponseWriter, _ *http.Request) { json.NewEncoder(w).Encode(arguments) })
	mux.HandleFunc("GET /test.wasm", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/wasm")
		http.ServeFile(w, r, filepath.Join(dir, "test.wasm"))
	})
	mux.HandleFunc("GET /wasm_exec.js", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, filepath.Join(strings.TrimSpace(string(root)), "lib", "wasm", "wasm_exec.js"))
	})
	mux.HandleFunc("POST /print", func(_ http.ResponseWriter, r *http.Request) {
		// The page sends one request after the other.
		if _, err := io.Copy(&printed, r.Body); err != nil {
			fmt.Fprintln(&printed, err)
		}
	})
	mux.HandleFunc("POST /exit", func(_ http.ResponseWriter, r *http.Request) {
		status, _ := io.ReadAll(r.Body)
		exit <- string(status)
	})
	server := httptest.NewServer(mux) // on 127.0.0.1, which a browser trusts with WebGPU
	defer server.Close()
	status := browse(t, chromium, server.URL, exit)
	server.Close()
	passed, text, err := failures(printed.String())
	if err != nil {
		t.Fatalf("status %s: %v\n%s", status, err, printed.String())
	}
	if status != "0" || passed == 0 {
		t.Errorf("status %s, %d tests passed\n%s", status, passed, text)
	} else {
		t.Logf("%d tests passed", passed)
	}
}

// browse opens an address in headless Chromium until the page tells something.
func browse(t *testing.T, chromium, address string, told <-chan string) string {
	t.Helper()
	browser := exec.Command(chromium, "--headless", "--no-sandbox", "--no-first-run", "--user-data-dir="+filepath.Join(t.TempDir(), "profile"),
		"--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan", "--disable-background-timer-throttling", "--disable-gpu-watchdog", address)
	if err := browser.Start(); err != nil {
		t.Fatal(err)
	}
	gone := make(chan error, 1)
	go func() { gone <- browser.Wait() }()
	stop := func() {
		_ = browser.Process.Signal(os.Interrupt) // it may be gone already
		select {
		case <-gone:
		case <-time.After(10 * time.Second):
			_ = browser.Process.Kill()
			<-gone
		}
	}
	select {
	case status := <-told:
		stop()
		return status
	case err := <-gone:
		return fmt.Sprintf("the browser ended: %v", err)
	case <-time.After(limit):
		stop()
		return "nothing after " + limit.String()
	}
}
