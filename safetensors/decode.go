package safetensors

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// maxHeader is the reference implementation's limit on the header, in bytes.
const maxHeader = 100_000_000

// ErrFormat is what errors.Is finds in the error of Decode and ReadFile for
// input that is not a well-formed safetensors file. The error's text names the
// offset in the file, what was found there and what was wanted.
var ErrFormat = errors.New("malformed safetensors file")

// File is the content of a safetensors file: tensors and free text, by name.
// The name "__metadata__" is reserved by the format. The zero value is an
// empty file. A File may be read from many goroutines, and written from one.
type File struct {
	Metadata map[string]string
	Tensors  map[string]Tensor
}

// Decode reads a whole safetensors file. The tensors' Data are parts of data,
// not copies. Metadata is nil when the file has none. Any malformed input
// gives an error that is ErrFormat, never a panic; beyond data itself, Decode
// uses at most len(data) + 1 MiB of memory.
func Decode(data []byte) (*File, error) {
	n, err := headerLength(data, uint64(len(data)))
	if err != nil {
		return nil, fmt.Errorf("safetensors: Decode: %w", err)
	}
	body := data[8+n:]
	l, err := parseHeader(data[8:8+n], uint64(len(body)))
	if err != nil {
		return nil, fmt.Errorf("safetensors: Decode: %w", err)
	}
	return l.file(body), nil
}

// ReadFile reads the safetensors file at path. Its errors name the path; one
// about malformed content is ErrFormat and names the offset, what was found
// and what was wanted. It uses at most twice the size of the file + 1 MiB, and
// checks the header before it makes room for the data.
func ReadFile(path string) (*File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("safetensors: ReadFile: %w", err)
	}
	defer file.Close()
	f, err := read(file)
	if err != nil {
		return nil, fmt.Errorf("safetensors: ReadFile: %s: %w", path, err)
	}
	return f, nil
}

func read(file *os.File) (*File, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("got %s, want a regular file", info.Mode())
	}
	size := uint64(info.Size())
	var prefix [8]byte
	if _, err := io.ReadFull(file, prefix[:min(8, size)]); err != nil {
		return nil, err
	}
	n, err := headerLength(prefix[:min(8, size)], size)
	if err != nil {
		return nil, err
	}
	header := make([]byte, n)
	if _, err := io.ReadFull(file, header); err != nil {
		return nil, err
	}
	l, err := parseHeader(header, size-8-uint64(n))
	if err != nil {
		return nil, err
	}
	body := make([]byte, size-8-uint64(n))
	if _, err := io.ReadFull(file, body); err != nil {
		return nil, err
	}
	return l.file(body), nil
}

// headerLength reads the length of the header from the first eight bytes of a
// file of the given size.
func headerLength(prefix []byte, size uint64) (int, error) {
	if len(prefix) < 8 {
		return 0, &formatError{offset: 0, got: fmt.Sprintf("a file of %d bytes", size), want: "at least 8 for the header's length"}
	}
	n := binary.LittleEndian.Uint64(prefix)
	if n > maxHeader {
		return 0, &formatError{offset: 0, got: fmt.Sprintf("a header of %d bytes", n), want: fmt.Sprintf("at most %d", maxHeader)}
	}
	if n > size-8 {
		return 0, &formatError{offset: 0, got: fmt.Sprintf("a header of %d bytes", n), want: fmt.Sprintf("at most the %d that follow in the file", size-8)}
	}
	return int(n), nil
}

// formatError is an ErrFormat with its place. The key is a tensor's name as it
// stands in the header, or empty.
type formatError struct {
	offset    int
	key       string
	got, want string
}

func (e *formatError) Error() string {
	where := fmt.Sprintf("offset %d", e.offset)
	if e.key != "" {
		where += ": tensor " + e.key
	}
	return fmt.Sprintf("%v: %s: got %s, want %s", ErrFormat, where, e.got, e.want)
}

func (e *formatError) Unwrap() error { return ErrFormat }
