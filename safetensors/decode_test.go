package safetensors

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// raw joins a header and data into a file.
func raw(header, data string) []byte {
	return append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...), data...)
}

// Every rule of the format with a file that breaks it. Offsets count from the
// start of the file: the header's first byte is at 8.
var malformed = []struct {
	name string
	file []byte
	want string
}{
	{"empty file", nil, "offset 0: got a file of 0 bytes, want at least 8"},
	{"seven bytes", make([]byte, 7), "offset 0: got a file of 7 bytes"},
	{"no header", make([]byte, 8), "offset 8: got the end of the header, want '{'"},
	{"header past end", []byte("\x03\x00\x00\x00\x00\x00\x00\x00{}"), "offset 0: got a header of 3 bytes, want at most the 2"},
	{"header too large", []byte("\x01\xe1\xf5\x05\x00\x00\x00\x00{}"), "offset 0: got a header of 100000001 bytes, want at most 100000000"},
	{"header huge", []byte("\xff\xff\xff\xff\xff\xff\xff\xff{}"), "offset 0: got a header of 18446744073709551615 bytes"},
	{"leading space", raw(" {}", ""), "offset 8: got ' ', want '{'"},
	{"byte order mark", raw("\ufeff{}", ""), "offset 8: got byte 0xef, want '{'"},
	{"array", raw("[]", ""), "offset 8: got '[', want '{'"},
	{"unfinished", raw("{", ""), "offset 9: got the end of the header"},
	{"trailing garbage", raw("{} x", ""), "offset 11: got 'x', want spaces"},
	{"trailing newline", raw("{}\n", ""), `offset 10: got '\n', want spaces`},
	{"trailing zero", raw("{}\x00", ""), `offset 10: got '\x00', want spaces`},
	{"second object", raw("{}{}", ""), "offset 10: got '{', want spaces"},
	{"trailing comma", raw(`{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},}`, ""), `offset 61: got '}', want '"'`},
	{"no comma", raw(`{"__metadata__":{} "a":{}}`, ""), `offset 27: got '"', want ',' or '}'`},
	{"no colon", raw(`{"a"{}}`, ""), "offset 12: got '{', want ':'"},
	{"key no string", raw(`{a:{}}`, ""), `offset 9: got 'a', want '"'`},
	{"tensor no object", raw(`{"a":3}`, ""), `offset 13: tensor "a": got '3', want '{'`},
	{"tensor null", raw(`{"a":null}`, ""), `offset 13: tensor "a": got 'n', want '{'`},
	{"unfinished string", raw(`{"a`, ""), `offset 11: got the end of the header, want '"'`},

	{"not UTF-8", raw("{\"a\xff\":{}}", ""), "offset 11: got byte 0xff, which is not UTF-8"},
	{"overlong UTF-8", raw("{\"\xc0\xaf\":{}}", ""), "offset 10: got byte 0xc0, which is not UTF-8"},
	{"surrogate in UTF-8", raw("{\"\xed\xa0\x80\":{}}", ""), "offset 10: got byte 0xed, which is not UTF-8"},
	{"control character", raw("{\"a\n\":{}}", ""), "offset 11: got control character 0x0a"},
	{"bad escape", raw(`{"\x":{}}`, ""), "offset 10: got a bad escape"},
	{"short escape", raw(`{"\u00`, ""), "offset 10: got a bad escape"},
	{"cut escape", raw(`{"\`, ""), "offset 10: got an unfinished escape"},
	{"bad hex", raw(`{"\u00g0":{}}`, ""), "offset 10: got a bad escape"},
	{"lone high surrogate", raw(`{"\ud800":{}}`, ""), "offset 10: got half a surrogate pair"},
	{"lone low surrogate", raw(`{"\udc00":{}}`, ""), "offset 10: got half a surrogate pair"},
	{"high surrogate twice", raw(`{"\ud800\ud800":{}}`, ""), "offset 10: got half a surrogate pair"},

	{"duplicate tensor", raw(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, "xx"),
		`offset 61: tensor "a": got duplicate key "a"`},
	{"duplicate by escape", raw(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"\u0061":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, "xx"),
		`offset 61: tensor "a": got duplicate key "a"`},
	{"duplicate metadata", raw(`{"__metadata__":{},"__metadata\u005f_":{}}`, ""), `offset 27: got duplicate key "__metadata__"`},
	{"duplicate metadata key", raw(`{"__metadata__":{"k":"1","\u006b":"2"}}`, ""), `offset 33: got duplicate key "k"`},
	{"duplicate dtype", raw(`{"a":{"dtype":"U8","d\u0074ype":"U8","shape":[0],"data_offsets":[0,0]}}`, ""), `offset 27: tensor "a": got duplicate key "dtype"`},
	{"duplicate shape", raw(`{"a":{"shape":[0],"shape":[0],"dtype":"U8","data_offsets":[0,0]}}`, ""), `offset 26: tensor "a": got duplicate key "shape"`},
	{"duplicate offsets", raw(`{"a":{"data_offsets":[0,0],"data_offsets":[0,0]}}`, ""), `offset 35: tensor "a": got duplicate key "data_offsets"`},
	{"unknown key", raw(`{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"order":"F"}}`, ""), `offset 60: tensor "a": got key "order", want dtype`},
	{"key in capitals", raw(`{"a":{"DType":"U8"}}`, ""), `offset 14: tensor "a": got key "DType"`},
	{"empty key", raw(`{"a":{"":"U8"}}`, ""), `offset 14: tensor "a": got key ""`},
	{"empty tensor", raw(`{"a":{}}`, ""), `offset 13: tensor "a": got no "dtype"`},
	{"no shape", raw(`{"a":{"dtype":"U8","data_offsets":[0,0]}}`, ""), `tensor "a": got no "shape"`},
	{"no offsets", raw(`{"a":{"dtype":"U8","shape":[0]}}`, ""), `tensor "a": got no "data_offsets"`},

	{"metadata number", raw(`{"__metadata__":{"step":7}}`, ""), `offset 32: got '7', want '"'`},
	{"metadata null", raw(`{"__metadata__":null}`, ""), "offset 24: got 'n', want '{'"},
	{"metadata nested", raw(`{"__metadata__":{"a":{}}}`, ""), `offset 29: got '{', want '"'`},

	{"unknown dtype", raw(`{"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}`, "x"), `offset 22: tensor "a": got dtype "F8_E4M3", want one of [U64`},
	{"dtype in small letters", raw(`{"a":{"dtype":"f32","shape":[1],"data_offsets":[0,4]}}`, "xxxx"), `got dtype "f32"`},
	{"dtype number", raw(`{"a":{"dtype":1}}`, ""), `offset 22: tensor "a": got '1', want '"'`},

	{"shape number", raw(`{"a":{"shape":1}}`, ""), `offset 22: tensor "a": got '1', want '['`},
	{"shape nested", raw(`{"a":{"shape":[[1]]}}`, ""), `offset 23: tensor "a": got '[', want a whole number`},
	{"shape trailing comma", raw(`{"a":{"shape":[1,]}}`, ""), `offset 25: tensor "a": got ']', want a whole number`},
	{"shape string", raw(`{"a":{"shape":["1"]}}`, ""), `offset 23: tensor "a": got '"', want a whole number`},
	{"negative", raw(`{"a":{"shape":[-1]}}`, ""), `offset 23: tensor "a": got '-', want a whole number`},
	{"negative zero", raw(`{"a":{"shape":[-0]}}`, ""), `offset 23: tensor "a": got '-'`},
	{"plus", raw(`{"a":{"shape":[+1]}}`, ""), `offset 23: tensor "a": got '+'`},
	{"fraction", raw(`{"a":{"shape":[1.5]}}`, ""), `offset 23: tensor "a": got a fraction or an exponent`},
	{"whole fraction", raw(`{"a":{"shape":[1.0]}}`, ""), `offset 23: tensor "a": got a fraction or an exponent`},
	{"exponent", raw(`{"a":{"shape":[1e3]}}`, ""), `offset 23: tensor "a": got a fraction or an exponent`},
	{"leading zero", raw(`{"a":{"shape":[01]}}`, ""), `offset 23: tensor "a": got a leading zero`},
	{"2^63", raw(`{"a":{"shape":[9223372036854775808]}}`, ""), `offset 23: tensor "a": got a number that is too large`},
	{"2^64+1", raw(`{"a":{"shape":[18446744073709551617]}}`, ""), `offset 23: tensor "a": got a number that is too large`},
	{"product overflow", raw(`{"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, ""), `offset 35: tensor "a": got a shape whose product overflows`},
	{"product overflow before 0", raw(`{"a":{"dtype":"U8","shape":[4294967296,4294967296,0],"data_offsets":[0,0]}}`, ""), `tensor "a": got a shape whose product overflows`},
	{"bytes overflow", raw(`{"a":{"dtype":"F64","shape":[4611686018427387904],"data_offsets":[0,0]}}`, ""), `tensor "a": got 4611686018427387904 elements of F64`},

	{"size too small", raw(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,7]}}`, "xxxxxxx"), `offset 55: tensor "a": got data_offsets [0,7], want 8 bytes for 2 elements of F32`},
	{"offsets reversed", raw(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}}`, "x"), `tensor "a": got data_offsets [1,0], want 1 bytes`},
	{"offsets one", raw(`{"a":{"data_offsets":[0]}}`, ""), `offset 31: tensor "a": got ']', want ','`},
	{"offsets three", raw(`{"a":{"data_offsets":[0,1,2]}}`, ""), `offset 33: tensor "a": got ',', want ']'`},
	{"offset negative", raw(`{"a":{"data_offsets":[-1,0]}}`, ""), `offset 30: tensor "a": got '-'`},
	{"past the end", raw(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}`, "x"), `tensor "a": got data_offsets [0,2], want at most the 1 bytes`},
	{"far past the end", raw(`{"a":{"dtype":"U8","shape":[9223372036854775807],"data_offsets":[0,9223372036854775807]}}`, "x"), `tensor "a": got data_offsets [0,9223372036854775807]`},
	{"hole at start", raw(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, "xx"), `offset 9: tensor "a": got data from 1 (a hole before it), want from 0`},
	{"hole", raw(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}`, "xxx"),
		`offset 61: tensor "b": got data from 2 (a hole before it), want from 1`},
	{"overlap", raw(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`, "xxx"),
		`offset 61: tensor "b": got data from 1 (an overlap), want from 2`},
	{"shared data", raw(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, "x"), "(an overlap)"},
	{"empty inside another", raw(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[0],"data_offsets":[1,1]}}`, "xx"), `tensor "b": got data from 1 (an overlap)`},
	{"data left over", raw(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, "xy"), "offset 62: got 1 more bytes of data, want the end of the file"},
	{"data without tensors", raw(`{}`, "x"), "offset 10: got 1 more bytes of data"},
}

func TestDecodeRefuses(t *testing.T) {
	for _, c := range malformed {
		t.Run(c.name, func(t *testing.T) {
			f, err := Decode(c.file)
			if err == nil {
				t.Fatalf("got %v, want an error with %s", f, c.want)
			}
			if !errors.Is(err, ErrFormat) {
				t.Errorf("got %v, want an ErrFormat", err)
			}
			if !strings.HasPrefix(err.Error(), "safetensors: Decode: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

// ReadFile reads by its own path, which must be as strict as Decode's.
func TestReadFileRefuses(t *testing.T) {
	for _, c := range malformed {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "bad.safetensors")
			if err := os.WriteFile(path, c.file, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := ReadFile(path)
			if !errors.Is(err, ErrFormat) {
				t.Fatalf("got %v, want an ErrFormat", err)
			}
			if !strings.HasPrefix(err.Error(), "safetensors: ReadFile: "+path) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestReadFileErrors(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "missing")
	if _, err := ReadFile(missing); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), missing) {
		t.Errorf("missing: got %v, want os.ErrNotExist and the path", err)
	}
	if _, err := ReadFile(dir); err == nil || !strings.Contains(err.Error(), "want a regular file") {
		t.Errorf("folder: got %v, want an error", err)
	}
}

// An apparent size of 64 GB costs nothing when the header is wrong.
func TestReadFileSparse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sparse")
	if err := os.WriteFile(path, []byte(golden), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 1<<36); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFile(path); !errors.Is(err, ErrFormat) {
		t.Errorf("got %v, want an ErrFormat", err)
	}
}

// Any cut of a good file is refused, and every byte of its header counts.
func TestDecodeTruncated(t *testing.T) {
	for n := range len(golden) {
		if _, err := Decode([]byte(golden[:n])); !errors.Is(err, ErrFormat) {
			t.Errorf("first %d bytes: got %v, want an ErrFormat", n, err)
		}
	}
	if _, err := Decode([]byte(golden + "\x00")); !errors.Is(err, ErrFormat) {
		t.Errorf("one byte more: got %v, want an ErrFormat", err)
	}
}

// Legal files that a too strict reader would refuse.
func TestDecodeAccepts(t *testing.T) {
	for _, c := range []struct {
		name string
		file []byte
		want File
	}{
		{"white space", raw("{ \"a\" : { \"dtype\" :\t\"U8\" ,\r\n \"shape\" : [ 1 , 2 ] , \"data_offsets\" : [ 0 , 2 ] } }  ", "xy"),
			File{Tensors: map[string]Tensor{"a": {U8, []int{1, 2}, []byte("xy")}}}},
		{"scalar", raw(`{"a":{"shape":[],"dtype":"BOOL","data_offsets":[0,1]}}`, "\x01"),
			File{Tensors: map[string]Tensor{"a": {BOOL, []int{}, []byte{1}}}}},
		{"empty name", raw(`{"":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, "x"),
			File{Tensors: map[string]Tensor{"": {U8, []int{1}, []byte("x")}}}},
		{"escaped names", raw(`{"\u0061\ud83d\ude00\/":{"dt\u0079pe":"\u00558","shape":[1],"data_offsets":[0,1]},"__metadata__":{"\n":"\"\\"}}`, "x"),
			File{map[string]string{"\n": `"\`}, map[string]Tensor{"a😀/": {U8, []int{1}, []byte("x")}}}},
		{"empty tensors at one offset", raw(`{"z":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"F32","shape":[0,2147483647],"data_offsets":[0,0]},"a":{"dtype":"F32","shape":[2,0],"data_offsets":[1,1]}}`, "x"),
			File{Tensors: map[string]Tensor{"z": {U8, []int{1}, []byte("x")}, "b": {F32, []int{0, 2147483647}, []byte{}}, "a": {F32, []int{2, 0}, []byte{}}}}},
		{"any order", raw(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[2,3]},"b":{"dtype":"U16","shape":[1],"data_offsets":[0,2]}}`, "xyz"),
			File{Tensors: map[string]Tensor{"a": {U8, []int{1}, []byte("z")}, "b": {U16, []int{1}, []byte("xy")}}}},
		{"empty metadata", raw(`{"__metadata__":{}}`, ""), File{Tensors: map[string]Tensor{}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Decode(c.file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A name of any length or content must not swell or garble the error.
func TestErrorIsShort(t *testing.T) {
	for _, name := range []string{strings.Repeat("a", 1e6), strings.Repeat("é", 1e5), "\u202e\u009b31m\x7f"} {
		_, err := Decode(raw(`{"`+name+`":{"`+name+`":1}}`, ""))
		if !errors.Is(err, ErrFormat) {
			t.Fatalf("got %v, want an ErrFormat", err)
		}
		if text := err.Error(); len(text) > 500 || strings.ContainsAny(text, "\u202e\u009b\x7f") {
			t.Errorf("got %d bytes %.500q, want at most 500, printable", len(text), text)
		}
	}
}
