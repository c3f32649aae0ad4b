package data

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// npy is a file as NumPy writes it, by NEP 1: the header is padded with spaces to a
// multiple of 64 bytes and ends in a newline.
func npy(descr, shape string, elements ...any) []byte {
	header := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, shape)
	header += strings.Repeat(" ", 63-(10+len(header))%64) + "\n"
	b := binary.LittleEndian.AppendUint16([]byte("\x93NUMPY\x01\x00"), uint16(len(header)))
	b = append(b, header...)
	for _, e := range elements {
		b, _ = binary.Append(b, binary.LittleEndian, e)
	}
	return b
}

func TestReadNPY(t *testing.T) {
	for name, c := range map[string]struct {
		file []byte
		want NPY
	}{
		"bytes":     {npy("|u1", "2, 2", []byte{1, 2, 3, 255}), NPY{Shape: []int{2, 2}, Bytes: []byte{1, 2, 3, 255}}},
		"bools":     {npy("|b1", "2,", []byte{1, 0}), NPY{Shape: []int{2}, Bytes: []byte{1, 0}}},
		"floats":    {npy("<f4", "3,", []float32{1.5, -2, 0}), NPY{Shape: []int{3}, Floats: []float32{1.5, -2, 0}}},
		"doubles":   {npy("<f8", "1, 2", []float64{0.1, -1e30}), NPY{Shape: []int{1, 2}, Floats: []float32{0.1, -1e30}}},
		"int64":     {npy("<i8", "2,", []int64{7, math.MaxUint32}), NPY{Shape: []int{2}, Ints: []uint32{7, math.MaxUint32}}},
		"int16":     {npy("<i2", "2,", []int16{7, 32767}), NPY{Shape: []int{2}, Ints: []uint32{7, 32767}}},
		"int8":      {npy("|i1", "2,", []int8{7, 127}), NPY{Shape: []int{2}, Bytes: []byte{7, 127}}},
		"uint32":    {npy("<u4", "1,", []uint32{math.MaxUint32}), NPY{Shape: []int{1}, Ints: []uint32{math.MaxUint32}}},
		"no sizes":  {npy("<f4", "", []float32{4}), NPY{Floats: []float32{4}}},
		"empty":     {npy("<f4", "0, 5"), NPY{Shape: []int{0, 5}}},
		"version 2": {append([]byte("\x93NUMPY\x02\x00"), append(binary.LittleEndian.AppendUint32(nil, 118), npy("|u1", "1,", []byte{9})[10:]...)...), NPY{Shape: []int{1}, Bytes: []byte{9}}},
	} {
		got, err := ReadNPY(bytes.NewReader(c.file))
		if err != nil || !slices.Equal(got.Shape, c.want.Shape) || !slices.Equal(got.Bytes, c.want.Bytes) || !slices.Equal(got.Floats, c.want.Floats) || !slices.Equal(got.Ints, c.want.Ints) {
			t.Errorf("%s: got %+v, %v; want %+v", name, got, err, c.want)
		}
	}
}

