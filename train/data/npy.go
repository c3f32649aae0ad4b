package data

import (
	"archive/zip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// NPY is an array of NumPy: sizes and the elements in row-major order, in the one of
// the slices that its type goes to.
type NPY struct {
	Shape  []int
	Bytes  []byte    // of uint8 and bool
	Floats []float32 // of float32, and of float64, rounded
	Ints   []uint32  // of whole numbers of 1 to 8 bytes, which must fit
}

// npyHeader is the header as NumPy writes it: a Python dictionary of three entries in
// the order of their names. The sizes have at most 19 digits each, and there are at most
// 32 of them, as in NumPy.
var npyHeader = regexp.MustCompile(`^\{'descr': '([<>|=]?[a-zA-Z][0-9]{1,2})', 'fortran_order': (True|False), 'shape': \(((?:[0-9]{1,19}(?:, [0-9]{1,19}){0,31})?,?)\),? *\} *\n$`)

// npyTypes are the types that are taken, and the bytes of an element.
var npyTypes = map[string]int{
	"|u1": 1, "|b1": 1, "|i1": 1, "<u2": 2, "<i2": 2, "<u4": 4, "<i4": 4, "<u8": 8, "<i8": 8, "<f4": 4, "<f8": 8,
}

// ReadNPYFile is ReadNPY of a file, which its errors name.
func ReadNPYFile(path string) (*NPY, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("data: ReadNPYFile: %w", err)
	}
	defer f.Close()
	a, err := ReadNPY(f)
	if err != nil {
		return nil, fmt.Errorf("data: %s: %w", path, err)
	}
	return a, nil
}

// ReadNPY reads one array in NumPy's file format (NEP 1), versions 1.0 and 2.0, to the
// end of r. Elements are little-endian numbers of type u1, i1, u2, i2, u4, i4, u8, i8, f4
// or f8, or bool, in C order. It returns an error, with the offset, for any other
// type or order, a header that NumPy does not write, sizes that overflow, missing bytes,
// bytes left over, negative or large whole numbers, and floats that float32 cannot hold. It
// holds at most twice the bytes that r delivers, and 1 MiB, whatever the header says.
func ReadNPY(r io.Reader) (*NPY, error) {
	kind, shape, start, err := readNPYHeader(r)
	if err != nil {
		return nil, err
	}
	size := npyTypes[kind]
	total, ok := product(append([]int{size}, shape...)...)
	if !ok {
		return nil, fmt.Errorf("data: ReadNPY: offset %d: sizes %v overflow", start, shape)
	}
	// Parts are joined once, so that no more than twice what was delivered is held.
	var bytes [][]byte
	var floats [][]float32
	var ints [][]uint32
	for read := 0; read < total; {
		part := make([]byte, min(chunk, total-read))
		n, err := io.ReadFull(r, part)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return nil, fmt.Errorf("data: ReadNPY: offset %d: %d bytes of data, want %d: %w", start, read+n, total, io.ErrUnexpectedEOF)
		}
		if err != nil {
			return nil, fmt.Errorf("data: ReadNPY: offset %d: %w", start+read+n, err)
		}
		b, f, i, err := convert(kind, part, start+read)
		if err != nil {
			return nil, err
		}
		bytes, floats, ints = append(bytes, b), append(floats, f), append(ints, i)
		read += len(part)
	}
	// Reading on to the end also makes zip compare its checksum.
	switch _, err := io.ReadFull(r, make([]byte, 1)); {
	case err == nil:
		return nil, fmt.Errorf("data: ReadNPY: offset %d: bytes after the end, want none after sizes %v", start+total, shape)
	case err != io.EOF:
		return nil, fmt.Errorf("data: ReadNPY: offset %d: %w", start+total, err)
	}
	return &NPY{Shape: shape, Bytes: slices.Concat(bytes...), Floats: slices.Concat(floats...), Ints: slices.Concat(ints...)}, nil
}

