package data

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// smallMNIST is a set in the four files of MNIST, as they are and packed.
func smallMNIST(t *testing.T) (files [4]remote, packed map[string][]byte) {
	packed = map[string][]byte{}
	for i, plain := range [][]byte{
		idxBytes(make([]byte, 8), 2, 2, 2), idxBytes([]byte{3, 1}, 2), idxBytes(make([]byte, 4), 1, 2, 2), idxBytes([]byte{9}, 1),
	} {
		name := mnistFiles[i].name
		files[i] = remote{name, int64(len(plain)), fmt.Sprintf("%x", sha256.Sum256(plain))}
		packed["/"+name] = zipped(t, plain)
	}
	return files, packed
}

// TestMNISTBadMirror has a bad mirror before a good one: the set must come from
// the good one, and leave nothing else in the folder.
func TestMNISTBadMirror(t *testing.T) {
	files, packed := smallMNIST(t)
	good := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write(packed[r.URL.Path])
	}))
	defer good.Close()
	for _, c := range []struct {
		name, want string
		answer     func(w http.ResponseWriter, body []byte)
	}{
		{"cut", "unexpected EOF", func(w http.ResponseWriter, body []byte) {
			w.Header().Set("Content-Length", strconv.Itoa(len(body)))
			w.Write(body[:len(body)/2])
		}},
		{"cut unseen", "unexpected EOF", func(w http.ResponseWriter, body []byte) { w.Write(body[:len(body)/2]) }},
		{"too large", "too large", func(w http.ResponseWriter, body []byte) {
			for range 3 {
				w.Write(make([]byte, slack))
			}
		}},
		{"one byte differs", "SHA-256 of the unpacked bytes", func(w http.ResponseWriter, body []byte) {
			plain, err := unpack(bytes.NewReader(body))
			if err != nil {
				t.Error(err)
			}
			changed, err := io.ReadAll(plain)
			if err != nil {
				t.Error(err)
			}
			changed[len(changed)-1] ^= 1
			w.Write(zipped(t, changed))
		}},
		{"a web page", "magic number 3c 68 74 6d", func(w http.ResponseWriter, body []byte) { w.Write([]byte("<html>")) }},
		{"teapot", "status 418", func(w http.ResponseWriter, body []byte) { w.WriteHeader(http.StatusTeapot) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			bad := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				c.answer(w, packed[r.URL.Path])
			}))
			defer bad.Close()
			opts := MNISTOptions{Dir: t.TempDir(), Mirrors: []string{bad.URL}}
			_, _, err := mnist(context.Background(), opts, files)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), opts.Dir) {
				t.Errorf("alone: got %v, want %q and the folder", err, c.want)
			}
			opts.Mirrors = append(opts.Mirrors, good.URL)
			train, _, err := mnist(context.Background(), opts, files)
			if err != nil || !bytes.Equal(train.Labels, []byte{3, 1}) {
				t.Fatalf("with a good mirror: got %+v, %v", train, err)
			}
			left, err := filepath.Glob(filepath.Join(opts.Dir, "*"))
			if err != nil || len(left) != 4 {
				t.Errorf("in the folder: %v, %v, want the four files alone", left, err)
			}
		})
	}
}

// TestMNISTCancel ends the context in the middle of a body.
func TestMNISTCancel(t *testing.T) {
	files, packed := smallMNIST(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100000")
		w.Write(packed[r.URL.Path])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	defer server.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	opts := MNISTOptions{Dir: t.TempDir(), Mirrors: []string{server.URL, server.URL}}
	calls := 0
	opts.Progress = func(name string, done, total int64) {
		if calls++; name != files[0].name || done < 1 || total != 100000 {
			t.Errorf("progress %s %d of %d, want %s of 100000", name, done, total, files[0].name)
		}
		cancel()
	}
	if _, _, err := mnist(ctx, opts, files); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want one that wraps context.Canceled", err)
	}
	if calls == 0 {
		t.Error("no progress was told")
	}
	if left, err := os.ReadDir(opts.Dir); err != nil || len(left) != 0 {
		t.Errorf("in the folder: %v, %v, want nothing", left, err)
	}
}

// TestMNISTFolder takes a file's place for the cache folder.
func TestMNISTFolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := MNIST(context.Background(), MNISTOptions{Dir: path}); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v, want the folder %s", err, path)
	}
}
