package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/pumice-ml/pumice/internal/ir"
)

// Param returns p's buffer on the device, uploaded at first use.
func (d *Device) Param(p *ir.Param) (*Buffer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.paramLocked(p)
}

// Use is param for a program, which holds on to the buffer until drop.
func (d *Device) Use(p *ir.Param) (*Buffer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	b, err := d.paramLocked(p)
	if err == nil {
		b.programs++
	}
	return b, err
}

// Drop ends a program's use of a parameter.
func (d *Device) Drop(p *ir.Param) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if b, ok := d.params[p]; ok {
		b.programs--
		d.sweep(p, b)
	}
}

// sweep frees a parameter that is forgotten and that no program uses.
func (d *Device) sweep(p *ir.Param, b *Buffer) {
	if b.forgotten && b.programs == 0 {
		d.freeLocked(b)
		delete(d.params, p)
	}
}

func (d *Device) paramLocked(p *ir.Param) (*Buffer, error) {
	if err := d.Usable(); err != nil {
		return nil, err
	}
	if b, ok := d.params[p]; ok {
		return b, nil
	}
	ir.CheckParam(p, "Device")
	b, err := d.allocLocked("parameters", p.Name, p.DType(), p.Len())
	if err != nil {
		return nil, err
	}
	b.round = b.DType == ir.F32
	if err := d.upload(b, p); err != nil {
		d.freeLocked(b)
		return nil, err
	}
	d.params[p] = b
	return b, nil
}

func (d *Device) upload(b *Buffer, p *ir.Param) error {
	words := ir.HostWords(p)
	d.Up.Add(ir.Bytes(b.DType, len(words)))
	if err := d.Engine.Write(b, words); err != nil {
		return fmt.Errorf("compute: upload %s: %w", p.Name, err)
	}
	return nil
}

// Upload replaces the device's values of the parameters by the host's. Those
// the device does not hold yet are uploaded when they are first used. It panics
// where a parameter changed its size.
func (d *Device) Upload(params ...*ir.Param) error {
	if err := d.Usable(); err != nil {
		return err
	}
	for _, p := range ir.WithHalves(params) {
		ir.CheckParam(p, "Device.Upload")
		d.mu.Lock()
		b, ok := d.params[p]
		d.mu.Unlock()
		if !ok {
			continue
		}
		if b.N != p.Len() {
			panic(fmt.Sprintf("compute: Device.Upload: parameter %q has %d elements, the device holds %d", p.Name, p.Len(), b.N))
		}
		if err := d.upload(b, p); err != nil {
			return err
		}
	}
	return nil
}

// UploadPart is Upload of n elements of one parameter, from number first on. It panics
// where the parameter has no such elements.
func (d *Device) UploadPart(p *ir.Param, first, n int) error {
	if err := d.Usable(); err != nil {
		return err
	}
	ir.CheckParam(p, "Device.UploadPart")
	if first < 0 || n < 0 || first+n > p.Len() {
		panic(fmt.Sprintf("compute: Device.UploadPart: elements %d to %d of %d of parameter %q", first, first+n, p.Len(), p.Name))
	}
	d.mu.Lock()
	b, ok := d.params[p]
	d.mu.Unlock()
	if !ok || n == 0 {
		return nil
	}
	part := &Buffer{Label: b.Label, DType: b.DType, N: n, gpu: b.gpu, Offset: b.Offset + first}
	if b.Host != nil {
		part.Host = b.Host[first : first+n]
	}
	words := ir.HostWords(p)[first : first+n]
	d.Up.Add(ir.Bytes(b.DType, n))
	if err := d.Engine.Write(part, words); err != nil {
		return fmt.Errorf("compute: upload elements %d to %d of %s: %w", first, first+n, p.Name, err)
	}
	return nil
}

// Download brings the device's values of the parameters to the host's arrays.
// Those the device never used are left as they are.
func (d *Device) Download(ctx context.Context, params ...*ir.Param) error {
	if err := d.Usable(); err != nil {
		return err
	}
	for _, p := range params {
		d.mu.Lock()
		b, ok := d.params[p]
		d.mu.Unlock()
		if !ok {
			continue
		}
		if err := d.ReadInto(ctx, b, ir.HostWords(p)); err != nil {
			return fmt.Errorf("compute: download %s: %w", p.Name, err)
		}
	}
	return nil
}

// Forget frees the device's copies of the parameters; those that an open program
// uses, with the last such program.
func (d *Device) Forget(params ...*ir.Param) {
	params = ir.WithHalves(params)
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range params {
		if b, ok := d.params[p]; ok {
			b.forgotten = true
			d.sweep(p, b)
		}
	}
}

// Holds reports whether the device has a copy of the parameter, which may be newer
// than the host's.
func (d *Device) Holds(p *ir.Param) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, ok := d.params[p]
	return ok
}

// part is n elements of b from offset on, as a buffer of its own; the last one that is
// freed frees b.
func (b *Buffer) part(label string, offset, n int) *Buffer {
	b.parts++
	return &Buffer{Label: label, owner: b.owner, DType: b.DType, N: n, round: b.round, gpu: b.gpu, Parent: b, Offset: offset}
}

// AllocTogether makes buffers of a program for slots of one type in one, at the offsets.
func (d *Device) AllocTogether(owner, label string, slots []*ir.Slot, offsets []int, n int) ([]*Buffer, error) {
	whole, err := d.Alloc(owner, label, slots[0].DType, n)
	if err != nil {
		return nil, err
	}
	var parts []*Buffer
	for i, s := range slots {
		parts = append(parts, whole.part(s.Name, offsets[i], s.N))
	}
	return parts, nil
}

// CanHold reports whether useTogether would give the parameters places in one buffer
// of n elements: none is on the device, or all are, in such a buffer.
func (d *Device) CanHold(params []*ir.Param, offsets []int, n int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	first := d.params[params[0]]
	for i, p := range params {
		b := d.params[p]
		if (b == nil) != (first == nil) || b != nil && (b.Parent == nil || b.Parent != first.Parent || b.Parent.N != n || b.Offset != offsets[i]) {
			return false
		}
	}
	return true
}

// UseTogether is use for parameters that canHold allows.
func (d *Device) UseTogether(params []*ir.Param, offsets []int, n int) ([]*Buffer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.Usable(); err != nil {
		return nil, err
	}
	if d.params[params[0]] == nil {
		whole, err := d.allocLocked("parameters", "parameters", ir.F32, n)
		if err != nil {
			return nil, err
		}
		whole.round = true
		var parts []*Buffer
		for i, p := range params {
			ir.CheckParam(p, "Device")
			parts = append(parts, whole.part(p.Name, offsets[i], p.Len()))
			if err == nil {
				err = d.upload(parts[i], p)
			}
		}
		if err != nil {
			for _, b := range parts {
				d.freeLocked(b)
			}
			return nil, err
		}
		for i, p := range params {
			d.params[p] = parts[i]
		}
	}
	var parts []*Buffer
	for _, p := range params {
		b := d.params[p]
		b.programs++
		parts = append(parts, b)
	}
	return parts, nil
}

// ParamWords are the elements of a parameter: the device's, or else the host's.
func (d *Device) ParamWords(ctx context.Context, p *ir.Param) ([]uint32, error) {
	d.mu.Lock()
	b, ok := d.params[p]
	d.mu.Unlock()
	if ok {
		words := make([]uint32, b.N)
		return words, d.ReadInto(ctx, b, words)
	}
	ir.CheckParam(p, "Tape.Verify")
	return slices.Clone(ir.HostWords(p)), nil
}
