package data

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestLoadDirBad changes one thing in a good folder.
func TestLoadDirBad(t *testing.T) {
	images := func(n, c, h, w int) []byte { return idxBytes(make([]byte, n*c*h*w), n, c, h, w) }
	const train, test = "train-images-idx4-ubyte", "t10k-images-idx4-ubyte.gz"
	for _, c := range []struct {
		name, file string
		bytes      []byte
		want       string
	}{
		{"other channels", test, images(1, 2, 4, 5), "images of 2x4x5, want 3x4x5"},
		{"other height", test, images(1, 3, 7, 5), "images of 3x7x5, want 3x4x5"},
		{"other width", test, images(1, 3, 4, 6), "images of 3x4x6, want 3x4x5"},
		{"more labels", "train-labels-idx1-ubyte", idxBytes([]byte{0, 1, 0}, 3), "train-labels-idx1-ubyte: 3 labels, want 2"},
		{"no class", "train-labels-idx1-ubyte", idxBytes([]byte{1, 2}, 2), "label 2 at index 1, want below 2"},
		{"no images", train, images(0, 3, 4, 5), "want at least one image"},
		{"rank 2", train, idxBytes(make([]byte, 6), 2, 3), "sizes [2 3], want (N, H, W) or (N, C, H, W)"},
		{"empty class", "classes.txt", []byte("cat\n\ndog\n"), "classes.txt: line 2 is empty"},
		{"class twice", "classes.txt", []byte("cat\ndog\r\ncat"), `classes.txt: line 3 repeats "cat" of line 1`},
		{"too many classes", "classes.txt", []byte(strings.Repeat("x\n", 257)), "257 classes, want at most 256"},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := colour(t)
			files[c.file] = c.bytes
			_, _, err := LoadDir(folder(t, files))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestLoadDirMissing(t *testing.T) {
	for name := range colour(t) {
		if name == "classes.txt" {
			continue
		}
		files := colour(t)
		delete(files, name)
		dir := folder(t, files)
		_, _, err := LoadDir(dir)
		if !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("without %s: got %v, want one that wraps fs.ErrNotExist", name, err)
		}
		for _, want := range []string{dir, "train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("without %s: got %v, want it to name %s", name, err, want)
			}
		}
	}
}

// TestLoadDirNames reads gray images named test-, without a class list, with a
// damaged packed file beside a plain one.
func TestLoadDirNames(t *testing.T) {
	dir := folder(t, map[string][]byte{
		"train-images-idx3-ubyte":    idxBytes([]byte{1, 2, 3, 4}, 2, 1, 2),
		"train-images-idx3-ubyte.gz": []byte("damaged"),
		"train-labels-idx1-ubyte":    idxBytes([]byte{0, 1}, 2),
		"test-images-idx3-ubyte":     idxBytes([]byte{5, 6}, 1, 1, 2),
		"test-labels-idx1-ubyte":     idxBytes([]byte{3}, 1),
	})
	train, test, err := LoadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"0", "1", "2", "3"}; !slices.Equal(train.Classes, want) || !slices.Equal(test.Classes, want) {
		t.Errorf("classes %v and %v, want %v", train.Classes, test.Classes, want)
	}
	if train.Channels != 1 || !slices.Equal(train.Image(1), []byte{3, 4}) || !slices.Equal(test.Image(0), []byte{5, 6}) {
		t.Errorf("train %+v, test %+v", train, test)
	}
	if !strings.HasPrefix(train.Name, filepath.Clean(dir)) {
		t.Errorf("name %q, want the folder %s", train.Name, dir)
	}
}

func TestSetSlice(t *testing.T) {
	set := &Set{Channels: 1, Height: 1, Width: 2, Classes: numbers(5), Pixels: []byte{0, 1, 2, 3, 4, 5}, Labels: []byte{4, 3, 2}}
	part := set.Slice(1, 3)
	if err := part.Check(); err != nil || part.Len() != 2 || part.Labels[0] != 3 || !slices.Equal(part.Image(0), []byte{2, 3}) {
		t.Errorf("%+v, %v", part, err)
	}
	part.Image(1)[0] = 9
	if set.Pixels[4] != 9 {
		t.Error("a slice must share memory with its set")
	}
	for name, f := range map[string]func(){
		"slice past the end": func() { set.Slice(1, 4) },
		"slice backwards":    func() { set.Slice(2, 1) },
		"image past the end": func() { part.Image(2) },
		"image before":       func() { part.Image(-1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
	for name, bad := range map[string]Set{
		"no width":      {Channels: 1, Height: 1, Classes: numbers(5)},
		"pixels":        {Channels: 1, Height: 1, Width: 2, Classes: numbers(5), Pixels: []byte{1}, Labels: []byte{0}},
		"label":         {Channels: 1, Height: 1, Width: 1, Classes: numbers(5), Pixels: []byte{1}, Labels: []byte{5}},
		"size overflow": {Channels: 1 << 30, Height: 1 << 30, Width: 1 << 30, Classes: numbers(1), Labels: []byte{0}},
	} {
		if err := bad.Check(); err == nil {
			t.Errorf("%s: no error for %+v", name, bad)
		}
	}
}