// readNPYHeader returns the type, the sizes, and the offset of the elements.
func readNPYHeader(r io.Reader) (kind string, shape []int, start int, err error) {
	fail := func(format string, args ...any) (string, []int, int, error) {
		return "", nil, 0, fmt.Errorf("data: ReadNPY: "+format, args...)
	}
	var head [12]byte
	if n, err := io.ReadFull(r, head[:10]); err != nil {
		return fail("offset 0: %d bytes, want 10 or more: %w", n, err)
	}
	if string(head[:6]) != "\x93NUMPY" {
		return fail("offset 0: % x, want 93 and NUMPY", head[:6])
	}
	length := int(binary.LittleEndian.Uint16(head[8:]))
	start = 10
	switch [2]byte(head[6:8]) {
	case [2]byte{1, 0}:
	case [2]byte{2, 0}:
		if n, err := io.ReadFull(r, head[10:12]); err != nil {
			return fail("offset 10: %d bytes, want 2: %w", n, err)
		}
		length, start = int(binary.LittleEndian.Uint32(head[8:])), 12
	default:
		return fail("offset 6: version %d.%d, want 1.0 or 2.0", head[6], head[7])
	}
	if length > 1<<16 {
		return fail("offset 8: header of %d bytes, want at most %d", length, 1<<16)
	}
	header := make([]byte, length)
	if n, err := io.ReadFull(r, header); err != nil {
		return fail("offset %d: %d bytes of header, want %d: %w", start, n, length, err)
	}
	found := npyHeader.FindSubmatch(header)
	if found == nil {
		return fail("offset %d: header %.120q, want {'descr': '<f4', 'fortran_order': False, 'shape': (sizes), } and the like", start, header)
	}
	kind = string(found[1])
	if npyTypes[kind] == 0 {
		return fail("offset %d: type %q, want u1, i1, u2, i2, u4, i4, u8, i8, f4, f8 or b1, little-endian", start, kind)
	}
	if string(found[2]) == "True" {
		return fail("offset %d: Fortran order, want C order: numpy.ascontiguousarray makes it", start)
	}
	for _, text := range strings.FieldsFunc(string(found[3]), func(c rune) bool { return c == ',' || c == ' ' }) {
		v, err := strconv.Atoi(text)
		if err != nil {
			return fail("offset %d: size %s: %w", start, text, err)
		}
		shape = append(shape, v)
	}
	return kind, shape, start + length, nil
}

// convert returns the elements of a part of the data, which begins at an offset, in the
// slice of their type.
func convert(kind string, part []byte, offset int) (bytes []byte, floats []float32, ints []uint32, err error) {
	size := npyTypes[kind]
	if kind == "|u1" || kind == "|b1" {
		return part, nil, nil, nil
	}
	for at := 0; at < len(part); at += size {
		var wide [8]byte
		copy(wide[:], part[at:at+size])
		bits := binary.LittleEndian.Uint64(wide[:])
		if kind[1] == 'f' {
			v := float64(math.Float32frombits(uint32(bits)))
			if size == 8 {
				v = math.Float64frombits(bits)
			}
			if math.IsNaN(v) || math.IsInf(float64(float32(v)), 0) {
				return nil, nil, nil, fmt.Errorf("data: ReadNPY: offset %d: %v, want a finite number of float32", offset+at, v)
			}
			floats = append(floats, float32(v))
			continue
		}
		if kind[1] == 'i' && bits>>(8*size-1) != 0 || bits > math.MaxUint32 {
			return nil, nil, nil, fmt.Errorf("data: ReadNPY: offset %d: a whole number below 0 or above %d", offset+at, uint32(math.MaxUint32))
		}
		ints = append(ints, uint32(bits))
	}
	return nil, floats, ints, nil
}

// ReadNPZFile reads the arrays of an .npz file, as numpy.savez and savez_compressed write
// it, by name. It returns an error, with the file and the array, as ReadNPY does, and for
// one name twice. It holds at most twice the bytes of the unpacked arrays, whatever the
// headers say.
func ReadNPZFile(path string) (map[string]*NPY, error) {
	z, err := zip.OpenReader(path)
	if err != nil {
		return nil, fmt.Errorf("data: ReadNPZFile: %s: %w", path, err)
	}
	defer z.Close()
	all := map[string]*NPY{}
	for _, f := range z.File {
		name, ok := strings.CutSuffix(f.Name, ".npy")
		if _, twice := all[name]; !ok || twice {
			return nil, fmt.Errorf("data: ReadNPZFile: %s: %q, want arrays NAME.npy, each once", path, f.Name)
		}
		r, err := f.Open()
		if err == nil {
			all[name], err = ReadNPY(r)
			err = errors.Join(err, r.Close())
		}
		if err != nil {
			return nil, fmt.Errorf("data: %s: %s: %w", path, f.Name, err)
		}
	}
	return all, nil
}
