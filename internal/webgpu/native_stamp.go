//go:build cgo && !js

package webgpu

/*
#include "replay.h"

extern void wgpuQuerySetRelease(void *set);
*/
import "C"

import (
	"context"
	"encoding/binary"
	"fmt"
	"unsafe"
)

// stampsAtOnce is how many dispatches a query set is for: two queries each, of the
// 4096 that WebGPU guarantees.
const stampsAtOnce = 2048

// Stamp is Submit and Wait, with each dispatch in a pass of its own, and returns when
// each command began and ended; for copies that is not known, and 0.
func (d *Device) Stamp(ctx context.Context, p *Plan, first, last int) ([]Span, error) {
	if !d.stamps {
		return nil, fmt.Errorf("webgpu: stamp: the device was opened without %s: %w", TimestampQuery, ErrNoStamps)
	}
	if first < 0 || last > p.n || first > last {
		return nil, fmt.Errorf("webgpu: stamp commands %d to %d of %d: %w", first, last, p.n, ErrInvalid)
	}
	spans := make([]Span, 0, last-first)
	for ; first < last; first += stampsAtOnce {
		part, err := d.stampPart(ctx, p, first, min(first+stampsAtOnce, last))
		if err != nil {
			return nil, err
		}
		spans = append(spans, part...)
	}
	return spans, nil
}

// stampPart is Stamp for no more dispatches than a query set is for.
func (d *Device) stampPart(ctx context.Context, p *Plan, first, last int) ([]Span, error) {
	size := uint64(16 * (last - first))
	to, err := d.NewBuffer("timestamps", size, resolved)
	if err != nil {
		return nil, err
	}
	defer to.Release()
	stage, err := d.NewBuffer("timestamps read-back", size, Staging)
	if err != nil {
		return nil, err
	}
	defer stage.Release()
	dispatches, err := d.submitStamped(p, first, last, to, stage)
	if err != nil {
		return nil, err
	}
	bytes := make([]byte, 16*len(dispatches))
	if err := d.Read(ctx, stage, bytes); err != nil {
		return nil, err
	}
	spans := make([]Span, last-first)
	for k, i := range dispatches {
		at := bytes[16*k:]
		spans[i] = Span{binary.LittleEndian.Uint64(at), binary.LittleEndian.Uint64(at[8:])}
	}
	if len(dispatches) == 0 {
		return spans, d.Wait(ctx)
	}
	return spans, nil
}

// submitStamped submits the commands, and returns which of them are dispatches.
func (d *Device) submitStamped(p *Plan, first, last int, to, stage *Buffer) (dispatches []int, err error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.raw == nil {
		return nil, fmt.Errorf("webgpu: stamp: %w", errReleased)
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.commands == nil {
		return nil, fmt.Errorf("webgpu: stamp: the plan was released: %w", ErrInvalid)
	}
	commands := unsafe.Slice(p.commands, p.n)[first:last]
	for i, c := range commands {
		if c.pipeline != nil {
			dispatches = append(dispatches, i)
		}
	}
	serial.Lock()
	defer serial.Unlock()
	if len(dispatches) == 0 {
		C.pumice_submit(d.raw, d.queue, unsafe.SliceData(commands), C.size_t(len(commands)))
		return nil, nil
	}
	set := newQueries(d.raw, 2*len(dispatches))
	if set == nil {
		return nil, fmt.Errorf("webgpu: stamp: no query set: %w", ErrOutOfMemory)
	}
	defer C.wgpuQuerySetRelease(set)
	stampCommands(d.raw, d.queue, unsafe.Pointer(unsafe.SliceData(commands)), len(commands), set, to.raw, stage.raw)
	return dispatches, nil
}
