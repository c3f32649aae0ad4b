package data

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// slack is what a body may have beyond the unpacked size: gzip's own bytes
// around data that does not compress.
const slack = 64 << 10

// remote is a file to download: its name, and the size and SHA-256 of what it
// unpacks to. The unpacked bytes are the data set; mirrors and copies pack
// them differently.
type remote struct {
	name   string
	size   int64
	sha256 string
}

// mnistFiles are the files of LeCun, Cortes and Burges, in the order images
// and labels of train, images and labels of test.
var mnistFiles = [4]remote{
	{"train-images-idx3-ubyte.gz", 47040016, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"},
	{"train-labels-idx1-ubyte.gz", 60008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"},
	{"t10k-images-idx3-ubyte.gz", 7840016, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"},
	{"t10k-labels-idx1-ubyte.gz", 10008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"},
}

// mnistMirrors are the public mirrors, tried in this order.
var mnistMirrors = []string{
	"https://storage.googleapis.com/cvdf-datasets/mnist/",
	"https://ossci-datasets.s3.amazonaws.com/mnist/",
}

// MNISTOptions says where MNIST lies and comes from; the zero value is useful.
type MNISTOptions struct {
	// Dir is the cache folder, made if missing; "" is pumice/mnist in
	// os.UserCacheDir.
	Dir string
	// Mirrors are base URLs tried in order; nil is the public ones.
	Mirrors []string
	// Client does the requests; nil is one that gives a file ten minutes.
	Client *http.Client
	// Progress, if set, is called while a file downloads, with its name, the
	// bytes that came and the bytes expected (-1 if unknown).
	Progress func(name string, done, total int64)
}

// MNIST returns the 60,000 training and 10,000 test digits of LeCun, Cortes and
// Burges, 28x28. A file that lies in the cache folder with the right SHA-256
// (of its unpacked bytes) is read; any other is downloaded from the first
// mirror that has it, into a temporary file that takes its name only once
// checked. It returns an error that lists what was tried and how to do without
// network, or one that wraps ctx.Err() if ctx ends.
func MNIST(ctx context.Context, opts MNISTOptions) (train, test *Set, err error) {
	return mnist(ctx, opts, mnistFiles)
}

func mnist(ctx context.Context, opts MNISTOptions, files [4]remote) (train, test *Set, err error) {
	if opts.Dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return nil, nil, fmt.Errorf("data: MNIST: no cache folder, set Dir: %w", err)
		}
		opts.Dir = filepath.Join(cache, "pumice", "mnist")
	}
	if opts.Mirrors == nil {
		opts.Mirrors = mnistMirrors
	}
	if opts.Client == nil {
		opts.Client = &http.Client{Timeout: 10 * time.Minute}
	}
	if err := os.MkdirAll(opts.Dir, 0o755); err != nil {
		return nil, nil, fmt.Errorf("data: MNIST: cache folder: %w", err)
	}
	var arrays [4]*IDX
	for i, file := range files {
		if arrays[i], err = obtain(ctx, opts, file); err != nil {
			return nil, nil, err
		}
	}
	if train, err = join("mnist train", files[0].name, arrays[0], files[1].name, arrays[1]); err != nil {
		return nil, nil, err
	}
	if test, err = join("mnist test", files[2].name, arrays[2], files[3].name, arrays[3]); err != nil {
		return nil, nil, err
	}
	return pair(train, test, numbers(10))
}

// obtain reads a file from the cache, or from the first mirror that has it.
func obtain(ctx context.Context, opts MNISTOptions, file remote) (*IDX, error) {
	var tried []error
	path := filepath.Join(opts.Dir, file.name)
	idx, err := file.read(path)
	if err == nil {
		return idx, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		tried = append(tried, err)
	}
	for _, mirror := range opts.Mirrors {
		if ctx.Err() != nil {
			break
		}
		address := strings.TrimSuffix(mirror, "/") + "/" + file.name
		idx, err := fetch(ctx, opts, file, address, path)
		if err == nil {
			return idx, nil
		}
		tried = append(tried, fmt.Errorf("%s: %w", address, err))
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("data: MNIST: %s: %w", file.name, err)
	}
	return nil, fmt.Errorf("data: MNIST: cannot get %s; tried:\n%w\nput the four .gz files into %s by hand, "+
		"or use the built-in digits, which need no network (--data builtin)", file.name, errors.Join(tried...), opts.Dir)
}

// fetch downloads address to a temporary file beside path, checks it and
// renames it to path.
func fetch(ctx context.Context, opts MNISTOptions, file remote, address, path string) (idx *IDX, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	// The file is wanted as it lies there, not unpacked on the way.
	request.Header.Set("Accept-Encoding", "identity")
	response, err := opts.Client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %s, want 200", response.Status)
	}
	temp, err := os.CreateTemp(opts.Dir, file.name+".part-*")
	if err != nil {
		return nil, err
	}
	defer func() {
		temp.Close()
		if err != nil {
			os.Remove(temp.Name())
		}
	}()
	body := &counter{r: response.Body, report: func(done int64) {
		if opts.Progress != nil {
			opts.Progress(file.name, done, response.ContentLength)
		}
	}}
	limit := file.size + slack
	n, err := io.Copy(temp, io.LimitReader(body, limit+1))
	if err != nil {
		return nil, err
	}
	if n > limit {
		return nil, fmt.Errorf("more than %d bytes, too large for this file", limit)
	}
	if err := errors.Join(temp.Sync(), temp.Close()); err != nil {
		return nil, err
	}
	if idx, err = file.read(temp.Name()); err != nil {
		return nil, err
	}
	return idx, os.Rename(temp.Name(), path)
}

// read returns the content of the file at path if it unpacks to the bytes it
// should.
func (f remote) read(path string) (*IDX, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	plain, err := unpack(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	hash := sha256.New()
	idx, err := readPlain(io.TeeReader(io.LimitReader(plain, f.size+1), hash))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if got := hex.EncodeToString(hash.Sum(nil)); got != f.sha256 {
		return nil, fmt.Errorf("%s: SHA-256 of the unpacked bytes %s, want %s", path, got, f.sha256)
	}
	return idx, nil
}

// counter tells report how many bytes went through.
type counter struct {
	r      io.Reader
	done   int64
	report func(done int64)
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if n > 0 {
		c.done += int64(n)
		c.report(c.done)
	}
	return n, err
}
