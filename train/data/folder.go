package data

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	paint "image/draw"
	_ "image/jpeg" // decoders
	_ "image/png"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	scaling "golang.org/x/image/draw"
)

// FolderOptions says how images are read; the zero value is useful.
type FolderOptions struct {
	// Height and Width are the size that images are scaled to (by Catmull and Rom's
	// cubic); both 0 wants images of one size.
	Height, Width int
	// Fraction and Seed part a folder without test images (see Split); Fraction 0 is 0.2.
	Fraction float64
	Seed     uint32
}

// LoadFolder reads a training and a test set from a folder of PNG and JPEG files:
//
//	train/CLASS/*.png and test/CLASS/*.png, or
//	CLASS/*.png, which is parted at random
//
// It is the first where train and test are folders, or train holds folders and no images.
// The names of the folders are the classes, sorted by bytes, 256 at most; files whose
// names start with a dot are passed over. Where every image is grey, the sets have one
// channel; where one has colour, three (red, green, blue), in which grey images have
// the same number thrice. What is transparent lies on black. It returns an error, with
// the file or folder, if an image cannot be read, two differ in size and none was
// asked for, a folder is empty, the images of a set are more than 8 GiB, of three bytes a
// pixel, or test images are of a class that train has not.
func LoadFolder(dir string, o FolderOptions) (train, test Dataset, err error) {
	if o.Height < 0 || o.Width < 0 || (o.Height == 0) != (o.Width == 0) || o.Height > maxSide || o.Width > maxSide {
		return nil, nil, fmt.Errorf("data: LoadFolder: size %dx%d, want both from 1 to %d, or neither", o.Height, o.Width, maxSide)
	}
	both, err := halved(dir)
	if err != nil {
		return nil, nil, err
	}
	r := &folderReader{FolderOptions: o, operation: "LoadFolder"}
	if !both {
		whole, err := r.read(dir, filepath.Base(dir))
		if err != nil {
			return nil, nil, err
		}
		fraction := o.Fraction
		if fraction == 0 {
			fraction = 0.2
		}
		r.settle(whole)
		return Split(whole, fraction, o.Seed)
	}
	first, err := r.read(filepath.Join(dir, "train"), filepath.Base(dir)+" train")
	if err != nil {
		return nil, nil, err
	}
	r.classes = first.Classes
	second, err := r.read(filepath.Join(dir, "test"), filepath.Base(dir)+" test")
	if err != nil {
		return nil, nil, err
	}
	r.settle(first, second)
	return first, second, nil
}

// maxSide bounds the height and the width of images.
const maxSide = 4096

// mostPixels is the most bytes of a set of images.
const mostPixels = 8 << 30

// folderReader reads images of one size.
type folderReader struct {
	FolderOptions
	operation string   // that its errors name
	classes   []string // nil takes the folders' names
	first     string   // the file that the size is of, where none was asked for
	coloured  bool
}

// halved reports whether a folder has one for training, with folders of classes, and is
// not one of classes of which one is called train.
func halved(dir string) (bool, error) {
	train := filepath.Join(dir, "train")
	for _, half := range []string{train, filepath.Join(dir, "test")} {
		if is, err := isDir(half); err != nil || is == (half != train) {
			return is && err == nil, err
		}
	}
	entries, err := os.ReadDir(train)
	if err != nil {
		return false, fmt.Errorf("data: LoadFolder: %w", err)
	}
	folders := false
	for _, e := range entries {
		if isImage(e.Name()) {
			return false, nil
		}
		is, err := isDir(filepath.Join(train, e.Name()))
		if err != nil {
			return false, err
		}
		folders = folders || is && !strings.HasPrefix(e.Name(), ".")
	}
	return folders, nil
}

// isImage reports whether a file's name is one of images that are read.
func isImage(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".png", ".jpg", ".jpeg":
		return !strings.HasPrefix(name, ".")
	}
	return false
}

// isDir reports whether there is a folder.
func isDir(path string) (bool, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("data: LoadFolder: %w", err)
	}
	return info.IsDir(), nil
}

// read reads the images of dir/CLASS, three channels each.
func (r *folderReader) read(dir, name string) (*Set, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("data: LoadFolder: %w", err)
	}
	s := &Set{Name: name, Channels: 3, Classes: r.classes}
	var folders []string
	for _, e := range entries {
		if sub, err := isDir(filepath.Join(dir, e.Name())); err != nil {
			return nil, err
		} else if sub && !strings.HasPrefix(e.Name(), ".") {
			folders = append(folders, e.Name())
		}
	}
	if len(folders) == 0 {
		return nil, fmt.Errorf("data: LoadFolder: folder %s has no folder CLASS with PNG or JPEG images: %w", dir, fs.ErrNotExist)
	}
	if s.Classes == nil {
		if s.Classes = folders; len(folders) > 256 {
			return nil, fmt.Errorf("data: LoadFolder: folder %s has %d classes, want at most 256", dir, len(folders))
		}
	}
	var paths []string
	for _, class := range folders {
		folder := filepath.Join(dir, class)
		label := slices.Index(s.Classes, class)
		switch {
		case !isLine(class):
			return nil, fmt.Errorf("data: LoadFolder: folder %q, want a class whose name is a line of UTF-8", folder)
		case label < 0:
			return nil, fmt.Errorf("data: LoadFolder: folder %s is of a class that the training images do not have, want one of %s",
				folder, strings.Join(s.Classes, ", "))
		}
		files, err := os.ReadDir(folder)
		if err != nil {
			return nil, fmt.Errorf("data: LoadFolder: %w", err)
		}
		before := len(paths)
		for _, f := range files {
			if isImage(f.Name()) {
				paths, s.Labels = append(paths, filepath.Join(folder, f.Name())), append(s.Labels, byte(label))
			}
		}
		if len(paths) == before {
			return nil, fmt.Errorf("data: LoadFolder: folder %s has no PNG or JPEG images: %w", folder, fs.ErrNotExist)
		}
	}
	for i, path := range paths {
		img, err := r.image(path)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			size, ok := product(3, len(paths), r.Height, r.Width)
			if !ok || int64(size) > mostPixels {
				return nil, fmt.Errorf("data: LoadFolder: folder %s has %d images of %dx%d pixels, want at most %d bytes, three a pixel; ask for a smaller size",
					dir, len(paths), r.Height, r.Width, int64(mostPixels))
			}
			s.Pixels = make([]byte, 0, size)
		}
		s.Pixels = r.planes(s.Pixels, img)
	}
	s.Height, s.Width = r.Height, r.Width
	return s, s.Check()
}