func TestReadNPYRefuses(t *testing.T) {
	good := npy("<f4", "2,", []float32{1, 2})
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"empty":         {nil, "offset 0: 0 bytes"},
		"magic":         {append([]byte("\x93NUMPZ"), good[6:]...), "offset 0"},
		"version":       {append([]byte("\x93NUMPY\x03\x00"), good[8:]...), "version 3.0"},
		"cut header":    {good[:50], "offset 10: 40 bytes of header, want 118"},
		"cut":           {good[:len(good)-1], "offset 128: 7 bytes of data, want 8"},
		"left over":     {append(slices.Clone(good), 0), "offset 136: bytes after the end"},
		"fortran":       {bytes.Replace(good, []byte("False"), []byte("True "), 1), "header"},
		"fortran order": {bytes.Replace(good, []byte("False,"), []byte("True, "), 1), "header"},
		"big-endian":    {npy(">f4", "1,", []float32{1}), `type ">f4"`},
		"object":        {npy("|O", "1,", []byte{0}), "header"},
		"strings":       {npy("<U5", "1,", make([]byte, 20)), `type "<U5"`},
		"negative":      {npy("<i8", "2,", []int64{1, -1}), "offset 136: -1, want a whole number from 0 on"},
		"negative i1":   {npy("|i1", "2,", []int8{1, -2}), "offset 129: -2, want a whole number from 0 on"},
		"negative i2":   {npy("<i2", "2,", []int16{1, -300}), "offset 130: -300, want a whole number from 0 on"},
		"large":         {npy("<u8", "1,", []uint64{1 << 32}), "offset 128: 4294967296, want a whole number up to 4294967295"},
		"no number":     {npy("<f4", "1,", []float32{float32(math.NaN())}), "offset 128: NaN"},
		"beyond":        {npy("<f8", "1,", []float64{1e39}), "offset 128: 1e+39"},
		"negative size": {npy("<f4", "-1,"), "header"},
		"overflow":      {npy("<f4", "4611686018427387904, 4"), "overflow"},
		"too large":     {npy("<f4", "9999999999999999999,"), "size 9999999999999999999"},
		"long header":   {append([]byte("\x93NUMPY\x02\x00"), 0xff, 0xff, 0xff, 0xff, '{'), "header of 4294967295 bytes"},
		"no dictionary": {append([]byte("\x93NUMPY\x01\x00"), 4, 0, 'a', 'b', 'c', 'd'), `header "abcd"`},
	} {
		if _, err := ReadNPY(bytes.NewReader(c.file)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, c.want)
		}
	}
	order := []byte(strings.Replace(string(good), "'fortran_order': False, 'shape': (2,), } ", "'fortran_order': True, 'shape': (2,), }  ", 1))
	if _, err := ReadNPY(bytes.NewReader(order)); err == nil || !strings.Contains(err.Error(), "Fortran order") {
		t.Errorf("Fortran order: got %v", err)
	}
}

// TestReadNPYMemory wants a header that speaks of much more than there is to cost nothing,
// and whole files no more than ReadNPY says.
func TestReadNPYMemory(t *testing.T) {
	const elements = 1 << 20
	for _, c := range []struct {
		kind  string
		size  int
		times int // the file's size
	}{{"|u1", 1, 2}, {"|b1", 1, 2}, {"|i1", 1, 2}, {"<u2", 2, 3}, {"<i2", 2, 3}, {"<u4", 4, 2}, {"<i8", 8, 2}, {"<f4", 4, 2}, {"<f8", 8, 2}} {
		for shape, good := range map[string]bool{fmt.Sprint(elements, ","): true, fmt.Sprint(elements+1, ","): false, "1099511627776,": false} {
			file := npy(c.kind, shape, make([]byte, elements*c.size))
			var err error
			used := allocated(func() { _, err = ReadNPY(bytes.NewReader(file)) })
			if good && err != nil || !good && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%s (%s): got %v", c.kind, shape, err)
			}
			if most := uint64(c.times*len(file) + 1<<20); used > most {
				t.Errorf("%s (%s): %d bytes allocated for a file of %d, want at most %d", c.kind, shape, used, len(file), most)
			}
		}
	}
}

func FuzzReadNPY(f *testing.F) {
	f.Add(npy("<f4", "2,", []float32{1, 2}))
	f.Add(npy("|u1", "2, 2", []byte{1, 2, 3, 4}))
	f.Add(npy("<i8", "1,", []int64{-7}))
	f.Add([]byte("\x93NUMPY\x02\x00\xff\xff\xff\xff{'descr'"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		a, err := ReadNPY(bytes.NewReader(b))
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > uint64(3*len(b)+1<<20) {
			t.Errorf("%d bytes were allocated for %d", used, len(b))
		}
		if err != nil {
			return
		}
		n, ok := product(a.Shape...)
		if !ok || len(a.Bytes)+len(a.Floats)+len(a.Ints) != n {
			t.Errorf("sizes %v, but %d, %d and %d elements", a.Shape, len(a.Bytes), len(a.Floats), len(a.Ints))
		}
	})
}

