package data

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestReadIDXErrorsNameOffset(t *testing.T) {
	whole := idxBytes([]byte{1, 2, 3, 4, 5, 6}, 3, 2)
	damaged := zipped(t, whole)
	damaged[len(damaged)-6] ^= 1 // in the checksum
	for _, c := range []struct {
		name  string
		bytes []byte
		want  string
	}{
		{"empty", nil, "offset 0: 0 bytes of magic number, want 4"},
		{"magic", []byte("<htm"), "offset 0: magic number 3c 68 74 6d"},
		{"unknown type", []byte{0, 0, 7, 1}, "offset 0: magic number 00 00 07 01"},
		{"float32", []byte{0, 0, 0x0d, 1}, "offset 2: element type 0x0d (float32), want 0x08"},
		{"no dimensions", []byte{0, 0, 8, 0}, "offset 3: 0 dimensions"},
		{"sizes cut", whole[:9], "offset 4: 5 bytes of sizes, want 8"},
		{"data cut", whole[:15], "offset 12: 3 bytes of data, want 6"},
		{"bytes left", append(bytes.Clone(whole), 9), "offset 18: bytes after the end"},
		{"overflow", idxBytes(nil, 1<<31-1, 1<<31-1, 1<<31-1), "overflow"},
		{"gzip checksum", damaged, "offset 18: gzip: invalid checksum"},
		{"gzip tail", append(zipped(t, whole), "tail"...), "offset 18"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ReadIDX(bytes.NewReader(c.bytes))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	_, err := ReadIDX(bytes.NewReader(whole[:15]))
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("data cut: got %v, want one that wraps io.ErrUnexpectedEOF", err)
	}
}

func TestReadIDXFileNamesFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "broken-idx1-ubyte")
	if err := os.WriteFile(path, []byte{0, 0, 8}, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadIDXFile(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v, want the name %s", err, path)
	}
}

// allocated is how many bytes f asks for in all, freed or not.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestReadIDXMemory(t *testing.T) {
	const size = 5 << 20
	for _, c := range []struct {
		name string
		dims []int
		good bool
	}{
		{"whole", []int{5, 1 << 20}, true},
		{"huge sizes", []int{1<<31 - 1, 1 << 20}, false},
		{"one byte too few", []int{size + 1}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := idxBytes(make([]byte, size), c.dims...)
			var err error
			got := allocated(func() { _, err = ReadIDX(bytes.NewReader(file)) })
			if (err == nil) != c.good {
				t.Errorf("error %v, want success %v", err, c.good)
			}
			if limit := uint64(2*len(file) + 1<<20); got > limit {
				t.Errorf("%d bytes allocated for a file of %d, want at most %d", got, len(file), limit)
			}
		})
	}
}

// TestReadIDXBomb unpacks to 256 MiB but declares ten bytes.
func TestReadIDXBomb(t *testing.T) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(idxBytes(nil, 10)); err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 1<<20)
	for range 256 {
		if _, err := w.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var err error
	got := allocated(func() { _, err = ReadIDX(&packed) })
	if err == nil || !strings.Contains(err.Error(), "bytes after the end") {
		t.Errorf("got %v, want bytes after the end", err)
	}
	if got > 1<<20 {
		t.Errorf("%d bytes allocated, want at most 1 MiB", got)
	}
}
