package safetensors

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
)

// sealKey is where Seal stores the checksum.
const sealKey = "sha256"

var (
	// ErrUnsealed is what errors.Is finds when CheckSeal meets a file without
	// a seal.
	ErrUnsealed = errors.New("no seal in the metadata")
	// ErrSeal is what errors.Is finds when CheckSeal meets tensors that are
	// not those that were sealed.
	ErrSeal = errors.New("the tensors are not those that were sealed")
)

// Sum returns the SHA-256, in lower-case hexadecimal, of f's canonical
// encoding without metadata: the same for two Files exactly when they hold the
// same names, types, shapes and bytes. It panics if a tensor's fields disagree
// or its name cannot be encoded, which is never so in a File from Decode.
func (f *File) Sum() string {
	sum, err := f.sum()
	if err != nil {
		panic(fmt.Sprintf("safetensors: Sum: %v", err))
	}
	return sum
}

func (f *File) sum() (string, error) {
	tensors := File{Tensors: f.Tensors}
	header, names, err := tensors.header()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	if err := tensors.write(h, header, names); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Seal stores f.Sum() in f.Metadata["sha256"]. The other metadata are not
// sealed: what must not change belongs in a tensor. It panics where Sum does.
func (f *File) Seal() {
	sum := f.Sum()
	if f.Metadata == nil {
		f.Metadata = make(map[string]string)
	}
	f.Metadata[sealKey] = sum
}

// CheckSeal returns nil if the tensors are those that Seal saw, an error that
// is ErrUnsealed if f has no seal, and one that is ErrSeal if they differ.
func (f *File) CheckSeal() error {
	want, ok := f.Metadata[sealKey]
	if !ok {
		return fmt.Errorf("safetensors: CheckSeal: %w", ErrUnsealed)
	}
	got, err := f.sum()
	if err != nil {
		return fmt.Errorf("safetensors: CheckSeal: %w", err)
	}
	if got != want {
		return fmt.Errorf("safetensors: CheckSeal: %w: got SHA-256 %s, want %s", ErrSeal, got, quote(want))
	}
	return nil
}
