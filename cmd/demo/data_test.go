package main

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// accuracy is what eval prints for the checkpoint in a folder, in percent.
func accuracy(t *testing.T, dir string, more ...string) float64 {
	t.Helper()
	out := must(t, append([]string{"eval", "--out", dir, "--device", "reference"}, more...)...)
	found := regexp.MustCompile(`accuracy ([0-9.]+)%`).FindStringSubmatch(out)
	if found == nil {
		t.Fatalf("eval prints %q", out)
	}
	v, err := strconv.ParseFloat(found[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestLetters trains on 26 classes of coloured images of another size, as IDX files with
// the names of the classes, and as a folder of PNG files, with the channels as they are
// and standardized, and finds the same test images again from the checkpoint.
func TestLetters(t *testing.T) {
	dir := t.TempDir()
	idx, folder := filepath.Join(dir, "idx"), filepath.Join(dir, "png")
	if err := os.Mkdir(idx, 0o755); err != nil {
		t.Fatal(err)
	}
	letterFiles(t, idx, 26*30, 26*5)
	letterFolder(t, folder, 26*30, 3)
	for name, args := range map[string][]string{
		"idx":        {"--data", idx, "--model", "cnn"},
		"folder":     {"--data", folder, "--model", "mlp", "--split", "0.15", "--split-seed", "7"},
		"normalized": {"--data", folder, "--model", "mlp", "--normalize"},
		"scaled":     {"--data", folder, "--model", "mlp", "--size", "9x10"},
	} {
		t.Run(name, func(t *testing.T) {
			run := filepath.Join(dir, name+" run")
			out := must(t, append([]string{"train", "--out", run, "--epochs", "6", "--batch", "20", "--lr", "0.004", "--device", "reference"}, args...)...)
			if !strings.Contains(out, "26 classes") {
				t.Errorf("train prints %q", out)
			}
			told := regexp.MustCompile(`test accuracy ([0-9.]+)%`).FindStringSubmatch(out)
			got := accuracy(t, run)
			if told == nil || told[1] != fmt.Sprintf("%.2f", got) {
				t.Errorf("eval finds an accuracy of %.2f%%, train ended at %v: not the same test images", got, told)
			}
			// Chance is 4%; how well it learns in so few steps is not the point.
			if got < 40 {
				t.Errorf("accuracy %.1f%% on letters, want 40 or more", got)
			}
			if name != "idx" { // the letter y, as it was trained on
				if out := must(t, "predict", filepath.Join(folder, "y", "00025.png"), "--out", run, "--device", "reference"); !strings.Contains(out, "this is y ") {
					t.Errorf("predict of a file prints %q", out)
				}
			}
			if out := must(t, "predict", "--index", "3", "--out", run, "--device", "reference"); strings.Count(out, "%") != 27 || !strings.Contains(out, "labelled ") {
				t.Errorf("predict prints %q", out)
			}
		})
	}
}

// flowers is a table of two classes, told by columns of very different sizes.
func flowers(rows int) string {
	var b strings.Builder
	b.WriteString("id,kind,length,width\n")
	for i := range rows {
		kind, length, width := "rose", 1000+i%7, 0.01
		if i%3 == 0 {
			kind, length, width = "lily", 1003+i%7, 0.02
		}
		fmt.Fprintf(&b, "%d,%s,%d,%v\n", i%10, kind, length, width)
	}
	return b.String()
}

// TestTables trains on CSV files, one that is parted and two of one kind, and on arrays
// of NumPy.
func TestTables(t *testing.T) {
	dir := t.TempDir()
	one, two := filepath.Join(dir, "flowers.csv"), filepath.Join(dir, "two")
	if err := os.Mkdir(two, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, one, []byte(flowers(300)))
	write(t, filepath.Join(two, "train.csv"), []byte(flowers(240)))
	write(t, filepath.Join(two, "test.csv"), []byte(flowers(60)))
	arrays := filepath.Join(dir, "set.npz")
	writeArrays(t, arrays, 200)
	for name, args := range map[string][]string{
		"one":    {"--data", one, "--label", "kind", "--normalize"},
		"two":    {"--data", two, "--label", "kind", "--normalize", "--model", "linear"},
		"arrays": {"--data", arrays},
	} {
		t.Run(name, func(t *testing.T) {
			run := filepath.Join(dir, name+" run")
			must(t, append([]string{"train", "--out", run, "--epochs", "20", "--batch", "16", "--lr", "0.02", "--device", "reference"}, args...)...)
			if got := accuracy(t, run); got < 95 {
				t.Errorf("accuracy %.1f%%, want 95 or more of what is easy to tell", got)
			}
			if out := must(t, "predict", "--index", "7", "--out", run); !strings.Contains(out, "row: number 7 of ") {
				t.Errorf("predict prints %q", out)
			}
		})
	}
	// A model of a table takes no other.
	write(t, filepath.Join(dir, "other.csv"), []byte("id,kind,length\n1,rose,3\n2,lily,4\n"))
	for want, args := range map[string][]string{
		"other.csv:1: columns id,length, want id,length,width": {"eval", "--data", filepath.Join(dir, "other.csv")},
		"the model takes rows, not images":                     {"predict", filepath.Join(dir, "x.png")},
		"the model takes rows, not text":                       {"predict", "--text", "a rose"},
		"--index 60, the test set has rows 0 to 59":            {"predict", "--index", "60"},
	} {
		if _, err := demo(t, append(args, "--out", filepath.Join(dir, "one run"), "--device", "reference")...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("demo %v: got %v, want an error with %q", args, err, want)
		}
	}
}

// writeArrays writes x of two columns and y, which says whether the first is the larger.
func writeArrays(t *testing.T, path string, n int) {
	t.Helper()
	var x, y []byte
	for i := range n {
		a, b := float64(i*7%31)/31, float64(i*11%29)/29
		for _, v := range []float64{a, b} {
			x = binary.LittleEndian.AppendUint64(x, math.Float64bits(v))
		}
		larger := uint64(0)
		if a > b {
			larger = 1
		}
		y = binary.LittleEndian.AppendUint64(y, larger)
	}
	var file bytes.Buffer
	z := zip.NewWriter(&file)
	for name, content := range map[string]string{
		"x.npy": header(fmt.Sprintf("{'descr': '<f8', 'fortran_order': False, 'shape': (%d, 2), }", n)) + string(x),
		"y.npy": header(fmt.Sprintf("{'descr': '<i8', 'fortran_order': False, 'shape': (%d,), }", n)) + string(y),
	} {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	write(t, path, file.Bytes())
}

// header is what stands before the elements of an .npy file.
func header(dictionary string) string {
	dictionary += strings.Repeat(" ", 63-(10+len(dictionary))%64) + "\n"
	return "\x93NUMPY\x01\x00" + string(binary.LittleEndian.AppendUint16(nil, uint16(len(dictionary)))) + dictionary
}

// TestText trains on the corpus that comes with Pumice, from each kind of features, and
// tells the topics of new texts.
func TestText(t *testing.T) {
	for _, features := range []string{"tfidf", "counts", "ids"} {
		t.Run(features, func(t *testing.T) {
			run := t.TempDir()
			out := must(t, "train", "--data", "text", "--features", features, "--out", run, "--device", "reference")
			if !strings.Contains(out, "topics train, 500 ") {
				t.Errorf("train prints %q", out)
			}
			if got := accuracy(t, run); got < 90 {
				t.Errorf("accuracy %.1f%% on held-out documents, want 90 or more", got)
			}
			for text, want := range map[string]string{
				"The astronauts left the station and saw a comet.": "space",
				"Fry the garlic in butter, add salt and stir.":     "cooking",
			} {
				if out := must(t, "predict", "--text", text, "--out", run); !strings.Contains(out, "this is "+want) {
					t.Errorf("%q: predict prints %q, want %s", text, out, want)
				}
			}
			if _, err := demo(t, "predict", "--text", "xyzzy", "--out", run); err == nil || !strings.Contains(err.Error(), "knows none of its words") {
				t.Errorf("a text of unknown words: got %v", err)
			}
			b, err := os.ReadFile(filepath.Join(run, "vocabulary.txt"))
			if err != nil || !strings.HasPrefix(string(b), "<pad>\n<unk>\nthe\n") {
				t.Errorf("vocabulary.txt begins %.40q, %v", b, err)
			}
		})
	}
}

// TestTextFolder trains on texts of one's own.
func TestTextFolder(t *testing.T) {
	dir := t.TempDir()
	for half, n := range map[string]int{"train": 40, "test": 10} {
		if err := os.Mkdir(filepath.Join(dir, half), 0o755); err != nil {
			t.Fatal(err)
		}
		for _, class := range []string{"left", "right"} {
			write(t, filepath.Join(dir, half, class+".txt"), []byte(strings.Repeat("turn "+class+" now\n", n)))
		}
	}
	run := filepath.Join(dir, "run")
	must(t, "train", "--data", dir, "--batch", "10", "--epochs", "4", "--lr", "0.05", "--out", run, "--device", "reference")
	if got := accuracy(t, run); got != 100 {
		t.Errorf("accuracy %.1f%%, want 100", got)
	}
}

// TestBadData wants a clear error of data that cannot be trained on, before a checkpoint
// is written.
func TestBadData(t *testing.T) {
	dir := t.TempDir()
	picture := func(name string, height, width int) {
		var b bytes.Buffer
		img := image.NewGray(image.Rect(0, 0, width, height))
		img.SetGray(0, 0, color.Gray{200})
		if err := png.Encode(&b, img); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, path, b.Bytes())
	}
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, path, []byte(text))
		return path
	}
	for _, class := range []string{"a", "b"} {
		for i := range 3 {
			picture(fmt.Sprintf("mixed/%s/%d.png", class, i), 20, 20)
			picture(fmt.Sprintf("alien/train/%s/%d.png", class, i), 20, 20)
			picture(fmt.Sprintf("damaged/%s/%d.png", class, i), 20, 20)
			picture(fmt.Sprintf("small/%s/%d.png", class, i), 8, 8)
		}
	}
	picture("mixed/b/9.png", 20, 21)
	picture("alien/test/c/1.png", 20, 20)
	file("damaged/b/9.png", "\x89PNG\r\n\x1a\nwhat follows is no image")
	if err := os.MkdirAll(filepath.Join(dir, "empty", "a"), 0o755); err != nil {
		t.Fatal(err)
	}
	flowers := file("flowers.csv", flowers(30))
	for name, c := range map[string]struct {
		args []string
		want []string
	}{
		"no such folder":      {[]string{"--data", filepath.Join(dir, "nowhere")}, []string{"nowhere", "no such file"}},
		"empty folder":        {[]string{"--data", filepath.Join(dir, "empty")}, []string{filepath.Join("empty", "a"), "no PNG or JPEG"}},
		"mixed sizes":         {[]string{"--data", filepath.Join(dir, "mixed")}, []string{"9.png has 20x21 pixels, want 20x20", "0.png"}},
		"unknown class":       {[]string{"--data", filepath.Join(dir, "alien")}, []string{filepath.Join("test", "c"), "want one of a, b"}},
		"damaged image":       {[]string{"--data", filepath.Join(dir, "damaged")}, []string{"9.png is no PNG or JPEG image"}},
		"images too small":    {[]string{"--data", filepath.Join(dir, "small")}, []string{"16x16 or larger, these are 8x8"}},
		"bad size":            {[]string{"--data", filepath.Join(dir, "mixed"), "--size", "20"}, []string{`--size "20", want HEIGHTxWIDTH`}},
		"bad size too":        {[]string{"--data", filepath.Join(dir, "mixed"), "--size", "20x0"}, []string{`--size "20x0"`}},
		"missing column":      {[]string{"--data", flowers, "--label", "colour"}, []string{"flowers.csv:1", `no column "colour" among id,kind,length,width`}},
		"no numbers":          {[]string{"--data", flowers, "--label", "width"}, []string{"flowers.csv:2: column kind is \"lily\""}},
		"ragged table":        {[]string{"--data", file("ragged.csv", "a,b\n1,x\n2\n")}, []string{"ragged.csv:3: 1 fields, want 2"}},
		"class not in train":  {[]string{"--data", filepath.Dir(file("pair/test.csv", "a,b\n1,z\n")), "--label", "b"}, []string{"test.csv:2: class \"z\", want one of x, y"}},
		"not an archive":      {[]string{"--data", file("bad.npz", "PK no")}, []string{"bad.npz"}},
		"other file":          {[]string{"--data", file("set.parquet", "")}, []string{"set.parquet: want a file .csv or .npz"}},
		"empty document":      {[]string{"--data", filepath.Dir(filepath.Dir(file("words/train/a.txt", "one\n\ntwo\n")))}, []string{"train/a.txt:2 is empty"}},
		"split":               {[]string{"--data", flowers, "--split", "1"}, []string{"--split 1, want more than 0"}},
		"split leaves none":   {[]string{"--data", flowers, "--label", "kind", "--split", "0.001"}, []string{"flowers.csv", "leaves a part empty"}},
		"features":            {[]string{"--data", "text", "--features", "bigrams"}, []string{`--features "bigrams", want tfidf, counts or ids`}},
		"model of other data": {[]string{"--data", "text", "--model", "cnn"}, []string{`--model "cnn", want mlp or linear`}},
		"model of ids":        {[]string{"--data", "text", "--features", "ids", "--model", "mlp"}, []string{`--model "mlp", want bag`}},
		"normalized ids":      {[]string{"--data", "text", "--features", "ids", "--normalize"}, []string{"--normalize: ", "want some of uint8 or float32"}},
		"budget":              {[]string{"--budget", "0"}, []string{"--budget 0, want 1 MiB or more"}},
		"batch too large":     {[]string{"--data", flowers, "--label", "kind", "--batch", "25"}, []string{"batch of 25 examples, want 1 to 24, the size of the set flowers.csv"}},
		"rate is no number":   {[]string{"--data", flowers, "--label", "kind", "--lr", "NaN"}, []string{"--lr NaN"}},
	} {
		if name == "class not in train" {
			file("pair/train.csv", "a,b\n1,x\n2,y\n")
		}
		if name == "empty document" {
			file("words/test/a.txt", "one\n")
		}
		run := filepath.Join(dir, "run")
		out, err := demo(t, append([]string{"train", "--out", run, "--device", "reference"}, c.args...)...)
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want an error with %q\n%s", name, err, want, out)
			}
		}
		if _, err := os.Stat(filepath.Join(run, checkpointName)); err == nil {
			t.Errorf("%s: a checkpoint was written", name)
		}
	}
}