// npz writes a zip file of arrays.
func npz(t *testing.T, method uint16, arrays map[string][]byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "set.npz")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z := zip.NewWriter(f)
	for name, b := range arrays {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: method})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoadNPZ(t *testing.T) {
	images := func(n int) []byte { return npy("|u1", fmt.Sprintf("%d, 2, 3", n), make([]byte, 6*n)) }
	for name, c := range map[string]struct {
		arrays      map[string][]byte
		spec        Spec // of both but for the name
		first, rest int
	}{
		"images": {map[string][]byte{"x_train": images(3), "y_train": npy("<i8", "3,", []int64{0, 1, 0}), "x_test": images(2), "y_test": npy("|u1", "2, 1", []byte{2, 0})},
			Spec{Shape: []int{1, 2, 3}, DType: Uint8, Classes: []string{"0", "1", "2"}}, 3, 2},
		"numbers": {map[string][]byte{"x": npy("<f8", "4, 2", make([]float64, 8)), "y": npy("<f4", "4, 3", make([]float32, 12))},
			Spec{Shape: []int{2}, DType: Float32, Targets: 3}, 3, 1},
		"tokens": {map[string][]byte{"x": npy("<i4", "4, 5", make([]int32, 20)), "y": npy("<i4", "4,", []int32{0, 1, 1, 0})},
			Spec{Shape: []int{5}, DType: Uint32, Classes: []string{"0", "1"}}, 3, 1},
		"bools": {map[string][]byte{"x": npy("|b1", "4, 2", make([]byte, 8)), "y": npy("|b1", "4,", []byte{0, 1, 1, 0})},
			Spec{Shape: []int{2}, DType: Float32, Classes: []string{"0", "1"}}, 3, 1},
		"small tokens": {map[string][]byte{"x": npy("|i1", "4, 5", make([]byte, 20)), "y": npy("|i1", "4,", []byte{0, 1, 1, 0})},
			Spec{Shape: []int{5}, DType: Uint32, Classes: []string{"0", "1"}}, 3, 1},
		"other arrays": {map[string][]byte{"x": npy("|u1", "4, 5", make([]byte, 20)), "y": npy("|u1", "4,", []byte{0, 1, 1, 0}), "meta": npy("<U5", "1,", make([]byte, 20))},
			Spec{Shape: []int{5}, DType: Uint8, Classes: []string{"0", "1"}}, 3, 1},
	} {
		for method, packed := range map[uint16]string{zip.Store: "stored", zip.Deflate: "packed"} {
			t.Run(name+" "+packed, func(t *testing.T) {
				files := map[string][]byte{}
				for name, b := range c.arrays {
					files[name+".npy"] = b
				}
				train, test, err := LoadNPZ(npz(t, method, files), 0.25, 1)
				if err != nil {
					t.Fatal(err)
				}
				for _, half := range []struct {
					set Dataset
					n   int
				}{{train, c.first}, {test, c.rest}} {
					s := half.set.Spec()
					s.Name = ""
					if fmt.Sprint(s) != fmt.Sprint(c.spec) || all(t, half.set).Rows != half.n {
						t.Errorf("%d of %+v, want %d of %+v", half.set.Len(), s, half.n, c.spec)
					}
				}
			})
		}
	}
	x, y := npy("<f4", "2, 1", []float32{1, 2}), npy("|u1", "2,", []byte{0, 1})
	for name, c := range map[string]struct {
		files map[string][]byte
		want  string
	}{
		"missing":         {map[string][]byte{"x_train.npy": x, "y_train.npy": y, "x_test.npy": x}, "x_test, y_test: an array is missing"},
		"no y":            {map[string][]byte{"x.npy": x}, "x, y: an array is missing"},
		"other files":     {map[string][]byte{"x.txt": x}, "x_train, y_train: an array is missing"},
		"damaged":         {map[string][]byte{"x.npy": x[:100], "y.npy": y}, "x.npy"},
		"counts":          {map[string][]byte{"x.npy": x, "y.npy": npy("|u1", "3,", make([]byte, 3))}, "sizes [2 1] and [3]"},
		"one dimension":   {map[string][]byte{"x.npy": y, "y.npy": y}, "sizes [2] and [2]"},
		"two labels":      {map[string][]byte{"x.npy": x, "y.npy": npy("|u1", "2, 2", make([]byte, 4))}, "labels of sizes [2 2]"},
		"label too large": {map[string][]byte{"x.npy": x, "y.npy": npy("<u4", "2,", []uint32{0, 1 << 31})}, "label 2147483648"},
		"shapes": {map[string][]byte{"x_train.npy": x, "y_train.npy": y, "x_test.npy": npy("<f4", "2, 2", make([]float32, 4)), "y_test.npy": y},
			"has float32 inputs of [2] and 2 classes, want float32 inputs of [1]"},
	} {
		if _, _, err := LoadNPZ(npz(t, zip.Store, c.files), 0.5, 1); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, c.want)
		}
	}
	if _, _, err := LoadNPZ("nowhere.npz", 0.5, 1); err == nil || !strings.Contains(err.Error(), "nowhere.npz") {
		t.Errorf("a missing file: got %v", err)
	}
}

