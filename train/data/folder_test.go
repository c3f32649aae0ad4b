package data

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// put writes a file, and the folders that it lies in.
func put(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// flat is a PNG of one colour.
func flat(t *testing.T, height, width int, c color.Color) []byte {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	for i := range height * width {
		img.Set(i%width, i/width, c)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

var (
	dark  = color.NRGBA{50, 50, 50, 255}
	red   = color.NRGBA{200, 10, 20, 255}
	clear = color.NRGBA{255, 255, 255, 0}
)

func TestLoadFolder(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "train", "b", "1.png"), flat(t, 2, 3, dark))
	put(t, filepath.Join(dir, "train", "a", "2.PNG"), flat(t, 2, 3, clear))
	put(t, filepath.Join(dir, "train", "a", "notes.txt"), nil)
	put(t, filepath.Join(dir, "train", "a", ".hidden.png"), nil)
	put(t, filepath.Join(dir, "train", ".git", "x.png"), nil)
	put(t, filepath.Join(dir, "train", "README"), nil)
	put(t, filepath.Join(dir, "test", "b", "3.png"), flat(t, 2, 3, dark))
	train, test, err := LoadFolder(dir, FolderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s := train.Spec()
	if !slices.Equal(s.Shape, []int{1, 2, 3}) || !slices.Equal(s.Classes, []string{"a", "b"}) || s.DType != Uint8 {
		t.Errorf("spec %+v", s)
	}
	if b := all(t, train); !slices.Equal(b.Labels, []uint32{0, 1}) || !slices.Equal(b.Bytes, append(make([]byte, 6), 50, 50, 50, 50, 50, 50)) {
		t.Errorf("training images %+v", b)
	}
	if b := all(t, test); !slices.Equal(b.Labels, []uint32{1}) || b.Bytes[5] != 50 {
		t.Errorf("test images %+v", b)
	}

	// One image of colour gives all of them three channels.
	put(t, filepath.Join(dir, "test", "b", "4.png"), flat(t, 2, 3, red))
	if train, test, err = LoadFolder(dir, FolderOptions{}); err != nil {
		t.Fatal(err)
	}
	if b := all(t, test); !slices.Equal(test.Spec().Shape, []int{3, 2, 3}) || !slices.Equal(b.Bytes[18:], slices.Concat(slices.Repeat([]byte{200}, 6), slices.Repeat([]byte{10}, 6), slices.Repeat([]byte{20}, 6))) {
		t.Errorf("test images %v of %v", b.Bytes, test.Spec().Shape)
	}
	if b := all(t, train); !slices.Equal(b.Bytes[18:], slices.Repeat([]byte{50}, 18)) {
		t.Errorf("grey among coloured: %v", b.Bytes)
	}
}

func TestLoadFolderParts(t *testing.T) {
	dir := t.TempDir()
	for i := range 10 {
		for _, class := range []string{"x", "y"} {
			put(t, filepath.Join(dir, class, string(rune('0'+i))+".png"), flat(t, 1, 1, color.Gray{uint8(i)}))
		}
	}
	train, test, err := LoadFolder(dir, FolderOptions{Fraction: 0.25, Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	whole := append(all(t, train).Bytes, all(t, test).Bytes...)
	slices.Sort(whole)
	if train.Len() != 15 || test.Len() != 5 || !slices.Equal(whole, []byte{0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9}) {
		t.Errorf("%d and %d images, in all %v", train.Len(), test.Len(), whole)
	}
}

// TestLoadFolderSize scales a JPEG and a PNG to one size.
func TestLoadFolderSize(t *testing.T) {
	dir := t.TempDir()
	var b bytes.Buffer
	img := image.NewGray(image.Rect(0, 0, 16, 8))
	for i := range img.Pix {
		if img.Pix[i] = 40; i%16 >= 8 {
			img.Pix[i] = 200
		}
	}
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 100}); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "train", "a", "1.jpeg"), b.Bytes())
	put(t, filepath.Join(dir, "train", "a", "2.png"), flat(t, 9, 9, dark))
	put(t, filepath.Join(dir, "test", "a", "3.png"), flat(t, 2, 4, dark))
	train, test, err := LoadFolder(dir, FolderOptions{Height: 2, Width: 4})
	if err != nil {
		t.Fatal(err)
	}
	got := all(t, train).Bytes
	for i, want := range []int{40, 40, 200, 200, 40, 40, 200, 200, 50, 50, 50, 50, 50, 50, 50, 50} {
		// The cubic overshoots at the edge, by a share of the step of 160.
		if off := int(got[i]) - want; off < -24 || off > 24 {
			t.Errorf("pixel %d is %d, want about %d: %v", i, got[i], want, got)
		}
	}
	if test.Len() != 1 {
		t.Errorf("%d test images", test.Len())
	}
}

// TestReadImage wants a file as LoadFolder has it, and its luminance (ITU-R BT.601) for
// one channel.
func TestReadImage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "red.png")
	put(t, path, flat(t, 2, 2, red))
	for channels, want := range map[int][]byte{3: {200, 10, 20}, 1: {68}} { // 0.299*200 + 0.587*10 + 0.114*20 = 67.95
		got, err := ReadImage(path, channels, 1, 1)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%d channels: %v, %v; want %v", channels, got, err, want)
		}
	}
	for _, bad := range [][2]int{{0, 1}, {1, 5000}} {
		if _, err := ReadImage(path, 1, bad[0], bad[1]); err == nil {
			t.Errorf("size %v: no error", bad)
		}
	}
	put(t, path+".jpeg", []byte("text"))
	for _, bad := range []string{path + ".gif", path + ".jpeg"} {
		if _, err := ReadImage(bad, 1, 1, 1); err == nil || !strings.Contains(err.Error(), "data: ReadImage: ") || !strings.Contains(err.Error(), bad) {
			t.Errorf("%s: got %v, want an error with data: ReadImage: and the file", bad, err)
		}
	}
}

