package safetensors

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"reflect"
	"testing"
)

// FuzzDecode holds Decode to its promises for any input: no panic, every error
// an ErrFormat, and what it accepts says the same to encoding/json and comes
// back from Encode.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(golden))
	for _, c := range malformed {
		f.Add(c.file)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := Decode(data)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatalf("got %v, want an ErrFormat", err)
			}
			return
		}
		checkAgainstJSON(t, data, got)
		for _, x := range got.Tensors {
			if _, err := x.elements(); err != nil {
				t.Fatal(err)
			}
			// These may refuse the type or a value, and must not panic.
			_, _ = x.Float32()
			_, _ = x.Uint32()
		}
		got.Seal()
		again, err := Decode(encode(t, got))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, again) {
			t.Fatalf("after Encode: got %v, want %v", again, got)
		}
		if err := again.CheckSeal(); err != nil {
			t.Fatal(err)
		}
	})
}

// checkAgainstJSON compares f with what encoding/json reads in data.
func checkAgainstJSON(t *testing.T, data []byte, f *File) {
	t.Helper()
	n := binary.LittleEndian.Uint64(data)
	body := data[8+n:]
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data[8:8+n], &members); err != nil {
		t.Fatalf("encoding/json: %v", err)
	}
	covered := 0
	for name, text := range members {
		if name == "__metadata__" {
			var want map[string]string
			if err := json.Unmarshal(text, &want); err != nil {
				t.Fatalf("encoding/json: %v", err)
			}
			if len(want) != len(f.Metadata) || len(want) > 0 && !reflect.DeepEqual(want, f.Metadata) {
				t.Fatalf("metadata: got %q, want %q", f.Metadata, want)
			}
			delete(members, name)
			continue
		}
		var want struct {
			DType   DType  `json:"dtype"`
			Shape   []int  `json:"shape"`
			Offsets [2]int `json:"data_offsets"`
		}
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatalf("encoding/json: %v", err)
		}
		if got := f.Tensors[name]; !reflect.DeepEqual(got, Tensor{want.DType, want.Shape, body[want.Offsets[0]:want.Offsets[1]]}) {
			t.Fatalf("tensor %q: got %v, want %v", name, got, want)
		}
		covered += want.Offsets[1] - want.Offsets[0]
	}
	if len(members) != len(f.Tensors) || covered != len(body) {
		t.Fatalf("got %d tensors over %d bytes, want %d over %d", len(f.Tensors), covered, len(members), len(body))
	}
}
