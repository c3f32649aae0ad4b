package train

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/train/data"
)

// resident is a data set in device memory: bytes four to a word, numbers, or indices.
type resident struct {
	spec    data.Spec
	count   int // examples of the set
	room    int // examples that there is room for, the last ones zero
	inputs  *compute.Param
	targets *compute.Param // labels, or numbers
}

// newResident reads the whole set, and checks it. There is room for so many examples.
func newResident(set data.Dataset, room int) (*resident, error) {
	r := allocate(set.Spec(), room)
	r.count = set.Len()
	if _, blank := set.(data.Blank); blank {
		return r, nil // zeros are there already
	}
	return r, read(set, r.put)
}

// readBatch is how many examples are read from a set at once.
const readBatch = 256

// read gives visit all examples of a set, checked, in order.
func read(set data.Dataset, visit func(first int, b *data.Batch)) error {
	return readOrder(set, func(i int) int { return i }, set.Len(), visit)
}

// readOrder is read of count examples in an order: example says which each is.
func readOrder(set data.Dataset, example func(i int) int, count int, visit func(first int, b *data.Batch)) error {
	order := func(yield func(int) bool) {
		for i := 0; i < count && yield(example(i)); i++ {
		}
	}
	spec, at := set.Spec(), 0
	for b, err := range set.Batches(order, readBatch) {
		if err == nil {
			err = b.CheckOrder(spec, func(row int) int { return example(at + row) })
		}
		if err != nil {
			return fmt.Errorf("train: %w", err)
		}
		if at+b.Rows > count {
			return fmt.Errorf("train: %s gave more than the %d examples that it was asked for", spec.Name, count)
		}
		visit(at, b)
		at += b.Rows
	}
	if at != count {
		return fmt.Errorf("train: %s gave %d examples of the %d that it was asked for", spec.Name, at, count)
	}
	return nil
}

// allocate is a set of a number of examples, all zero.
func allocate(s data.Spec, count int) *resident {
	r := &resident{spec: s, count: count, room: count}
	switch inputs := "inputs of " + s.Name; s.DType {
	case data.Uint8:
		r.inputs = compute.NewParamU32(inputs, (count*s.Size()+3)/4)
	case data.Float32:
		r.inputs = compute.NewParam(inputs, count*s.Size())
	case data.Uint32:
		r.inputs = compute.NewParamU32(inputs, count*s.Size())
	}
	if s.Targets > 0 {
		r.targets = compute.NewParam("targets of "+s.Name, count*s.Targets)
	} else {
		r.targets = compute.NewParamU32("labels of "+s.Name, count)
	}
	r.inputs.Frozen, r.targets.Frozen = true, true
	return r
}

// put sets the examples from number first on.
func (r *resident) put(first int, b *data.Batch) {
	at := first * r.spec.Size()
	switch r.spec.DType {
	case data.Uint8:
		pack(r.inputs.Ints, at, b.Bytes)
	case data.Float32:
		copy(r.inputs.Data[at:], b.Floats)
	case data.Uint32:
		copy(r.inputs.Ints[at:], b.Ints)
	}
	if r.spec.Targets > 0 {
		copy(r.targets.Data[first*r.spec.Targets:], b.Targets)
	} else {
		copy(r.targets.Ints[first:], b.Labels)
	}
}

// pack sets bytes from number at on, of words that hold four each, the first one
// lowest.
func pack(words []uint32, at int, b []byte) {
	for len(b) > 0 {
		if whole := len(b) / 4; at%4 == 0 && whole > 0 {
			for i := range words[at/4:][:whole] {
				words[at/4+i] = binary.LittleEndian.Uint32(b[4*i:])
			}
			at, b = at+4*whole, b[4*whole:]
			continue
		}
		shift := 8 * (at % 4)
		words[at/4] = words[at/4]&^(255<<shift) | uint32(b[0])<<shift
		at, b = at+1, b[1:]
	}
}

// arrays are what the device holds of the set.
func (r *resident) arrays() []*compute.Param { return []*compute.Param{r.inputs, r.targets} }