// TestLoadFolderTrain wants a class called train, in a folder without a test, to be
// one of the classes, and sets of one channel to keep no memory of three.
func TestLoadFolderTrain(t *testing.T) {
	dir := t.TempDir()
	for i := range 10 {
		for _, class := range []string{"train", "tram"} {
			put(t, filepath.Join(dir, class, string(rune('0'+i))+".png"), flat(t, 20, 30, dark))
		}
	}
	put(t, filepath.Join(dir, "train", "notes", "x.txt"), nil)
	train, test, err := LoadFolder(dir, FolderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if classes := train.Spec().Classes; !slices.Equal(classes, []string{"train", "tram"}) || train.Len() != 16 || test.Len() != 4 {
		t.Errorf("%d and %d images of %q", train.Len(), test.Len(), classes)
	}
	whole := train.(*part).set.(*Set)
	if n := len(whole.Pixels); n != 20*20*30 || cap(whole.Pixels) > n+n/4 {
		t.Errorf("%d bytes of pixels in an array of %d, want %d", n, cap(whole.Pixels), 20*20*30)
	}
}

func TestLoadFolderRefuses(t *testing.T) {
	wide := flat(t, 2, 4, dark)
	for name, c := range map[string]struct {
		change func(dir string)
		o      FolderOptions
		want   []string
	}{
		"nothing":        {func(dir string) { os.RemoveAll(filepath.Join(dir, "train")); os.RemoveAll(filepath.Join(dir, "test")) }, FolderOptions{}, []string{"has no folder CLASS"}},
		"no folder":      {func(dir string) { os.RemoveAll(dir) }, FolderOptions{}, []string{"no such file"}},
		"empty class":    {func(dir string) { put(t, filepath.Join(dir, "train", "c", "x.gif"), nil) }, FolderOptions{}, []string{filepath.Join("train", "c"), "has no PNG or JPEG"}},
		"no test":        {func(dir string) { os.RemoveAll(filepath.Join(dir, "test")) }, FolderOptions{}, []string{"test"}},
		"unknown class":  {func(dir string) { put(t, filepath.Join(dir, "test", "d", "1.png"), wide) }, FolderOptions{}, []string{filepath.Join("test", "d"), "want one of a, b"}},
		"mixed sizes":    {func(dir string) { put(t, filepath.Join(dir, "test", "b", "z.png"), wide) }, FolderOptions{}, []string{"z.png has 2x4 pixels, want 3x3", filepath.Join("train", "a", "1.png")}},
		"no image":       {func(dir string) { put(t, filepath.Join(dir, "train", "b", "z.png"), []byte("text")) }, FolderOptions{}, []string{"z.png is no PNG or JPEG"}},
		"cut image":      {func(dir string) { put(t, filepath.Join(dir, "train", "b", "z.png"), wide[:60]) }, FolderOptions{}, []string{"z.png"}},
		"folder as file": {func(dir string) { os.MkdirAll(filepath.Join(dir, "train", "b", "z.png"), 0o755) }, FolderOptions{}, []string{"z.png"}},
		"half a size":    {func(string) {}, FolderOptions{Height: 3}, []string{"size 3x0"}},
		"huge size":      {func(string) {}, FolderOptions{Height: 3, Width: 5000}, []string{"size 3x5000"}},
		"empty train": {func(dir string) {
			os.RemoveAll(filepath.Join(dir, "test"))
			os.RemoveAll(filepath.Join(dir, "train"))
			os.Mkdir(filepath.Join(dir, "train"), 0o755)
		}, FolderOptions{}, []string{filepath.Join("images", "train"), "has no PNG or JPEG"}},
		"line": {func(dir string) { put(t, filepath.Join(dir, "train", "c\nd", "1.png"), wide) }, FolderOptions{}, []string{`c\nd"`, "a line of UTF-8"}},
		"too many": {func(dir string) {
			for i := range 170 {
				put(t, filepath.Join(dir, "train", "a", fmt.Sprintf("%03d.png", i+200)), nil)
			}
		}, FolderOptions{Height: 4096, Width: 4096}, []string{filepath.Join("images", "train"), "has 172 images of 4096x4096 pixels, want at most 8589934592 bytes"}},
		"huge image": {func(dir string) { put(t, filepath.Join(dir, "train", "b", "z.png"), flat(t, 1, 5000, dark)) }, FolderOptions{Height: 3, Width: 3}, []string{"z.png has 1x5000 pixels"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "images")
			for _, path := range []string{"train/a/1.png", "train/b/1.png", "test/a/1.png"} {
				put(t, filepath.Join(dir, path), flat(t, 3, 3, dark))
			}
			c.change(dir)
			_, _, err := LoadFolder(dir, c.o)
			for _, want := range c.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want an error with %q", err, want)
				}
			}
		})
	}
}
