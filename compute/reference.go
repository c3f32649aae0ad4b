package compute

import (
	"context"
	"math"
	"sync"

	"github.com/pumice-ml/pumice/internal/webgpu"
)

// Reference returns the device that runs the kernels' definitions in float64:
// the meaning of every program, and the path for a machine without a GPU.
// Parameters are float32 there too: what a kernel writes to one is rounded, so
// that a checkpoint holds all there is.
func Reference() *Device {
	limits := webgpu.DefaultLimits
	limits.StorageBindingSize, limits.BufferSize = 1<<40, 1<<40
	d := newDevice(Info{Name: "reference", Vendor: "gonum", Driver: "gonum", Backend: "gonum", Type: "cpu", Limits: limits})
	d.eng = &reference{}
	return d
}

// reference runs one program at a time: definitions share the parameters.
type reference struct{ mu sync.Mutex }

func (e *reference) alloc(label string, dtype DType, n int) (*buffer, error) {
	return &buffer{label: label, dtype: dtype, n: n, host: make([]float64, n)}, nil
}

func (e *reference) free(b *buffer) { b.host = nil }

func (e *reference) close() {}

func (e *reference) wait(ctx context.Context) error { return ctx.Err() }

func (e *reference) write(b *buffer, words []uint32) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	fromWords(b.host, words, b.dtype)
	return nil
}

func (e *reference) read(b *buffer) (pending, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	words := make([]uint32, b.n)
	for i, v := range b.host {
		if b.dtype == U32 {
			words[i] = uint32(v)
		} else {
			words[i] = math.Float32bits(float32(v))
		}
	}
	return done(words), nil
}

type done []uint32

func (r done) wait(ctx context.Context, dst []uint32) error {
	copy(dst, r)
	return ctx.Err()
}

// fromWords sets dst to the elements whose bits are words.
func fromWords(dst []float64, words []uint32, dtype DType) {
	for i, w := range words {
		if dtype == U32 {
			dst[i] = float64(w)
		} else {
			dst[i] = float64(math.Float32frombits(w))
		}
	}
}

func (e *reference) build(list []Dispatch, buffers func(*slot) *buffer, _ bool) (runner, error) {
	r := &referenceRunner{eng: e, list: list}
	zeroed := map[*slot]bool{}
	for _, d := range list {
		var bound []*buffer
		for _, x := range d.Tensors {
			b := buffers(x.base)
			bound = append(bound, b)
			if x.base.zeroed && !zeroed[x.base] {
				zeroed[x.base] = true
				r.zeros = append(r.zeros, b)
			}
		}
		r.bound = append(r.bound, bound)
		r.views = append(r.views, make([][]float64, len(bound)))
	}
	return r, nil
}

// referenceRunner runs the recorded list as it is.
type referenceRunner struct {
	eng   *reference
	list  []Dispatch
	bound [][]*buffer
	views [][][]float64
	zeros []*buffer
}

func (r *referenceRunner) run(ctx context.Context) error {
	r.eng.mu.Lock()
	defer r.eng.mu.Unlock()
	for _, b := range r.zeros {
		clear(b.host)
	}
	for i := range r.list {
		r.dispatch(i)
	}
	return nil
}

func (r *referenceRunner) step(i int) error {
	r.eng.mu.Lock()
	defer r.eng.mu.Unlock()
	r.dispatch(i)
	return nil
}

func (r *referenceRunner) dispatch(i int) {
	d := &r.list[i]
	view := r.views[i]
	for j, b := range r.bound[i] {
		view[j] = b.host
	}
	d.Kernel.define(d.Params, view)
	for j, b := range r.bound[i] {
		if d.writes(j) && b.round {
			for k, v := range b.host {
				b.host[k] = float64(float32(v))
			}
		}
	}
}

func (r *referenceRunner) release() {}
