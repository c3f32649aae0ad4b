package engine

import (
	"context"
	"fmt"

	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/internal/webgpu"
)

// reader is one stage of read-back: a copy of a buffer followed by the nonce.
// A result counts only with the nonce that was written just before, which the
// device copies after all earlier work.
type reader struct {
	eng   *GPU
	from  *Buffer
	stage *webgpu.Buffer
	plan  *webgpu.Plan
	nonce uint32
	words []uint32
}

func (r *reader) release() {
	r.plan.Release()
	r.stage.Release()
}

func (e *GPU) Read(b *Buffer) (Pending, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var r *reader
	if n := len(b.readers); n > 0 {
		r, b.readers = b.readers[n-1], b.readers[:n-1]
	} else {
		size := uint64(ir.Bytes(b.DType, b.N)+3) / 4 * 4
		stage, err := e.dev.NewBuffer(b.Label+" read-back", size+4, webgpu.Staging)
		if err != nil {
			return nil, err
		}
		copies := []webgpu.Command{{Src: e.nonces, Dst: stage, DstOffset: size, Size: 4}}
		if size > 0 {
			copies = append([]webgpu.Command{{Src: b.gpu, SrcOffset: uint64(ir.Bytes(b.DType, b.Offset)), Dst: stage, Size: size}}, copies...)
		}
		plan, err := e.dev.NewPlan(copies)
		if err != nil {
			stage.Release()
			return nil, err
		}
		r = &reader{eng: e, from: b, stage: stage, plan: plan, words: make([]uint32, size/4+1)}
	}
	e.nonce++
	r.nonce = e.nonce
	if err := e.dev.Write(e.nonces, 0, asBytes([]uint32{r.nonce})); err != nil {
		r.release()
		return nil, err
	}
	if err := e.submit(r.plan, 0, 1+min(b.N, 1)); err != nil {
		r.release()
		return nil, err
	}
	return r, nil
}

func (r *reader) Wait(ctx context.Context, dst []uint32) error {
	err := r.eng.dev.Read(ctx, r.stage, asBytes(r.words))
	last := len(r.words) - 1
	if err == nil && r.words[last] != r.nonce {
		err = fmt.Errorf("read-back of %s holds nonce %d, want %d: the driver reported work as done that is not: %w", r.from.Label, r.words[last], r.nonce, ir.ErrDeviceLost)
	}
	if err != nil {
		r.release()
		return err
	}
	if r.from.DType == ir.F16 {
		ir.UnpackF16(dst[:min(len(dst), r.from.N)], r.words)
	} else {
		copy(dst, r.words[:last])
	}
	r.eng.mu.Lock()
	defer r.eng.mu.Unlock()
	r.from.readers = append(r.from.readers, r)
	return nil
}
