package train

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"

	"github.com/pumice-ml/pumice/train/data"
)

// fingerprint is the SHA-256 of a set's inputs and then its labels, of a byte each
// where there are 256 classes at most, or target numbers. It is an error of a set that
// does not hold what it says.
func fingerprint(set data.Dataset) (string, error) {
	h, spec := sha256.New(), set.Spec()
	if err := spec.Check(); err != nil {
		return "", fmt.Errorf("train: %w", err)
	}
	var ends, buffer []byte
	err := read(set, func(_ int, b *data.Batch) {
		buffer = append(buffer[:0], b.Bytes...)
		for _, v := range b.Floats {
			buffer = binary.LittleEndian.AppendUint32(buffer, math.Float32bits(v))
		}
		for _, v := range b.Ints {
			buffer = binary.LittleEndian.AppendUint32(buffer, v)
		}
		h.Write(buffer)
		for _, v := range b.Labels {
			if len(spec.Classes) <= 256 {
				ends = append(ends, byte(v))
			} else {
				ends = binary.LittleEndian.AppendUint32(ends, v)
			}
		}
		for _, v := range b.Targets {
			ends = binary.LittleEndian.AppendUint32(ends, math.Float32bits(v))
		}
	})
	h.Write(ends)
	return hex.EncodeToString(h.Sum(nil)), err
}
