package safetensors

import (
	"cmp"
	"fmt"
	"slices"
)

// layout is a checked header: what it says, and where each tensor's data lie.
type layout struct {
	metadata map[string]string
	tensors  map[string]Tensor // without Data
	spans    []span
}

// span is the data of one tensor, [begin, end) in bytes after the header.
type span struct {
	name       string
	begin, end uint64
	at         uint32 // where the tensor's name stands in the header
}

// parseHeader checks the header of a file with the given number of bytes of
// data, and returns what it says.
func parseHeader(text []byte, body uint64) (*layout, error) {
	p := parser{text: text, body: body}
	if err := p.header(); err != nil {
		return nil, err
	}
	size := 8 + uint64(len(text)) + body
	if need, limit := p.tally.bytes(), size+decodeSlack; need > limit {
		return nil, p.fail(0,
			fmt.Sprintf("%d tensors, %d dimensions and %d metadata entries, which take %d bytes of memory",
				p.tally.tensors, p.tally.dims, p.tally.pairs, need),
			fmt.Sprintf("at most %d for a file of %d bytes", limit, size))
	}
	p.keep()
	if err := p.header(); err != nil {
		return nil, err
	}
	l := &p.layout
	slices.SortFunc(l.spans, func(a, b span) int {
		return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.end, b.end))
	})
	end := uint64(0)
	for _, s := range l.spans {
		if s.begin != end {
			what := "a hole before it"
			if s.begin < end {
				what = "an overlap"
			}
			return nil, &formatError{
				offset: 8 + int(s.at),
				key:    quote(s.name),
				got:    fmt.Sprintf("data from %d (%s)", s.begin, what),
				want:   fmt.Sprintf("from %d, where the data before it end", end),
			}
		}
		end = s.end
	}
	if end != body {
		return nil, p.fail(len(text)+int(end), fmt.Sprintf("%d more bytes of data", body-end), "the end of the file after the last tensor")
	}
	return l, nil
}

// file completes the layout with the data.
func (l *layout) file(body []byte) *File {
	for _, s := range l.spans {
		t := l.tensors[s.name]
		t.Data = body[s.begin:s.end:s.end]
		l.tensors[s.name] = t
	}
	return &File{Metadata: l.metadata, Tensors: l.tensors}
}

// decodeSlack is what decoding may take beyond the size of the file: 1 MiB,
// less a reserve for the parser itself and for a map that splits a table.
const (
	reserve     = 3 << 16
	decodeSlack = 1<<20 - reserve
)

// tally counts what a header will take in memory.
type tally struct {
	tensors, dims, pairs, text uint64
}

func (t tally) bytes() uint64 {
	const (
		spanBytes   = 40
		tensorBytes = 16 + 64 // name, Tensor
		pairBytes   = 16 + 16
	)
	return t.text + 8*t.dims + t.tensors*spanBytes + mapBytes(t.tensors, tensorBytes) + mapBytes(t.pairs, pairBytes)
}

// mapHint is the size to ask of make for a map of n entries. Go fills a table
// of 1,024 slots up to 896; asked for n alone, the tables that chance gives
// more than their share split, and take twice the room.
func mapHint(n uint64) uint64 { return n + n/6 }

// mapBytes bounds the memory of a Go map made with mapHint(n): a power of two
// of slots, at most 3/4 of them used, a control byte for each, and a quarter
// for the rounding of the allocator.
func mapBytes(n, entry uint64) uint64 {
	slots := uint64(8)
	for slots/4*3 < n {
		slots *= 2
	}
	return slots * (entry + 1) / 4 * 5
}
