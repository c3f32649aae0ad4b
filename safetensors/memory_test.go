package safetensors

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// allocated returns the bytes that f allocates, which bounds what it holds at
// any moment.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// many returns a header of n members made by f.
func many(n int, f func(i int) string) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(f(i))
	}
	return "{" + b.String() + "}"
}

const emptyTensor = `{"dtype":"U8","shape":[0],"data_offsets":[0,0]}`

// hungry are headers that cost as much memory per byte as the grammar allows.
func hungry(n int) map[string]string {
	return map[string]string{
		"tensors": many(n, func(i int) string { return fmt.Sprintf(`"%x":%s`, i, emptyTensor) }),
		"shapes": many(n/100, func(i int) string {
			return fmt.Sprintf(`"%x":{"dtype":"U8","shape":[0%s],"data_offsets":[0,0]}`, i, strings.Repeat(",1", 2000))
		}),
		"one shape": `{"a":{"dtype":"U8","shape":[0` + strings.Repeat(",1", 20*n) + `],"data_offsets":[0,0]}}`,
		"metadata":  `{"__metadata__":` + many(4*n, func(i int) string { return fmt.Sprintf(`"%x":""`, i) }) + "}",
		"name":      `{"` + strings.Repeat("n", 40*n) + `":` + emptyTensor + "}",
		"escapes":   `{"` + strings.Repeat(`\n`, 40*n) + `":` + emptyTensor + "}",
		"brackets":  `{"a":` + strings.Repeat("[", 40*n),
		"braces":    strings.Repeat(`{"":`, 10*n),
		"duplicates": many(n, func(int) string {
			return `"a":` + emptyTensor
		}),
		"spaces": "{}" + strings.Repeat(" ", 40*n),
	}
}

// RELIABILITY: at most twice the size of the file + 1 MiB, for any input.
func TestMemory(t *testing.T) {
	for _, n := range []int{1, 100, 1000, 4000, 6100, 7200, 30000} {
		for name, header := range hungry(n) {
			t.Run(fmt.Sprint(name, " ", n), func(t *testing.T) {
				data := raw(header, "")
				limit := uint64(len(data)) + 1<<20
				var err error
				if got := allocated(func() { _, err = Decode(data) }); got > limit {
					t.Errorf("Decode: got %d bytes beyond a file of %d, want at most %d (%.80v)", got, len(data), limit, err)
				}
				path := filepath.Join(t.TempDir(), "f")
				if err := os.WriteFile(path, data, 0o600); err != nil {
					t.Fatal(err)
				}
				limit += uint64(len(data))
				if got := allocated(func() { _, err = ReadFile(path) }); got > limit {
					t.Errorf("ReadFile: got %d bytes for a file of %d, want at most %d (%.80v)", got, len(data), limit, err)
				}
			})
		}
	}
}

// The count that the limit rests on must hold for the maps of this Go.
func TestMapBytes(t *testing.T) {
	for n := uint64(1); n < 120000; n += 1 + n/7 {
		var m map[string]Tensor
		got := allocated(func() {
			m = make(map[string]Tensor, mapHint(n))
			for i := range n {
				m[digits[i%1000*3:][:3]+digits[i/1000*3:][:3]] = Tensor{}
			}
		})
		// Each six-byte key takes an 8-byte block of its own here. A map of
		// one table cannot split it.
		want := mapBytes(n, 80) + 8*n + 1024
		if n > 512 {
			want += reserve
		}
		if got > want {
			t.Errorf("%d entries: got %d bytes, want at most %d", n, got, want)
		}
		runtime.KeepAlive(m)
	}
}

// digits is 000001...999.
var digits = func() string {
	var b strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&b, "%03d", i)
	}
	return b.String()
}()

// The limit must not touch real models: thousands of tensors, however small
// the scalars among them, or any number that hold something.
func TestMemoryAllowsModels(t *testing.T) {
	for _, c := range []struct{ tensors, elements int }{{6000, 0}, {6000, 1}, {50000, 64}} {
		f := &File{Tensors: map[string]Tensor{}}
		for i := range c.tensors {
			f.Tensors[fmt.Sprintf("model.layers.%d.weight", i)] = FromFloat32([]int{c.elements}, make([]float32, c.elements))
		}
		got, err := Decode(encode(t, f))
		if err != nil {
			t.Errorf("%d tensors of %d elements: %v", c.tensors, c.elements, err)
		} else if len(got.Tensors) != c.tensors {
			t.Errorf("got %d tensors, want %d", len(got.Tensors), c.tensors)
		}
	}
}

// What Decode would refuse for its memory, Encode must not write.
func TestEncodeRefusesWhatDecodeWould(t *testing.T) {
	f := &File{Tensors: map[string]Tensor{}}
	for i := range 50000 {
		f.Tensors[fmt.Sprint(i)] = Tensor{U8, []int{0}, nil}
	}
	var b bytes.Buffer
	err := f.Encode(&b)
	if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "50000 tensors") {
		t.Errorf("got %v, want an ErrFormat about 50000 tensors", err)
	}
	if b.Len() != 0 {
		t.Errorf("got %d bytes written, want none", b.Len())
	}
	f = &File{Metadata: map[string]string{"k": strings.Repeat("x", maxHeader)}}
	if err := f.Encode(&b); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "want at most 100000000") {
		t.Errorf("got %v, want an ErrFormat about the header's length", err)
	}
}
