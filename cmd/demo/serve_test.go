package main

import (
	"context"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestServe serves the folder on this machine alone, until it is stopped.
func TestServe(t *testing.T) {
	dir := t.TempDir()
	if err := serve(context.Background(), io.Discard, dir, 0); err == nil || !strings.Contains(err.Error(), "make web") {
		t.Errorf("an empty folder: got %v", err)
	}
	for _, name := range webFiles {
		write(t, filepath.Join(dir, name), []byte("content of "+name))
	}
	ctx, stop := context.WithCancel(context.Background())
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, w, dir, 0) }()
	line := make([]byte, 200)
	n, err := r.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	address, _, _ := strings.Cut(string(line[:n]), " ")
	if !strings.HasPrefix(address, "http://127.0.0.1:") {
		t.Errorf("served at %q, want the loopback", address)
	}
	port, err := strconv.Atoi(strings.TrimSuffix(address[strings.LastIndex(address, ":")+1:], "/"))
	if err != nil {
		t.Fatal(err)
	}
	for name, kind := range map[string]string{"": "text/html", "conform.wasm": "application/wasm", "wasm_exec.js": "text/javascript"} {
		got, err := http.Get(address + name)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(got.Body)
		got.Body.Close()
		if err != nil || !strings.HasPrefix(got.Header.Get("Content-Type"), kind) || !strings.HasPrefix(string(body), "content of ") {
			t.Errorf("%q: %v, %s, %q, want %s", name, err, got.Header.Get("Content-Type"), body, kind)
		}
	}
	if err := serve(ctx, io.Discard, dir, port); err == nil || !strings.Contains(err.Error(), "--port") {
		t.Errorf("a port that is taken: got %v", err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("stopped: got %v", err)
	}
}
