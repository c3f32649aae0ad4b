package safetensors

import (
	"fmt"
	"math"
	"math/bits"
	"strings"
)

// parser walks the JSON of a header. The grammar is fixed and three levels
// deep, so it needs no recursion; encoding/json would accept duplicate keys
// and broken UTF-8. It runs twice: the first walk checks and counts, the
// second, after keep, also stores.
type parser struct {
	text       []byte
	i          int    // next byte of text
	body       uint64 // bytes of data after the header
	tensorName token  // of the tensor being read
	tally      tally

	storing bool
	layout
	names strings.Builder
	dims  []int
}

// keep makes room for exactly what the first walk counted.
func (p *parser) keep() {
	p.storing = true
	p.names.Grow(int(p.tally.text))
	p.dims = make([]int, 0, p.tally.dims)
	p.spans = make([]span, 0, p.tally.tensors)
	p.tensors = make(map[string]Tensor, mapHint(p.tally.tensors))
	if p.tally.pairs > 0 {
		p.metadata = make(map[string]string, mapHint(p.tally.pairs))
	}
}

func (p *parser) header() error {
	p.i = 0
	if err := p.expect('{'); err != nil {
		return err
	}
	metadata := false
	for first := true; ; first = false {
		ok, err := p.more(first, '}')
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		key, err := p.member()
		if err != nil {
			return err
		}
		if key.is("__metadata__") {
			if metadata {
				return p.duplicate(key)
			}
			metadata = true
			err = p.pairs()
		} else {
			p.tensorName = key
			err = p.tensor(key)
			p.tensorName = token{}
		}
		if err != nil {
			return err
		}
	}
	for ; p.i < len(p.text); p.i++ {
		if p.text[p.i] != ' ' {
			return p.fail(p.i, p.found(), "spaces to the end of the header")
		}
	}
	return nil
}

// pairs reads the object under "__metadata__".
func (p *parser) pairs() error {
	if err := p.expect('{'); err != nil {
		return err
	}
	for first := true; ; first = false {
		ok, err := p.more(first, '}')
		if err != nil || !ok {
			return err
		}
		key, err := p.member()
		if err != nil {
			return err
		}
		value, err := p.str()
		if err != nil {
			return err
		}
		if !p.storing {
			p.tally.pairs++
			p.tally.text += uint64(key.size + value.size)
			continue
		}
		name := p.intern(key)
		if _, ok := p.metadata[name]; ok {
			return p.duplicate(key)
		}
		p.metadata[name] = p.intern(value)
	}
}

// info is what the object under a tensor's name says.
type info struct {
	dtype      DType
	shape      []int // nil on the first walk
	elements   uint64
	begin, end uint64
	seen       [3]bool // dtype, shape, data_offsets
	offsetsAt  int
}

var fields = [3]string{"dtype", "shape", "data_offsets"}

// tensor reads the object under a tensor's name.
func (p *parser) tensor(name token) error {
	open := p.i
	if err := p.expect('{'); err != nil {
		return err
	}
	var t info
	for first := true; ; first = false {
		ok, err := p.more(first, '}')
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		if err := p.field(&t); err != nil {
			return err
		}
	}
	for i, seen := range t.seen {
		if !seen {
			return p.fail(open, fmt.Sprintf("no %q", fields[i]), "dtype, shape and data_offsets")
		}
	}
	high, size := bits.Mul64(t.elements, uint64(t.dtype.Size()))
	if high != 0 || size > math.MaxInt {
		return p.fail(open, fmt.Sprintf("%d elements of %s", t.elements, t.dtype), "a size that fits an int")
	}
	if t.end < t.begin || t.end-t.begin != size {
		return p.fail(t.offsetsAt, fmt.Sprintf("data_offsets [%d,%d]", t.begin, t.end),
			fmt.Sprintf("%d bytes for %d elements of %s", size, t.elements, t.dtype))
	}
	if t.end > p.body {
		return p.fail(t.offsetsAt, fmt.Sprintf("data_offsets [%d,%d]", t.begin, t.end),
			fmt.Sprintf("at most the %d bytes of data in the file", p.body))
	}
	if !p.storing {
		p.tally.tensors++
		p.tally.text += uint64(name.size)
		return nil
	}
	key := p.intern(name)
	if _, ok := p.tensors[key]; ok {
		return p.duplicate(name)
	}
	p.tensors[key] = Tensor{DType: t.dtype, Shape: t.shape}
	p.spans = append(p.spans, span{name: key, begin: t.begin, end: t.end, at: uint32(name.at)})
	return nil
}

// field reads one member of a tensor's object.
func (p *parser) field(t *info) error {
	key, err := p.member()
	if err != nil {
		return err
	}
	which := -1
	for i, name := range fields {
		if key.is(name) {
			which = i
		}
	}
	if which < 0 {
		return p.fail(key.at, "key "+key.quoted(), "dtype, shape or data_offsets")
	}
	if t.seen[which] {
		return p.duplicate(key)
	}
	t.seen[which] = true
	switch fields[which] {
	case "dtype":
		t.dtype, err = p.dtype()
	case "shape":
		t.shape, t.elements, err = p.shape()
	case "data_offsets":
		t.offsetsAt = p.i
		t.begin, t.end, err = p.offsets()
	}
	return err
}

func (p *parser) dtype() (DType, error) {
	name, err := p.str()
	if err != nil {
		return "", err
	}
	for _, d := range order {
		if name.is(string(d)) {
			return d, nil
		}
	}
	return "", p.fail(name.at, "dtype "+name.quoted(), fmt.Sprintf("one of %v", order))
}

// shape reads the dimensions and multiplies them.
func (p *parser) shape() (dims []int, elements uint64, err error) {
	open := p.i
	if err := p.expect('['); err != nil {
		return nil, 0, err
	}
	from := len(p.dims)
	elements = 1
	for first := true; ; first = false {
		ok, err := p.more(first, ']')
		if err != nil {
			return nil, 0, err
		}
		if !ok {
			break
		}
		d, err := p.number()
		if err != nil {
			return nil, 0, err
		}
		var high uint64
		if high, elements = bits.Mul64(elements, d); high != 0 || elements > math.MaxInt {
			return nil, 0, p.fail(open, "a shape whose product overflows", "one that fits an int")
		}
		if p.storing {
			p.dims = append(p.dims, int(d))
		} else {
			p.tally.dims++
		}
	}
	return p.dims[from:len(p.dims):len(p.dims)], elements, nil
}

func (p *parser) offsets() (begin, end uint64, err error) {
	if err := p.expect('['); err != nil {
		return 0, 0, err
	}
	p.space()
	if begin, err = p.number(); err != nil {
		return 0, 0, err
	}
	p.space()
	if err := p.expect(','); err != nil {
		return 0, 0, err
	}
	p.space()
	if end, err = p.number(); err != nil {
		return 0, 0, err
	}
	p.space()
	return begin, end, p.expect(']')
}

// intern copies a token into the storage for names.
func (p *parser) intern(t token) string {
	from := p.names.Len()
	t.unquote(&p.names)
	return p.names.String()[from:]
}

func (p *parser) duplicate(key token) error {
	return p.fail(key.at, "duplicate key "+key.quoted(), "each key once")
}
