//go:build !js

package browsertest

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/conform"
	"github.com/pumice-ml/pumice/compute/devicetest"
)

// What a test plants in the page before it runs.
const (
	refused = `<script>navigator.gpu.requestAdapter = async () => null;</script>`
	// lost destroys the device when it is about to compile its twentieth pipeline.
	lost = `<script>
const request = GPUAdapter.prototype.requestDevice;
GPUAdapter.prototype.requestDevice = async function (...args) {
	const device = await request.apply(this, args);
	let left = 20;
	for (const name of ["createComputePipeline", "createComputePipelineAsync"]) {
		const create = device[name];
		device[name] = function (...args) {
			if (--left == 0) device.destroy();
			return create.apply(this, args);
		};
	}
	return device;
};
</script>`
)

// TestPage opens the page of demo serve as make web builds it: it runs the suite, says
// when the browser refuses an adapter, and when the device is lost. With PUMICE_WHOLE it
// runs all cases, not the plain ones alone.
func TestPage(t *testing.T) {
	chromium := os.Getenv("PUMICE_CHROMIUM")
	if chromium == "" {
		t.Skip("PUMICE_CHROMIUM names no browser")
	}
	dir := t.TempDir()
	build := exec.Command("make", "-C", "../..", "web", "WEB="+dir)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cases := "plain=true&"
	if os.Getenv("PUMICE_WHOLE") != "" {
		cases = ""
	}
	for name, c := range map[string]struct{ plant, query, want string }{
		"right":   {"", cases, ""},
		"refused": {refused, "", "the browser refused an adapter"},
		"lost":    {lost, "", "device lost"},
	} {
		t.Run(name, func(t *testing.T) {
			mux := http.NewServeMux()
			mux.Handle("GET /", http.FileServer(http.Dir(dir)))
			mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
				html, err := os.ReadFile(filepath.Join(dir, "index.html"))
				if err != nil {
					t.Error(err)
				}
				w.Write([]byte(strings.Replace(string(html), "<script ", c.plant+"<script ", 1)))
			})
			var got struct {
				Error, Summary string
				OK             bool
				Report         struct {
					Fingerprint struct{ Browser, Backend string }
					Cases       []struct{ Name, Verdict, Error string }
				}
			}
			text := report(t, chromium, mux, c.query)
			if err := json.Unmarshal([]byte(text), &got); err != nil {
				t.Fatalf("%v: %.300s", err, text)
			}
			if c.want != "" {
				if !strings.Contains(got.Error, c.want) {
					t.Errorf("the page says %q, want %q", got.Error, c.want)
				}
				return
			}
			for _, c := range got.Report.Cases {
				if c.Verdict == "illegal" || c.Verdict == "error" {
					t.Errorf("%s: %s %.300s", c.Verdict, c.Name, c.Error)
				}
			}
			if !got.OK || len(got.Report.Cases) < 45 || got.Report.Fingerprint.Backend != "webgpu" || !strings.Contains(got.Report.Fingerprint.Browser, "Chrome") {
				t.Errorf("%s %q: %+v", got.Summary, got.Error, got.Report.Fingerprint)
			}
			t.Log(got.Summary)
		})
	}
}

// report opens the page that mux serves and returns what it posts to the address in
// its query.
func report(t *testing.T, chromium string, mux *http.ServeMux, query string) string {
	t.Helper()
	told := make(chan string, 1)
	mux.HandleFunc("POST /report", func(_ http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		told <- string(b)
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	return browse(t, chromium, server.URL+"/?"+query+"post=/report", told)
}

// TestReproPage writes down a dispatch that is wrong on every device, and opens the
// page that runs it alone.
func TestReproPage(t *testing.T) {
	chromium := os.Getenv("PUMICE_CHROMIUM")
	if chromium == "" {
		t.Skip("PUMICE_CHROMIUM names no browser")
	}
	wrong := compute.NewKernelFS(fstest.MapFS{"triple.wgsl": {Data: []byte(`// triple: y = 3 x.
// x, y are (n).
struct Params { n: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
// invocations: n
@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < params.n { y[id.x] = 3.0001 * x[id.x]; }
}`)}}, "triple.forward", func(_ struct{ N uint32 }, b [][]float64) {
		for i, x := range b[0] {
			b[1][i] = 3 * x
		}
	}, compute.ULP(1))
	dir := t.TempDir()
	c := conform.Cases([]conform.Op{conform.KernelOp(wrong, "n=5")}, 7)[0]
	if err := conform.WriteRepro(context.Background(), devicetest.Open(t), c, dir); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServer(http.Dir(dir)))
	if got := report(t, chromium, mux, ""); !strings.HasPrefix(got, "5 of 5 elements of y are illegal here") {
		t.Errorf("the page says %q", got)
	}
}
