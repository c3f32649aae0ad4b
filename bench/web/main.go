//go:build !js

// Web measures how long it takes in a browser from navigating to a page until the first
// step of training is done, for Pumice and for TensorFlow.js, in turn:
//
//	npm ci --prefix bench/peers
//	go run ./bench/web
//
// It runs headless Chromium on SwiftShader, anew for each page, and prints JSON lines with
// the milliseconds since navigation.
package main

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

//go:embed pumice.html tfjs.html
var pages embed.FS

var (
	chromium = flag.String("chromium", "chromium", "the browser")
	rounds   = flag.Int("rounds", 3, "how often each page is opened")
	peers    = flag.String("peers", "bench/peers", "where TensorFlow.js is installed; none leaves it out")
	limit    = flag.Duration("limit", 10*time.Minute, "the most that a page may take")
)

func main() {
	flag.Parse()
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal("web: ", err)
	}
}

func run(ctx context.Context, out io.Writer) error {
	dir, err := os.MkdirTemp("", "pumice-web-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	build := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(dir, "train.wasm"), "github.com/pumice-ml/pumice/bench/web/train")
	build.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	if text, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %w\n%s", build, err, text)
	}
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return err
	}
	files := map[string]string{
		"train.wasm":   filepath.Join(dir, "train.wasm"),
		"wasm_exec.js": filepath.Join(strings.TrimSpace(string(root)), "lib", "wasm", "wasm_exec.js"),
	}
	systems := []string{"pumice.html"}
	if *peers != "none" {
		modules := filepath.Join(*peers, "node_modules", "@tensorflow")
		files["tf.min.js"] = filepath.Join(modules, "tfjs", "dist", "tf.min.js")
		files["tf-backend-webgpu.min.js"] = filepath.Join(modules, "tfjs-backend-webgpu", "dist", "tf-backend-webgpu.min.js")
		systems = append(systems, "tfjs.html")
	}
	for _, file := range files {
		if _, err := os.Stat(file); err != nil {
			return fmt.Errorf("%w; bench/README.md says how to install what is compared", err)
		}
	}
	for range *rounds {
		for _, page := range systems {
			if err := open(ctx, out, dir, files, page); err != nil {
				return fmt.Errorf("%s: %w", page, err)
			}
		}
	}
	return nil
}

// open opens a page in a new browser and prints what it tells, until it is done.
func open(ctx context.Context, out io.Writer, dir string, files map[string]string, page string) error {
	ctx, cancel := context.WithTimeout(ctx, *limit)
	defer cancel()
	lines := make(chan string, 100)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{name}", func(w http.ResponseWriter, r *http.Request) {
		if file, ok := files[r.PathValue("name")]; ok {
			http.ServeFile(w, r, file)
			return
		}
		http.ServeFileFS(w, r, pages, r.PathValue("name"))
	})
	mux.HandleFunc("POST /tell", func(_ http.ResponseWriter, r *http.Request) {
		if line, err := io.ReadAll(r.Body); err == nil {
			lines <- string(line)
		}
	})
	server := httptest.NewServer(mux) // on 127.0.0.1, which a browser trusts with WebGPU
	defer server.Close()
	profile, err := os.MkdirTemp(dir, "profile-*") // a browser keeps shaders in it
	if err != nil {
		return err
	}
	browser := exec.CommandContext(ctx, *chromium, "--headless", "--no-sandbox", "--no-first-run", "--user-data-dir="+profile,
		"--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan", "--disable-gpu-watchdog", server.URL+"/"+page)
	browser.Cancel = func() error { return browser.Process.Signal(os.Interrupt) }
	browser.WaitDelay = 10 * time.Second
	if err := browser.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- browser.Wait() }()
	defer func() {
		cancel()
		<-ended
	}()
	for {
		select {
		case line := <-lines:
			fmt.Fprintln(out, line)
			var told struct{ Event, Error string }
			if err := json.Unmarshal([]byte(line), &told); err != nil {
				return err
			}
			if told.Event == "error" {
				return errors.New(told.Error)
			}
			if told.Event == "done" {
				return nil
			}
		case err := <-ended:
			ended <- err
			return fmt.Errorf("the browser ended: %v", err)
		case <-ctx.Done():
			return fmt.Errorf("nothing after %v: %w", *limit, ctx.Err())
		}
	}
}
