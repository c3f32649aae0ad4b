package data

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
)

// TypeUint8 is the IDX element type of images and labels: unsigned bytes.
const TypeUint8 = 0x08

// idxTypes are the element types of the format, for messages: this reader
// takes unsigned bytes alone.
var idxTypes = map[byte]string{
	TypeUint8: "unsigned byte", 0x09: "signed byte", 0x0b: "int16",
	0x0c: "int32", 0x0d: "float32", 0x0e: "float64",
}

// chunk is how much is read before more memory is asked for, so that a header
// that lies about its size costs nothing.
const chunk = 256 << 10

// IDX is the content of one IDX file: an array of Dims, row-major. Type is
// always TypeUint8, and len(Data) the product of Dims. The format is described
// at http://yann.lecun.com/exdb/mnist/.
type IDX struct {
	Type byte
	Dims []int
	Data []byte
}

// ReadIDXFile reads one IDX file, plain or gzipped, as ReadIDX does. Its errors
// name the file.
func ReadIDXFile(path string) (*IDX, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("data: ReadIDXFile: %w", err)
	}
	defer file.Close()
	idx, err := ReadIDX(file)
	if err != nil {
		return nil, fmt.Errorf("data: %s: %w", path, err)
	}
	return idx, nil
}

// ReadIDX reads one IDX array of unsigned bytes, plain or gzipped (told by the
// first two bytes), to the end of r. It returns an error, with the offset in
// the uncompressed bytes, for a wrong magic number or element type, sizes that
// overflow, missing bytes, and bytes left over. It holds at most twice the
// bytes that r really delivers (unpacked), whatever the header says.
func ReadIDX(r io.Reader) (*IDX, error) {
	plain, err := unpack(r)
	if err != nil {
		return nil, err
	}
	return readPlain(plain)
}

// unpack returns the bytes of r, gunzipped if they start as gzip does.
func unpack(r io.Reader) (io.Reader, error) {
	in := bufio.NewReader(r)
	if magic, err := in.Peek(2); err != nil || magic[0] != 0x1f || magic[1] != 0x8b {
		return in, nil
	}
	unpacked, err := gzip.NewReader(in)
	if err != nil {
		return nil, fmt.Errorf("data: ReadIDX: gzip: %w", err)
	}
	return unpacked, nil
}

func readPlain(r io.Reader) (*IDX, error) {
	var magic [4]byte
	if n, err := io.ReadFull(r, magic[:]); err != nil {
		return nil, cut(0, n, 4, "magic number", err)
	}
	if magic[0] != 0 || magic[1] != 0 || idxTypes[magic[2]] == "" {
		return nil, fmt.Errorf("data: ReadIDX: offset 0: magic number % x, want 00 00 08 and the number of dimensions", magic)
	}
	if magic[2] != TypeUint8 {
		return nil, fmt.Errorf("data: ReadIDX: offset 2: element type %#02x (%s), want 0x08 (unsigned byte)", magic[2], idxTypes[magic[2]])
	}
	rank := int(magic[3])
	if rank == 0 {
		return nil, errors.New("data: ReadIDX: offset 3: 0 dimensions, want at least 1")
	}
	sizes := make([]byte, 4*rank)
	if n, err := io.ReadFull(r, sizes); err != nil {
		return nil, cut(4, n, len(sizes), "sizes", err)
	}
	idx := &IDX{Type: TypeUint8, Dims: make([]int, rank)}
	for i := range idx.Dims {
		size := binary.BigEndian.Uint32(sizes[4*i:])
		if uint64(size) > math.MaxInt {
			return nil, fmt.Errorf("data: ReadIDX: offset %d: size %d does not fit in memory", 4+4*i, size)
		}
		idx.Dims[i] = int(size)
	}
	total, ok := product(idx.Dims...)
	if !ok {
		return nil, fmt.Errorf("data: ReadIDX: offset 4: sizes %v overflow", idx.Dims)
	}
	start := 4 + len(sizes)
	var err error
	if idx.Data, err = readExactly(r, total, start); err != nil {
		return nil, err
	}
	// Reading on to the end also makes gzip compare its checksum.
	var extra [1]byte
	switch _, err := io.ReadFull(r, extra[:]); {
	case err == nil:
		return nil, fmt.Errorf("data: ReadIDX: offset %d: bytes after the end, want none after sizes %v", start+total, idx.Dims)
	case err != io.EOF:
		return nil, fmt.Errorf("data: ReadIDX: offset %d: %w", start+total, err)
	}
	return idx, nil
}

// readExactly reads total bytes in chunks and joins them once, so that no more
// than twice what was delivered is ever held.
func readExactly(r io.Reader, total, offset int) ([]byte, error) {
	var parts [][]byte
	for read := 0; read < total; {
		part := make([]byte, min(chunk, total-read))
		n, err := io.ReadFull(r, part)
		if err != nil {
			return nil, cut(offset, read+n, total, "data", err)
		}
		read += n
		parts = append(parts, part)
	}
	if len(parts) == 1 {
		return parts[0], nil
	}
	return bytes.Join(parts, nil), nil
}

// cut is the error for n bytes of what at offset where want are needed.
func cut(offset, n, want int, what string, err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("data: ReadIDX: offset %d: %d bytes of %s, want %d: %w", offset, n, what, want, io.ErrUnexpectedEOF)
	}
	return fmt.Errorf("data: ReadIDX: offset %d: %s: %w", offset+n, what, err)
}