// record records the runs that bring one batch to x (batch, shape...), bytes as
// byte/255, and y: labels (batch), or numbers (batch, targets). A batch is number step
// mod steps of the clock, counted from row first, in the random order of epoch step div
// steps where shuffled is set.
func (r *resident) record(t *compute.Tape, clock *compute.Param, first, batch, steps int, shuffled bool) (x, y *compute.Tensor) {
	count := r.room
	if shuffled { // of the set's own
		count = r.count
	}
	p := batchParams{
		Count: uint32(count), Size: uint32(r.spec.Size()), Batch: uint32(batch), Steps: uint32(steps), First: uint32(first),
		Bits: halfBits(count), Scale: 1.0 / 255,
	}
	if shuffled {
		p.Shuffled = 1
	}
	shape := append([]int{batch}, r.spec.Shape...)
	now, inputs, targets := t.Param(clock), t.Param(r.inputs), t.Param(r.targets)
	if y = t.NewU32(batch); r.spec.Targets > 0 {
		y = t.NewF32(batch, r.spec.Targets)
	}
	switch {
	case r.spec.DType == data.Uint8 && r.spec.Targets == 0:
		x = t.New(shape...)
		batchLoad.Run(p, now, inputs, targets, x, y)
		return x, y
	case r.spec.DType == data.Uint8:
		x = t.New(shape...)
		batchLoadBytes.Run(p, now, inputs, x)
	case r.spec.DType == data.Float32: // which f16 may not hold before a layer has scaled them
		x = t.NewF32(shape...)
		batchLoadFloats.Run(p, now, x, inputs)
	default:
		x = t.NewU32(shape...)
		batchLoadInts.Run(p, now, inputs, x)
	}
	if p.Size = 1; r.spec.Targets > 0 {
		p.Size = uint32(r.spec.Targets)
		batchLoadFloats.Run(p, now, y, targets)
	} else {
		batchLoadInts.Run(p, now, targets, y)
	}
	return x, y
}

// head records the run that brings the first rows of a batch to a tensor of their own.
func head(t *compute.Tape, clock *compute.Param, x *compute.Tensor, rows int) *compute.Tensor {
	all := x.Dim(0)
	p := batchParams{Count: uint32(all), Size: uint32(x.Len() / all), Batch: uint32(rows), Steps: 1, Bits: halfBits(all)}
	shape := append([]int{rows}, x.Shape()[1:]...)
	if x.DType() == compute.U32 {
		y := t.NewU32(shape...)
		batchLoadInts.Run(p, t.Param(clock), x, y)
		return y
	}
	y := t.New(shape...)
	if x.DType() == compute.F32 {
		y = t.NewF32(shape...)
	}
	batchLoadFloats.Run(p, t.Param(clock), y, x)
	return y
}

// halfBits is half the number of bits, rounded up, that the index of one of count rows
// has, and 1 at least.
func halfBits(count int) uint32 { return max(1, uint32(bits.Len(uint(count-1))+1)/2) }

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

// source is the row of the set that is row i of the batch.
func (p batchParams) source(clock []float64, i int) int {
	step, seed := uint32(clock[0]), uint32(clock[1])
	row := p.First + step%p.Steps*p.Batch + uint32(i)
	if p.Shuffled != 0 {
		row = permute(row, p.Count, p.Bits, seed, step/p.Steps)
	}
	return int(row)
}

// load: x = byte * scale has one rounding.
var batchLoad = compute.NewKernel("batch.load", func(p batchParams, b [][]float64) {
	clock, pixels, labels, x, y := b[0], b[1], b[2], b[3], b[4]
	for i := range y {
		y[i] = labels[p.source(clock, i)]
	}
	p.scaled(clock, pixels, x)
}, compute.Exact)

var batchLoadBytes = compute.NewKernel("batch.load_bytes", func(p batchParams, b [][]float64) {
	p.scaled(b[0], b[1], b[2])
}, compute.Exact)

var batchLoadFloats = compute.NewKernel("batch.load_floats", func(p batchParams, b [][]float64) {
	p.copied(b[0], b[2], b[1])
}, compute.Exact)

var batchLoadInts = compute.NewKernel("batch.load_ints", func(p batchParams, b [][]float64) {
	p.copied(b[0], b[1], b[2])
}, compute.Exact)

// scaled brings bytes * scale to the rows of x.
func (p batchParams) scaled(clock, pixels, x []float64) {
	for i := range int(p.Batch) {
		row := uint32(p.source(clock, i))
		for j := range p.Size {
			x[uint32(i)*p.Size+j] = float64(byteAt(pixels, row*p.Size+j)) * float64(p.Scale)
		}
	}
}

// copied brings elements to the rows of y.
func (p batchParams) copied(clock, from, y []float64) {
	for i, size := 0, int(p.Size); i < int(p.Batch); i++ {
		row := p.source(clock, i)
		copy(y[i*size:(i+1)*size], from[row*size:(row+1)*size])
	}
}

func byteAt(words []float64, i uint32) uint32 {
	return uint32(words[i/4]) >> (8 * (i % 4)) & 255
}

type clockParams struct{ By uint32 }

// clockTick ends a step: the clock counts it.
var clockTick = compute.NewKernel("clock.tick", func(p clockParams, b [][]float64) {
	b[0][0] = float64(uint32(b[0][0]) + p.By)
}, compute.Exact)
