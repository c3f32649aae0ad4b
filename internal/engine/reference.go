package engine

import (
	"context"
	"math"
	"sync"

	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/internal/webgpu"
)

// Reference returns the device that runs the kernels' definitions in float64:
// the meaning of every program, and the path for a machine without a GPU.
// Parameters are float32 there too: what a kernel writes to one is rounded, so
// that a checkpoint holds all there is.
func Reference() *Device {
	limits := webgpu.DefaultLimits
	limits.StorageBindingSize, limits.BufferSize = 1<<40, 1<<40
	d := newDevice(ir.Info{Name: "reference", Vendor: "gonum", Driver: "gonum", Backend: "gonum", Type: "cpu", Limits: limits})
	d.Engine = &reference{}
	return d
}

// reference runs one program at a time: definitions share the parameters.
type reference struct{ mu sync.Mutex }

func (e *reference) Alloc(label string, dtype ir.DType, n int) (*Buffer, error) {
	return &Buffer{Label: label, DType: dtype, N: n, Host: make([]float64, n)}, nil
}

func (e *reference) free(b *Buffer) { b.Host = nil }

func (e *reference) close() {}

func (e *reference) wait(ctx context.Context) error { return ctx.Err() }

func (e *reference) Write(b *Buffer, words []uint32) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	FromWords(b.Host, words, b.DType)
	return nil
}

func (e *reference) Read(b *Buffer) (Pending, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	words := make([]uint32, b.N)
	for i, v := range b.Host {
		if b.DType == ir.U32 {
			words[i] = uint32(v)
		} else {
			words[i] = math.Float32bits(float32(v))
		}
	}
	return done(words), nil
}

type done []uint32

func (r done) Wait(ctx context.Context, dst []uint32) error {
	copy(dst, r)
	return ctx.Err()
}

// FromWords sets dst to the elements whose bits are words.
func FromWords(dst []float64, words []uint32, dtype ir.DType) {
	for i, w := range words {
		if dtype == ir.U32 {
			dst[i] = float64(w)
		} else {
			dst[i] = float64(math.Float32frombits(w))
		}
	}
}

func (e *reference) Build(list []ir.Dispatch, buffers func(*ir.Slot) *Buffer, _ bool) (Runner, error) {
	r := &referenceRunner{eng: e, list: list}
	zeroed := map[*ir.Slot]bool{}
	for _, d := range list {
		var bound []*Buffer
		for _, x := range d.Tensors {
			b := buffers(x.Base())
			bound = append(bound, b)
			if x.Base().Zeroed && !zeroed[x.Base()] {
				zeroed[x.Base()] = true
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
	list  []ir.Dispatch
	bound [][]*Buffer
	views [][][]float64
	zeros []*Buffer
}

func (r *referenceRunner) Run(ctx context.Context) error {
	r.eng.mu.Lock()
	defer r.eng.mu.Unlock()
	for _, b := range r.zeros {
		clear(b.Host)
	}
	for i := range r.list {
		r.dispatch(i)
	}
	return nil
}

func (r *referenceRunner) Step(i int) error {
	r.eng.mu.Lock()
	defer r.eng.mu.Unlock()
	r.dispatch(i)
	return nil
}

func (r *referenceRunner) dispatch(i int) {
	d := &r.list[i]
	view := r.views[i]
	for j, b := range r.bound[i] {
		view[j] = b.Host
	}
	d.Kernel.Define(d.Params, view)
	for j, b := range r.bound[i] {
		if d.Writes(j) && b.round {
			for k, v := range b.Host {
				b.Host[k] = float64(float32(v))
			}
		}
	}
}

func (r *referenceRunner) Release() {}
