package main

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goitalic"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	"github.com/pumice-ml/pumice/compute"
)

const (
	letterHeight, letterWidth = 18, 20
	alphabet                  = "abcdefghijklmnopqrstuvwxyz"
)

// letters calls visit for n coloured images of letters of several fonts, of all letters
// in turn.
func letters(t *testing.T, n int, seed uint32, visit func(letter int, img *image.RGBA)) {
	t.Helper()
	var faces []font.Face
	for _, ttf := range [][]byte{goregular.TTF, gobold.TTF, goitalic.TTF, gomono.TTF} {
		f, err := opentype.Parse(ttf)
		if err != nil {
			t.Fatal(err)
		}
		face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: 17, DPI: 72})
		if err != nil {
			t.Fatal(err)
		}
		faces = append(faces, face)
	}
	for i := range n {
		letter, r := i%26, compute.RandomBits(seed, 0, 0, uint32(i))
		img := image.NewRGBA(image.Rect(0, 0, letterWidth, letterHeight))
		draw.Draw(img, img.Rect, image.NewUniform(color.RGBA{uint8(r[0] % 60), uint8(r[0] >> 8 % 60), uint8(r[0] >> 16 % 60), 255}), image.Point{}, draw.Src)
		ink := color.RGBA{uint8(150 + r[1]%100), uint8(150 + r[1]>>8%100), uint8(150 + r[1]>>16%100), 255}
		d := font.Drawer{Dst: img, Src: image.NewUniform(ink), Face: faces[r[2]%uint32(len(faces))], Dot: fixed.P(4+int(r[3]%3), 13+int(r[3]>>8%2))}
		d.DrawString(alphabet[letter : letter+1])
		visit(letter, img)
	}
}

// letterFiles writes letters as IDX files with the names of their classes.
func letterFiles(t *testing.T, dir string, train, test int) {
	t.Helper()
	for half, n := range map[string]int{"train": train, "test": test} {
		images := []byte{0, 0, 8, 4, 0, 0, byte(n >> 8), byte(n), 0, 0, 0, 3, 0, 0, 0, letterHeight, 0, 0, 0, letterWidth}
		labels := []byte{0, 0, 8, 1, 0, 0, byte(n >> 8), byte(n)}
		letters(t, n, uint32(n), func(letter int, img *image.RGBA) {
			labels = append(labels, byte(letter))
			for c := range 3 {
				for i := c; i < len(img.Pix); i += 4 {
					images = append(images, img.Pix[i])
				}
			}
		})
		write(t, filepath.Join(dir, half+"-images-idx4-ubyte"), images)
		write(t, filepath.Join(dir, half+"-labels-idx1-ubyte"), labels)
	}
	write(t, filepath.Join(dir, "classes.txt"), []byte(strings.Join(strings.Split(strings.ToUpper(alphabet), ""), "\n")+"\n"))
}

// letterFolder writes letters as PNG files in folders of their classes.
func letterFolder(t *testing.T, dir string, n int, seed uint32) {
	t.Helper()
	number := 0
	letters(t, n, seed, func(letter int, img *image.RGBA) {
		number++
		class := filepath.Join(dir, alphabet[letter:letter+1])
		if err := os.MkdirAll(class, 0o755); err != nil {
			t.Fatal(err)
		}
		f, err := os.Create(filepath.Join(class, fmt.Sprintf("%05d.png", number)))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := png.Encode(f, img); err != nil {
			t.Fatal(err)
		}
	})
}
