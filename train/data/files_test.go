package data

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// idxBytes is an IDX file of unsigned bytes.
func idxBytes(data []byte, dims ...int) []byte {
	b := []byte{0, 0, TypeUint8, byte(len(dims))}
	for _, d := range dims {
		b = binary.BigEndian.AppendUint32(b, uint32(d))
	}
	return append(b, data...)
}

func zipped(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestFilesReadIDX(t *testing.T) {
	whole := idxBytes([]byte{1, 2, 3, 4, 5, 6}, 3, 2)
	for name, b := range map[string][]byte{"plain": whole, "gzip": zipped(t, whole)} {
		got, err := ReadIDX(bytes.NewReader(b))
		if err != nil || len(got.Dims) != 2 || got.Dims[0] != 3 || !bytes.Equal(got.Data, []byte{1, 2, 3, 4, 5, 6}) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for name, b := range map[string][]byte{
		"empty":          nil,
		"magic":          append([]byte{1}, whole[1:]...),
		"type":           append([]byte{0, 0, 0x0d}, whole[3:]...),
		"no dimensions":  {0, 0, 8, 0},
		"header cut":     whole[:9],
		"data cut":       whole[:len(whole)-1],
		"bytes left":     append(bytes.Clone(whole), 9),
		"huge":           idxBytes(nil, 1<<31-1, 1<<31-1, 1<<31-1),
		"gzip cut":       zipped(t, whole)[:20],
		"larger than it": idxBytes([]byte{1}, 1<<30),
	} {
		if got, err := ReadIDX(bytes.NewReader(b)); err == nil {
			t.Errorf("%s: got %+v, want an error", name, got)
		}
	}
}

func FuzzFilesReadIDX(f *testing.F) {
	f.Add(idxBytes([]byte{1, 2, 3, 4, 5, 6}, 3, 2))
	f.Add([]byte{0x1f, 0x8b, 8, 0})
	f.Add(idxBytes(nil, 1<<31-1, 1<<31-1))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := ReadIDX(bytes.NewReader(b))
		if err != nil {
			return
		}
		n := 1
		for _, d := range got.Dims {
			n *= d
		}
		if n != len(got.Data) {
			t.Errorf("%d bytes for dimensions %v", len(got.Data), got.Dims)
		}
	})
}

func folder(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func colour(t *testing.T) map[string][]byte {
	return map[string][]byte{
		"train-images-idx4-ubyte":   idxBytes(make([]byte, 2*3*4*5), 2, 3, 4, 5),
		"train-labels-idx1-ubyte":   idxBytes([]byte{1, 0}, 2),
		"t10k-images-idx4-ubyte.gz": zipped(t, idxBytes(make([]byte, 3*4*5), 1, 3, 4, 5)),
		"t10k-labels-idx1-ubyte.gz": zipped(t, idxBytes([]byte{1}, 1)),
		"classes.txt":               []byte("cat\ndog\n"),
	}
}

func TestFilesLoadDir(t *testing.T) {
	train, test, err := LoadDir(folder(t, colour(t)))
	if err != nil {
		t.Fatal(err)
	}
	if train.Len() != 2 || test.Len() != 1 || train.Channels != 3 || train.Height != 4 || train.Width != 5 || strings.Join(train.Classes, " ") != "cat dog" {
		t.Errorf("train %+v, test %+v", train, test)
	}
	for name, c := range map[string]struct {
		edit func(f map[string][]byte)
		want string
	}{
		"missing file":   {func(f map[string][]byte) { delete(f, "t10k-labels-idx1-ubyte.gz") }, "t10k-labels"},
		"label too big":  {func(f map[string][]byte) { f["train-labels-idx1-ubyte"] = idxBytes([]byte{1, 2}, 2) }, "2"},
		"counts differ":  {func(f map[string][]byte) { f["train-labels-idx1-ubyte"] = idxBytes([]byte{1}, 1) }, "train-labels"},
		"sizes differ":   {func(f map[string][]byte) { f["t10k-images-idx4-ubyte.gz"] = idxBytes(make([]byte, 60), 1, 3, 5, 4) }, "5"},
		"labels of rank": {func(f map[string][]byte) { f["train-labels-idx1-ubyte"] = idxBytes([]byte{1, 0}, 2, 1) }, "train-labels"},
	} {
		files := colour(t)
		c.edit(files)
		if _, _, err := LoadDir(folder(t, files)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, c.want)
		}
	}
	if _, _, err := LoadDir(filepath.Join(t.TempDir(), "nothing")); err == nil || !strings.Contains(err.Error(), "nothing") {
		t.Errorf("no folder: got %v", err)
	}
}

