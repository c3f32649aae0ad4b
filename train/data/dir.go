package data

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// LoadDir reads a training and a test set from a folder of IDX files:
//
//	train-images-idx3-ubyte  (N, H, W), or idx4 (N, C, H, W)
//	train-labels-idx1-ubyte  (N)
//	t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte, or test- for t10k-
//
// each plain or with .gz; where both lie there, the plain one is read. A file
// classes.txt names the classes, one per line, 256 at most; without it they
// are the numbers from 0 to the largest label. It returns an error, with the
// folder or file, if a file is missing or damaged, images and labels differ in
// count, a label has no class, or the two sets differ in image size.
func LoadDir(dir string) (train, test *Set, err error) {
	classes, err := readClasses(filepath.Join(dir, "classes.txt"))
	if err != nil {
		return nil, nil, err
	}
	if train, err = loadSet(dir, "train", "train"); err != nil {
		return nil, nil, err
	}
	if test, err = loadSet(dir, "test", "t10k", "test"); err != nil {
		return nil, nil, err
	}
	return pair(train, test, classes)
}

// pair gives both sets their classes and checks them, alone and together.
func pair(train, test *Set, classes []string) (*Set, *Set, error) {
	if classes == nil {
		classes = numbers(max(largest(train.Labels), largest(test.Labels)) + 1)
	}
	for _, set := range []*Set{train, test} {
		set.Classes = classes
		if err := set.Check(); err != nil {
			return nil, nil, err
		}
	}
	if train.Channels != test.Channels || train.Height != test.Height || train.Width != test.Width {
		return nil, nil, fmt.Errorf("data: %s: images of %dx%dx%d, want %dx%dx%d as in %s", test.Name,
			test.Channels, test.Height, test.Width, train.Channels, train.Height, train.Width, train.Name)
	}
	return train, test, nil
}

// loadSet reads the images and labels of one half, whose files start with the
// first of prefixes that is found.
func loadSet(dir, half string, prefixes ...string) (*Set, error) {
	imagesPath, err := find(dir, prefixes, "-images-idx3-ubyte", "-images-idx4-ubyte")
	if err != nil {
		return nil, err
	}
	labelsPath, err := find(dir, prefixes, "-labels-idx1-ubyte")
	if err != nil {
		return nil, err
	}
	images, err := ReadIDXFile(imagesPath)
	if err != nil {
		return nil, err
	}
	labels, err := ReadIDXFile(labelsPath)
	if err != nil {
		return nil, err
	}
	return join(dir+" "+half, imagesPath, images, labelsPath, labels)
}

// join makes a set, still without classes, of an images and a labels array.
func join(name, imagesPath string, images *IDX, labelsPath string, labels *IDX) (*Set, error) {
	d := images.Dims
	set := &Set{Name: name, Channels: 1, Pixels: images.Data, Labels: labels.Data}
	switch len(d) {
	case 3:
		set.Height, set.Width = d[1], d[2]
	case 4:
		set.Channels, set.Height, set.Width = d[1], d[2], d[3]
	default:
		return nil, fmt.Errorf("data: %s: sizes %v, want (N, H, W) or (N, C, H, W)", imagesPath, d)
	}
	if len(images.Data) == 0 {
		return nil, fmt.Errorf("data: %s: sizes %v, want at least one image and one pixel", imagesPath, d)
	}
	if len(labels.Dims) != 1 {
		return nil, fmt.Errorf("data: %s: sizes %v, want (N)", labelsPath, labels.Dims)
	}
	if labels.Dims[0] != d[0] {
		return nil, fmt.Errorf("data: %s: %d labels, want %d as in %s", labelsPath, labels.Dims[0], d[0], imagesPath)
	}
	return set, nil
}

// find returns the first existing of the files prefix+ending[.gz] in dir.
func find(dir string, prefixes []string, endings ...string) (string, error) {
	for _, prefix := range prefixes {
		for _, ending := range endings {
			for _, packed := range []string{"", ".gz"} {
				path := filepath.Join(dir, prefix+ending+packed)
				switch _, err := os.Stat(path); {
				case err == nil:
					return path, nil
				case !errors.Is(err, fs.ErrNotExist):
					return "", fmt.Errorf("data: LoadDir: %w", err)
				}
			}
		}
	}
	return "", fmt.Errorf("data: LoadDir: folder %s: no %s%s; want train-images-idx3-ubyte, train-labels-idx1-ubyte, "+
		"t10k-images-idx3-ubyte (or test-) and t10k-labels-idx1-ubyte (or test-), each plain or .gz, "+
		"idx4 for images with channels: %w", dir, prefixes[0], endings[0], fs.ErrNotExist)
}

// readClasses returns the lines of a class list, nil if there is no such file.
func readClasses(path string) ([]string, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("data: LoadDir: %w", err)
	}
	classes := strings.Split(strings.TrimRight(string(text), "\r\n"), "\n")
	if len(classes) > 256 {
		return nil, fmt.Errorf("data: %s: %d classes, want at most 256", path, len(classes))
	}
	seen := map[string]int{}
	for i, class := range classes {
		class = strings.TrimSpace(class)
		if class == "" {
			return nil, fmt.Errorf("data: %s: line %d is empty, want a class name", path, i+1)
		}
		if first, ok := seen[class]; ok {
			return nil, fmt.Errorf("data: %s: line %d repeats %q of line %d", path, i+1, class, first)
		}
		seen[class], classes[i] = i+1, class
	}
	return classes, nil
}

// numbers is "0", "1" and so on, n of them.
func numbers(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = strconv.Itoa(i)
	}
	return names
}

func largest(labels []byte) int {
	top := 0
	for _, label := range labels {
		top = max(top, int(label))
	}
	return top
}
