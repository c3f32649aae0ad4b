package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/pumice-ml/pumice/train/data"
)

// inputs say how a data set is read. A checkpoint keeps them in its notes, so that later
// commands read the same.
type inputs struct {
	size, label string
	features    string
	fraction    float64
	parting     uint32
	normalize   bool     // put a layer with the training set's means and deviations first
	budget      int      // MiB of device memory for a set
	unturned    bool     // images are taken as files hold them
	columns     []string // of the table that the model was trained on
	classes     []string // that the model tells
	text        *textual // nil where the set is no text, or not read yet
}

func (i *inputs) flags(f *pflag.FlagSet) {
	f.StringVar(&i.size, "size", "", "scale the images of a folder to HxW; without it all must have one size")
	f.StringVar(&i.label, "label", "", "column of the classes in a CSV file; default is label, or the last")
	f.StringVar(&i.features, "features", "tfidf", "text as tfidf or counts of its words, or as ids of its first "+strconv.Itoa(idLength))
	f.Float64Var(&i.fraction, "split", fraction, "part of a set without test examples that is kept to test with")
	f.Uint32Var(&i.parting, "split-seed", parting, "seed of which part that is")
	f.BoolVar(&i.normalize, "normalize", false, "let the model take off the training set's means and divide by its deviations, by channel or column")
	f.IntVar(&i.budget, "budget", 512, "MiB of device memory for a data set; a larger one is streamed")
}

// check looks at the flags that a set is not needed for.
func (i *inputs) check() error {
	switch {
	case i.budget < 1 || i.budget > 1<<30:
		return fmt.Errorf("--budget %d, want 1 MiB or more", i.budget)
	case !(i.fraction > 0 && i.fraction < 1):
		return fmt.Errorf("--split %v, want more than 0 and less than 1", i.fraction)
	case i.features != "tfidf" && i.features != "counts" && i.features != "ids":
		return fmt.Errorf("--features %q, want tfidf, counts or ids", i.features)
	}
	_, _, err := i.wanted()
	return err
}

// wanted is --size; 0 and 0 where there is none.
func (i *inputs) wanted() (height, width int, err error) {
	if i.size == "" {
		return 0, 0, nil
	}
	if n, err := fmt.Sscanf(i.size+".", "%dx%d.", &height, &width); n != 2 || err != nil || height < 1 || width < 1 {
		return 0, 0, fmt.Errorf("--size %q, want HEIGHTxWIDTH, 32x48 say", i.size)
	}
	return height, width, nil
}

// fewDocuments sets what suits the corpus that comes with Pumice, where the flags do not
// say: found by training on four fifths of its training documents.
func (o *trainOptions) fewDocuments(changed func(flag string) bool) {
	if o.data != "text" {
		return
	}
	if !changed("epochs") {
		o.epochs = 15
	}
	if !changed("batch") {
		o.batch = 20
	}
	if !changed("lr") && strings.HasPrefix(o.optimizer, "adam") {
		o.rate = 0.01
	}
}

// The defaults of --split and --split-seed.
const (
	fraction = 0.2
	parting  = 1
)

// notes are the inputs as a checkpoint keeps them: those that are not the defaults.
func (i *inputs) notes() map[string]string {
	n := map[string]string{}
	for name, v := range map[string][2]string{
		"size": {i.size, ""}, "label": {i.label, ""},
		"split":      {strconv.FormatFloat(i.fraction, 'g', -1, 64), strconv.FormatFloat(fraction, 'g', -1, 64)},
		"split_seed": {strconv.FormatUint(uint64(i.parting), 10), strconv.Itoa(parting)},
	} {
		if v[0] != v[1] {
			n[name] = v[0]
		}
	}
	if i.unturned {
		n["files"] = "plain"
	}
	return n
}

