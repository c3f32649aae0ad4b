package data

import (
	"archive/zip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// NPY is an array of NumPy: sizes and the elements in row-major order, in the one of
// the slices that its type goes to.
type NPY struct {
	Type   string // as NumPy has it: "|u1", "<f4"
	Shape  []int
	Bytes  []byte    // of uint8, bool, and int8, which must not be negative
	Floats []float32 // of float32, and of float64, rounded
	Ints   []uint32  // of whole numbers of 2 to 8 bytes, which must fit
}

// npyHeader is the header as NumPy writes it: a Python dictionary of three entries in
// the order of their names. The sizes have at most 19 digits each, and there are at most
// 32 of them, as in NumPy.
var npyHeader = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^\{'descr': '([<>|=]?[a-zA-Z][0-9]{1,2})', 'fortran_order': (True|False), 'shape': \(((?:[0-9]{1,19}(?:, [0-9]{1,19}){0,31})?,?)\),? *\} *\n$`)
})

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
// holds at most twice the bytes that r delivers, three times those of u2 and i2, and
// 1 MiB, whatever the header says.
func ReadNPY(r io.Reader) (*NPY, error) {
	kind, shape, start, err := readNPYHeader(r)
	if err != nil {
		return nil, err
	}
	total, ok := product(append([]int{npyTypes[kind]}, shape...)...)
	if !ok {
		return nil, fmt.Errorf("data: ReadNPY: offset %d: sizes %v overflow", start, shape)
	}
	// The array is made once all its parts are there: a header alone costs nothing.
	var parts [][]byte
	for read := 0; read < total; {
		part := make([]byte, min(chunk, total-read))
		n, err := io.ReadFull(r, part)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return nil, fmt.Errorf("data: ReadNPY: offset %d: %d bytes of data, want %d: %w", start, read+n, total, io.ErrUnexpectedEOF)
		}
		if err != nil {
			return nil, fmt.Errorf("data: ReadNPY: offset %d: %w", start+read+n, err)
		}
		read, parts = read+n, append(parts, part)
	}
	// Reading on to the end also makes zip compare its checksum.
	switch _, err := io.ReadFull(r, make([]byte, 1)); {
	case err == nil:
		return nil, fmt.Errorf("data: ReadNPY: offset %d: bytes after the end, want none after sizes %v", start+total, shape)
	case err != io.EOF:
		return nil, fmt.Errorf("data: ReadNPY: offset %d: %w", start+total, err)
	}
	a := &NPY{Type: kind, Shape: shape}
	return a, a.convert(parts, total, start)
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
	found := npyHeader().FindSubmatch(header)
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

// convert takes the elements from parts of total bytes, of which the first begins at an
// offset.
func (a *NPY) convert(parts [][]byte, total, offset int) error {
	size := npyTypes[a.Type]
	switch {
	case size == 1:
		a.Bytes = slices.Concat(parts...)
	case a.Type[1] == 'f':
		a.Floats = make([]float32, 0, total/size)
	default:
		a.Ints = make([]uint32, 0, total/size)
	}
	if a.Type == "|i1" {
		for i, b := range a.Bytes {
			if int8(b) < 0 {
				return fmt.Errorf("data: ReadNPY: offset %d: %d, want a whole number from 0 on", offset+i, int8(b))
			}
		}
	}
	if size == 1 {
		return nil
	}
	for _, part := range parts {
		for at := 0; at < len(part); at, offset = at+size, offset+size {
			var wide [8]byte
			copy(wide[:], part[at:at+size])
			bits := binary.LittleEndian.Uint64(wide[:])
			if a.Type[1] == 'f' {
				v := float64(math.Float32frombits(uint32(bits)))
				if size == 8 {
					v = math.Float64frombits(bits)
				}
				if math.IsNaN(v) || math.IsInf(float64(float32(v)), 0) {
					return fmt.Errorf("data: ReadNPY: offset %d: %v, want a finite number of float32", offset, v)
				}
				a.Floats = append(a.Floats, float32(v))
				continue
			}
			if unused := 64 - 8*size; a.Type[1] == 'i' && int64(bits<<unused) < 0 {
				return fmt.Errorf("data: ReadNPY: offset %d: %d, want a whole number from 0 on", offset, int64(bits<<unused)>>unused)
			}
			if bits > math.MaxUint32 {
				return fmt.Errorf("data: ReadNPY: offset %d: %d, want a whole number up to %d", offset, bits, uint32(math.MaxUint32))
			}
			a.Ints = append(a.Ints, uint32(bits))
		}
	}
	return nil
}

// ReadNPZFile reads the arrays of an .npz file, as numpy.savez and savez_compressed write
// it, by name: those that are named, where they are there, or all. It returns an error,
// with the file and the array, as ReadNPY does, for one name twice, and for arrays that are
// larger than 1 GiB and 64 times the file. It holds what ReadNPY holds of the unpacked
// arrays, whatever the headers say.
func ReadNPZFile(path string, names ...string) (map[string]*NPY, error) {
	z, err := zip.OpenReader(path)
	if err != nil {
		return nil, fmt.Errorf("data: ReadNPZFile: %s: %w", path, err)
	}
	defer z.Close()
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("data: ReadNPZFile: %w", err)
	}
	files, unpacked := map[string]*zip.File{}, uint64(0)
	for _, f := range z.File {
		name, ok := strings.CutSuffix(f.Name, ".npy")
		if len(names) > 0 && !(ok && slices.Contains(names, name)) {
			continue
		}
		if _, twice := files[name]; !ok || twice {
			return nil, fmt.Errorf("data: ReadNPZFile: %s: %q, want arrays NAME.npy, each once", path, f.Name)
		}
		files[name] = f
		// zip reads no more than this; a sum that overflows is beyond the limit before.
		if unpacked += f.UncompressedSize64; f.UncompressedSize64 > math.MaxInt64 || unpacked > max(mostUnpacked, 64*uint64(info.Size())) {
			return nil, fmt.Errorf("data: ReadNPZFile: %s: arrays of %d bytes or more in a file of %d, want at most %d, or 64 times the file",
				path, unpacked, info.Size(), uint64(mostUnpacked))
		}
	}
	all := map[string]*NPY{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		r, err := files[name].Open()
		if err == nil {
			all[name], err = ReadNPY(r)
			err = errors.Join(err, r.Close())
		}
		if err != nil {
			return nil, fmt.Errorf("data: %s: %s.npy: %w", path, name, err)
		}
	}
	return all, nil
}

// mostUnpacked is how many bytes a packed file of any size may stand for.
const mostUnpacked = 1 << 30
