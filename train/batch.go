package train

import (
	"math/bits"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/train/data"
)

// resident is a data set in device memory, as bytes.
type resident struct {
	set            *data.Set
	pixels, labels *compute.Param
}

func newResident(set *data.Set) *resident {
	return &resident{set, packed("pixels of "+set.Name, set.Pixels), packed("labels of "+set.Name, set.Labels)}
}

// packed puts four bytes in a word, the first one lowest.
func packed(name string, b []byte) *compute.Param {
	p := compute.NewParamU32(name, (len(b)+3)/4)
	for i, v := range b {
		p.Ints[i/4] |= uint32(v) << (8 * (i % 4))
	}
	return p
}

// record records the run that brings one batch to x (batch, channels, height,
// width), as pixels/255, and y (batch). A batch is number step mod steps of the
// clock, counted from row first, in the random order of epoch step div steps
// where shuffled is set.
func (r *resident) record(t *compute.Tape, clock *compute.Param, first, batch, steps int, shuffled bool) (x, y *compute.Tensor) {
	s := r.set
	size := s.Channels * s.Height * s.Width
	p := batchParams{
		Count: uint32(s.Len()), Size: uint32(size), Batch: uint32(batch), Steps: uint32(steps), First: uint32(first),
		Bits: max(1, uint32(bits.Len(uint(s.Len()-1))+1)/2), Scale: 1.0 / 255,
	}
	if shuffled {
		p.Shuffled = 1
	}
	x, y = t.New(batch, s.Channels, s.Height, s.Width), t.NewU32(batch)
	batchLoad.Run(p, t.Param(clock), t.Param(r.pixels), t.Param(r.labels), x, y)
	return x, y
}

type batchParams struct {
	Count, Size, Batch, Steps, First, Bits, Shuffled uint32
	Scale                                            float32
}

// permute is a keyed permutation of 0..set-1: a Feistel network of four rounds
// over 2*bits bits, walked until it comes back below set.
func permute(i, set, bits, seed, epoch uint32) uint32 {
	mask := uint32(1)<<bits - 1
	for {
		left, right := i>>bits, i&mask
		for turn := range uint32(4) {
			left, right = right, left^(scramble(seed, epoch, turn, right)&mask)
		}
		i = left<<bits | right
		if i < set {
			return i
		}
	}
}

// scramble is one word of pcg4d (see compute.RandomBits).
func scramble(seed, epoch, turn, half uint32) uint32 {
	v := [4]uint32{seed, epoch, turn, half}
	for i := range v {
		v[i] = v[i]*1664525 + 1013904223
	}
	v[0] += v[1] * v[3]
	v[1] += v[2] * v[0]
	v[2] += v[0] * v[1]
	v[3] += v[1] * v[2]
	for i := range v {
		v[i] ^= v[i] >> 16
	}
	return v[0] + v[1]*v[3]
}

// load: x = byte * scale has one rounding.
var batchLoad = compute.NewKernel("batch.load", func(p batchParams, b [][]float64) {
	step, seed := uint32(b[0][0]), uint32(b[0][1])
	pixels, labels, x, y := b[1], b[2], b[3], b[4]
	for i := range y {
		row := p.First + step%p.Steps*p.Batch + uint32(i)
		if p.Shuffled != 0 {
			row = permute(row, p.Count, p.Bits, seed, step/p.Steps)
		}
		y[i] = float64(byteAt(labels, row))
		for j := range p.Size {
			x[uint32(i)*p.Size+j] = float64(byteAt(pixels, row*p.Size+j)) * float64(p.Scale)
		}
	}
}, compute.Exact)

func byteAt(words []float64, i uint32) uint32 {
	return uint32(words[i/4]) >> (8 * (i % 4)) & 255
}

type clockParams struct{ By uint32 }

// clockTick ends a step: the clock counts it.
var clockTick = compute.NewKernel("clock.tick", func(p clockParams, b [][]float64) {
	b[0][0] = float64(uint32(b[0][0]) + p.By)
}, compute.Exact)