// TestFilesMNIST downloads a small set from a server of this machine.
func TestFilesMNIST(t *testing.T) {
	plain := [4][]byte{
		idxBytes(make([]byte, 2*4), 2, 2, 2), idxBytes([]byte{7, 1}, 2), idxBytes(make([]byte, 4), 1, 2, 2), idxBytes([]byte{9}, 1),
	}
	var files [4]remote
	bodies := map[string][]byte{}
	for i, f := range mnistFiles {
		files[i] = remote{f.name, int64(len(plain[i])), fmt.Sprintf("%x", sha256.Sum256(plain[i]))}
		bodies["/good/"+f.name] = zipped(t, plain[i])
		bodies["/bad/"+f.name] = zipped(t, append([]byte{1}, plain[i][1:]...))
	}
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests++
		b, ok := bodies[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		if _, err := w.Write(b); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	opts := MNISTOptions{Dir: t.TempDir(), Mirrors: []string{server.URL + "/none", server.URL + "/bad/", server.URL + "/good"}, Client: server.Client()}
	train, test, err := mnist(context.Background(), opts, files)
	if err != nil || train.Len() != 2 || test.Len() != 1 || train.Labels[0] != 7 || len(train.Classes) != 10 {
		t.Fatalf("%+v, %v", train, err)
	}
	if requests != 12 {
		t.Errorf("%d requests, want 12: three mirrors for each file", requests)
	}
	requests = 0
	if _, _, err := mnist(context.Background(), opts, files); err != nil || requests != 0 {
		t.Errorf("from the cache: %v, %d requests", err, requests)
	}
	if err := os.WriteFile(filepath.Join(opts.Dir, files[1].name), []byte("damaged"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := mnist(context.Background(), opts, files); err != nil || requests != 3 {
		t.Errorf("with a damaged file in the cache: %v, %d requests, want 3", err, requests)
	}
	opts.Dir, opts.Mirrors = t.TempDir(), opts.Mirrors[:2]
	if _, _, err := mnist(context.Background(), opts, files); err == nil || !strings.Contains(err.Error(), "--data builtin") || !strings.Contains(err.Error(), "/bad/") {
		t.Errorf("no good mirror: got %v", err)
	}
	server.Close()
	if _, _, err := mnist(context.Background(), opts, files); err == nil || !strings.Contains(err.Error(), "by hand") {
		t.Errorf("offline: got %v", err)
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := mnist(ended, opts, files); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
}

// TestFilesRealMNIST reads the real set where PUMICE_MNIST names its folder.
func TestFilesRealMNIST(t *testing.T) {
	dir := os.Getenv("PUMICE_MNIST")
	if dir == "" {
		t.Skip("PUMICE_MNIST names no folder with the real MNIST")
	}
	train, test, err := MNIST(context.Background(), MNISTOptions{Dir: dir, Mirrors: []string{}})
	if err != nil || train.Len() != 60000 || test.Len() != 10000 {
		t.Errorf("%v", err)
	}
}

func TestFilesDigits(t *testing.T) {
	train, test := Digits(DigitsOptions{Seed: 3, Train: 200, Test: 50})
	again, _ := Digits(DigitsOptions{Seed: 3, Train: 100, Test: 10})
	other, _ := Digits(DigitsOptions{Seed: 4, Train: 100, Test: 10})
	if err := errors.Join(train.Check(), test.Check()); err != nil || train.Len() != 200 || test.Len() != 50 {
		t.Fatal(err)
	}
	if !bytes.Equal(train.Pixels[:100*784], again.Pixels) || bytes.Equal(again.Pixels, other.Pixels) || bytes.Equal(train.Pixels[:50*784], test.Pixels) {
		t.Error("images must depend on the seed, the half and their number alone")
	}
	var count [10]int
	for _, l := range train.Labels {
		count[l]++
	}
	for digit, n := range count {
		if n != 20 {
			t.Errorf("digit %d occurs %d times in 200, want 20", digit, n)
		}
	}
}