// image reads an image, whose size it checks or, of the first one, takes.
func (r *folderReader) image(path string) (image.Image, error) {
	img, err := r.decode(path)
	if err != nil {
		return nil, err
	}
	size := img.Bounds().Size()
	switch {
	case r.Height == 0:
		r.Height, r.Width, r.first = size.Y, size.X, path
	case r.first != "" && size != image.Pt(r.Width, r.Height):
		return nil, fmt.Errorf("data: %s: %s has %dx%d pixels, want %dx%d as %s has; or ask for one size, to which all are scaled",
			r.operation, path, size.Y, size.X, r.Height, r.Width, r.first)
	}
	return img, nil
}

// planes appends the red, the green and the blue of an image, scaled.
func (r *folderReader) planes(to []byte, img image.Image) []byte {
	frame := image.NewRGBA(image.Rect(0, 0, r.Width, r.Height))
	paint.Draw(frame, frame.Rect, image.Black, image.Point{}, paint.Src)
	if img.Bounds().Size() == frame.Rect.Size() {
		paint.Draw(frame, frame.Rect, img, img.Bounds().Min, paint.Over)
	} else {
		scaling.CatmullRom.Scale(frame, frame.Rect, img, img.Bounds(), scaling.Over, nil)
	}
	for c := range 3 {
		for i := c; i < len(frame.Pix); i += 4 {
			to = append(to, frame.Pix[i])
			r.coloured = r.coloured || frame.Pix[i] != frame.Pix[i-c]
		}
	}
	return to
}

// ReadImage reads one PNG or JPEG file as LoadFolder reads those of a set of 1 or 3
// channels, scaled to a size: (channels, height, width). For 1 channel colour becomes its
// luminance. It panics on another number of channels.
func ReadImage(path string, channels, height, width int) ([]byte, error) {
	if channels != 1 && channels != 3 {
		panic(fmt.Sprintf("data: ReadImage: %d channels, want 1 or 3", channels))
	}
	if height < 1 || width < 1 || height > maxSide || width > maxSide {
		return nil, fmt.Errorf("data: ReadImage: size %dx%d, want both from 1 to %d", height, width, maxSide)
	}
	r := &folderReader{FolderOptions: FolderOptions{Height: height, Width: width}, operation: "ReadImage"}
	img, err := r.image(path)
	if err != nil {
		return nil, err
	}
	pixels := r.planes(nil, img)
	if channels == 3 {
		return pixels, nil
	}
	plane := height * width
	for i := range plane {
		grey := color.GrayModel.Convert(color.RGBA{pixels[i], pixels[plane+i], pixels[2*plane+i], 255})
		pixels[i] = grey.(color.Gray).Y
	}
	return pixels[:plane:plane], nil
}

// decode reads an image of a size that is looked at first.
func (r *folderReader) decode(path string) (image.Image, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("data: %s: %w", r.operation, err)
	}
	defer f.Close()
	c, _, err := image.DecodeConfig(f)
	if err != nil {
		return nil, fmt.Errorf("data: %s: %s is no PNG or JPEG image: %w", r.operation, path, err)
	}
	if c.Width < 1 || c.Height < 1 || c.Width > maxSide || c.Height > maxSide {
		return nil, fmt.Errorf("data: %s: %s has %dx%d pixels, want 1 to %d each way", r.operation, path, c.Height, c.Width, maxSide)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("data: %s: %w", r.operation, err)
	}
	img, kind, err := image.Decode(f)
	if err != nil {
		return nil, fmt.Errorf("data: %s: %s: damaged %s image: %w", r.operation, path, kind, err)
	}
	return img, nil
}

// settle leaves one channel where no image has colour.
func (r *folderReader) settle(sets ...*Set) {
	if r.coloured {
		return
	}
	for _, s := range sets {
		plane := s.Height * s.Width
		for i := range s.Len() {
			copy(s.Pixels[i*plane:], s.Pixels[3*i*plane:(3*i+1)*plane])
		}
		s.Pixels, s.Channels = bytes.Clone(s.Pixels[:s.Len()*plane]), 1 // without the memory of three
	}
}
