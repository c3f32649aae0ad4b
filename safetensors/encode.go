package safetensors

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"slices"
	"unicode/utf8"
)

// Encode writes f to w as the reference implementation lays files out: metadata
// first, then the tensors by falling alignment of their types and by name, the
// header padded with spaces to a multiple of 8 bytes. Equal Files give equal
// bytes (metadata are sorted, where the reference implementation leaves their
// order to chance), and Decode accepts what Encode wrote.
//
// It returns w's error, or one that names the tensor if its type is unknown,
// its Data do not fit its Shape, or its name is "__metadata__" or not UTF-8; a
// header that Decode would refuse as too large is ErrFormat. Then nothing has
// been written.
func (f *File) Encode(w io.Writer) error {
	header, names, err := f.header()
	if err != nil {
		return fmt.Errorf("safetensors: Encode: %w", err)
	}
	body := uint64(0)
	for _, name := range names {
		body += uint64(len(f.Tensors[name].Data))
	}
	if _, err := headerLength(header, uint64(len(header))+body); err != nil {
		return fmt.Errorf("safetensors: Encode: %w", err)
	}
	if _, err := parseHeader(header[8:], body); err != nil {
		return fmt.Errorf("safetensors: Encode: %w", err)
	}
	if err := f.write(w, header, names); err != nil {
		return fmt.Errorf("safetensors: Encode: %w", err)
	}
	return nil
}

// WriteFile writes f to path durably, as WriteDurable does: after any error,
// fault or kill the path holds its old content or f, whole.
func WriteFile(path string, f *File) error {
	if err := writeDurable(osFS{}, path, f.Encode); err != nil {
		return fmt.Errorf("safetensors: WriteFile: %s: %w", path, err)
	}
	return nil
}

func (f *File) write(w io.Writer, header []byte, names []string) error {
	if _, err := w.Write(header); err != nil {
		return err
	}
	for _, name := range names {
		if _, err := w.Write(f.Tensors[name].Data); err != nil {
			return fmt.Errorf("tensor %q: %w", name, err)
		}
	}
	return nil
}

// header returns the first 8 + N bytes of the file, and the tensors' names in
// the order of their data.
func (f *File) header() ([]byte, []string, error) {
	names := slices.SortedFunc(maps.Keys(f.Tensors), func(a, b string) int {
		return cmp.Or(cmp.Compare(f.Tensors[a].DType.rank(), f.Tensors[b].DType.rank()), cmp.Compare(a, b))
	})
	b := make([]byte, 8, 64+64*len(names))
	b = append(b, '{')
	if len(f.Metadata) > 0 {
		b = append(b, `"__metadata__":{`...)
		for i, key := range slices.Sorted(maps.Keys(f.Metadata)) {
			value := f.Metadata[key]
			if !utf8.ValidString(key) || !utf8.ValidString(value) {
				return nil, nil, fmt.Errorf("metadata %q: want key and value in UTF-8", key)
			}
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendString(b, key), ':')
			b = appendString(b, value)
		}
		b = append(b, '}')
	}
	offset := 0
	for _, name := range names {
		t := f.Tensors[name]
		if _, err := t.elements(); err != nil {
			return nil, nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		if name == "__metadata__" || !utf8.ValidString(name) {
			return nil, nil, fmt.Errorf("tensor %q: want a name in UTF-8 other than __metadata__", name)
		}
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		b = appendString(b, name)
		b = fmt.Appendf(b, `:{"dtype":%q,"shape":[`, t.DType)
		for i, d := range t.Shape {
			if i > 0 {
				b = append(b, ',')
			}
			b = fmt.Append(b, d)
		}
		b = fmt.Appendf(b, `],"data_offsets":[%d,%d]}`, offset, offset+len(t.Data))
		offset += len(t.Data)
	}
	b = append(b, '}')
	for len(b)%8 != 0 {
		b = append(b, ' ')
	}
	binary.LittleEndian.PutUint64(b, uint64(len(b)-8))
	return b, names, nil
}

// appendString appends s as a JSON string, escaping only what must be, with
// the escapes that the reference implementation writes.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\b':
			b = append(b, `\b`...)
		case '\f':
			b = append(b, `\f`...)
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		case '\t':
			b = append(b, `\t`...)
		default:
			if c < ' ' {
				b = fmt.Appendf(b, `\u%04x`, c)
			} else {
				b = append(b, c)
			}
		}
	}
	return append(b, '"')
}