// fromNotes takes the inputs from a checkpoint's notes.
func (i *inputs) fromNotes(path string, n map[string]string) error {
	i.size, i.label, i.fraction, i.parting, i.unturned = n["size"], n["label"], fraction, parting, n["files"] == "plain"
	var err error
	if v, ok := n["split"]; ok {
		i.fraction, err = strconv.ParseFloat(v, 64)
	}
	if v, ok := n["split_seed"]; ok && err == nil {
		var seed uint64
		seed, err = strconv.ParseUint(v, 10, 32)
		i.parting = uint32(seed)
	}
	if err != nil {
		return fmt.Errorf("checkpoint %s: its notes on how the set was parted: %w", path, err)
	}
	return nil
}

// load returns the chosen data sets.
func (c *choices) load(ctx context.Context) (train, test data.Dataset, err error) {
	if c.images < 0 {
		return nil, nil, fmt.Errorf("--images %d, want 0 or more", c.images)
	}
	if c.fraction == 0 { // of a command without these flags
		c.fraction, c.parting = fraction, parting
	}
	switch c.data {
	case "builtin":
		train, test := data.Digits(data.DigitsOptions{Train: c.images, Test: c.images / 5})
		return train, test, nil
	case "mnist":
		return both(data.MNIST(ctx, data.MNISTOptions{}))
	case "text":
		return c.vectors(data.Topics())
	}
	height, width, err := c.wanted()
	if err != nil {
		return nil, nil, err
	}
	info, err := os.Stat(c.data)
	if err != nil {
		return nil, nil, fmt.Errorf("--data %s, want builtin, mnist, text, or a file or folder: %w", c.data, err)
	}
	if !info.IsDir() {
		return c.loadFile()
	}
	has := func(pattern string) bool {
		found, err := filepath.Glob(filepath.Join(globbed(c.data), pattern))
		return err == nil && len(found) > 0
	}
	switch {
	case has("*-ubyte") || has("*-ubyte.gz"):
		return both(data.LoadDir(c.data))
	case has("train.csv"):
		return c.loadTables(filepath.Join(c.data, "train.csv"), filepath.Join(c.data, "test.csv"))
	case has("train/*.txt"):
		train, test, err := data.ReadTexts(os.DirFS(c.data), filepath.Base(c.data))
		if err != nil {
			return nil, nil, err
		}
		return c.vectors(train, test)
	}
	c.unturned = true
	train, test, err = data.LoadFolder(c.data, data.FolderOptions{Height: height, Width: width, Fraction: c.fraction, Seed: c.parting})
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("--data %s: want IDX files, train.csv and test.csv, train/CLASS.txt and test/CLASS.txt, or folders of images: %w", c.data, err)
	}
	return train, test, err
}

// both makes two sets of images into two sets.
func both(train, test *data.Set, err error) (data.Dataset, data.Dataset, error) {
	if err != nil {
		return nil, nil, err
	}
	return train, test, nil
}

// globbed is a path as a pattern that matches nothing else.
func globbed(path string) string {
	return strings.NewReplacer(`*`, `\*`, `?`, `\?`, `[`, `\[`, `\`, `\\`).Replace(path)
}

// loadFile reads a set from one file, and parts it where it holds no test examples.
func (c *choices) loadFile() (train, test data.Dataset, err error) {
	switch strings.ToLower(filepath.Ext(c.data)) {
	case ".csv":
		return c.loadTables(c.data, "")
	case ".npz":
		return data.LoadNPZ(c.data, c.fraction, c.parting)
	}
	return nil, nil, fmt.Errorf("--data %s: want a file .csv or .npz, or a folder", c.data)
}

// loadTables reads one table, which is parted, or two of the same columns and classes:
// those of the model, where there is one.
func (c *choices) loadTables(first, second string) (train, test data.Dataset, err error) {
	table, err := data.ReadCSVFile(first, data.CSVOptions{Label: c.label, Columns: c.columns, Classes: c.classes})
	if err != nil {
		return nil, nil, err
	}
	c.columns = table.Columns
	if second == "" {
		return data.Split(table, c.fraction, c.parting)
	}
	test, err = data.ReadCSVFile(second, data.CSVOptions{Label: table.Label, Columns: table.Columns, Classes: table.About.Classes})
	return table, test, err
}