// TestLoadNPZImages wants of images with the channels last, as Keras has them, planes of
// the channels, and true as 1.
func TestLoadNPZImages(t *testing.T) {
	var last, first []byte
	var floats []float32
	for n := range 2 {
		for c := range 3 {
			for i := range 5 * 2 {
				first = append(first, byte(100*n+10*i+c))
			}
		}
		for i := range 5 * 2 {
			for c := range 3 {
				last = append(last, byte(100*n+10*i+c))
			}
		}
	}
	for _, v := range first {
		floats = append(floats, float32(v)/2)
	}
	half := func(all []byte) (of []float32) {
		for _, v := range all {
			of = append(of, float32(v)/2)
		}
		return of
	}
	y := npy("|u1", "2,", []byte{0, 1})
	for name, c := range map[string]struct {
		x    []byte
		spec string
		want Batch
	}{
		"bytes":          {npy("|u1", "2, 5, 2, 3", last), "uint8 inputs of [3 5 2]", Batch{Bytes: first}},
		"floats":         {npy("<f4", "2, 5, 2, 3", half(last)), "float32 inputs of [3 5 2]", Batch{Floats: floats}},
		"channels first": {npy("|u1", "2, 3, 5, 2", first), "uint8 inputs of [3 5 2]", Batch{Bytes: first}},
		"small":          {npy("|u1", "2, 4, 5, 3", slices.Repeat(last, 2)), "uint8 inputs of [4 5 3]", Batch{Bytes: slices.Repeat(last, 2)}},
		"bools":          {npy("|b1", "2, 3", []byte{0, 1, 0, 1, 1, 0}), "float32 inputs of [3]", Batch{Floats: []float32{0, 1, 0, 1, 1, 0}}},
	} {
		train, test, err := LoadNPZ(npz(t, zip.Store, map[string][]byte{"x_train.npy": c.x, "y_train.npy": y, "x_test.npy": c.x, "y_test.npy": y}), 0, 0)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, set := range []Dataset{train, test} {
			if b := all(t, set); !strings.HasPrefix(set.Spec().kind(), c.spec) || !slices.Equal(b.Bytes, c.want.Bytes) || !slices.Equal(b.Floats, c.want.Floats) {
				t.Errorf("%s: %s: %+v, want %s: %+v", name, set.Spec().kind(), b, c.spec, c.want)
			}
		}
	}
}

// TestReadNPZFileBomb wants arrays that say to be far larger than their file to be refused,
// unless nobody asks for them.
func TestReadNPZFileBomb(t *testing.T) {
	path := filepath.Join(t.TempDir(), "set.npz")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z := zip.NewWriter(f)
	if _, err := z.CreateRaw(&zip.FileHeader{Name: "x.npy", Method: zip.Deflate, UncompressedSize64: 200 << 30}); err != nil {
		t.Fatal(err)
	}
	if w, err := z.Create("y.npy"); err != nil {
		t.Fatal(err)
	} else if _, err := w.Write(npy("|u1", "1,", []byte{7})); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for _, names := range [][]string{nil, {"x"}, {"x", "y"}} {
		if _, err := ReadNPZFile(path, names...); err == nil || !strings.Contains(err.Error(), "arrays of 214748364800 bytes or more") {
			t.Errorf("%q: got %v", names, err)
		}
	}
	if _, err := ReadNPZFile(npz(t, zip.Store, map[string][]byte{"x.txt": nil})); err == nil || !strings.Contains(err.Error(), `"x.txt"`) {
		t.Errorf("another file: got %v", err)
	}
	if got, err := ReadNPZFile(path, "y", "z"); err != nil || len(got) != 1 || !slices.Equal(got["y"].Bytes, []byte{7}) {
		t.Errorf("one array: got %v, %v", got, err)
	}
}
