package compute

import (
	"context"
	"fmt"
)

// param returns p's buffer on the device, uploaded at first use.
func (d *Device) param(p *Param) (*buffer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.paramLocked(p)
}

// use is param for a program, which holds on to the buffer until drop.
func (d *Device) use(p *Param) (*buffer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	b, err := d.paramLocked(p)
	if err == nil {
		b.programs++
	}
	return b, err
}

// drop ends a program's use of a parameter.
func (d *Device) drop(p *Param) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if b, ok := d.params[p]; ok {
		b.programs--
		d.sweep(p, b)
	}
}

// sweep frees a parameter that is forgotten and that no program uses.
func (d *Device) sweep(p *Param, b *buffer) {
	if b.forgotten && b.programs == 0 {
		d.freeLocked(b)
		delete(d.params, p)
	}
}

func (d *Device) paramLocked(p *Param) (*buffer, error) {
	if err := d.open(); err != nil {
		return nil, err
	}
	if b, ok := d.params[p]; ok {
		return b, nil
	}
	p.check("Device")
	b, err := d.allocLocked("parameters", p.Name, p.DType(), p.Len())
	if err != nil {
		return nil, err
	}
	b.round = b.dtype == F32
	if err := d.upload(b, p); err != nil {
		d.freeLocked(b)
		return nil, err
	}
	d.params[p] = b
	return b, nil
}

func (d *Device) upload(b *buffer, p *Param) error {
	words := p.words()
	d.up.Add(b.dtype.bytes(len(words)))
	if err := d.eng.write(b, words); err != nil {
		return fmt.Errorf("compute: upload %s: %w", p.Name, err)
	}
	return nil
}

// Upload replaces the device's values of the parameters by the host's. Those
// the device does not hold yet are uploaded when they are first used. It panics
// where a parameter changed its size.
func (d *Device) Upload(params ...*Param) error {
	if err := d.open(); err != nil {
		return err
	}
	for _, p := range withHalves(params) {
		p.check("Device.Upload")
		d.mu.Lock()
		b, ok := d.params[p]
		d.mu.Unlock()
		if !ok {
			continue
		}
		if b.n != p.Len() {
			panic(fmt.Sprintf("compute: Device.Upload: parameter %q has %d elements, the device holds %d", p.Name, p.Len(), b.n))
		}
		if err := d.upload(b, p); err != nil {
			return err
		}
	}
	return nil
}

// UploadPart is Upload of n elements of one parameter, from number first on. It panics
// where the parameter has no such elements.
func (d *Device) UploadPart(p *Param, first, n int) error {
	if err := d.open(); err != nil {
		return err
	}
	p.check("Device.UploadPart")
	if first < 0 || n < 0 || first+n > p.Len() {
		panic(fmt.Sprintf("compute: Device.UploadPart: elements %d to %d of %d of parameter %q", first, first+n, p.Len(), p.Name))
	}
	d.mu.Lock()
	b, ok := d.params[p]
	d.mu.Unlock()
	if !ok || n == 0 {
		return nil
	}
	part := &buffer{label: b.label, dtype: b.dtype, n: n, gpu: b.gpu, offset: b.offset + first}
	if b.host != nil {
		part.host = b.host[first : first+n]
	}
	words := p.words()[first : first+n]
	d.up.Add(b.dtype.bytes(n))
	if err := d.eng.write(part, words); err != nil {
		return fmt.Errorf("compute: upload elements %d to %d of %s: %w", first, first+n, p.Name, err)
	}
	return nil
}

// Download brings the device's values of the parameters to the host's arrays.
// Those the device never used are left as they are.
func (d *Device) Download(ctx context.Context, params ...*Param) error {
	if err := d.open(); err != nil {
		return err
	}
	for _, p := range params {
		d.mu.Lock()
		b, ok := d.params[p]
		d.mu.Unlock()
		if !ok {
			continue
		}
		if err := d.readInto(ctx, b, p.words()); err != nil {
			return fmt.Errorf("compute: download %s: %w", p.Name, err)
		}
	}
	return nil
}

// Forget frees the device's copies of the parameters; those that an open program
// uses, with the last such program.
func (d *Device) Forget(params ...*Param) {
	params = withHalves(params)
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
func (d *Device) Holds(p *Param) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, ok := d.params[p]
	return ok
}

// part is n elements of b from offset on, as a buffer of its own; the last one that is
// freed frees b.
func (b *buffer) part(label string, offset, n int) *buffer {
	b.parts++
	return &buffer{label: label, owner: b.owner, dtype: b.dtype, n: n, round: b.round, gpu: b.gpu, parent: b, offset: offset}
}

// allocTogether makes buffers of a program for slots of one type in one, at the offsets.
func (d *Device) allocTogether(owner, label string, slots []*slot, offsets []int, n int) ([]*buffer, error) {
	whole, err := d.alloc(owner, label, slots[0].dtype, n)
	if err != nil {
		return nil, err
	}
	var parts []*buffer
	for i, s := range slots {
		parts = append(parts, whole.part(s.name, offsets[i], s.n))
	}
	return parts, nil
}

// canHold reports whether useTogether would give the parameters places in one buffer
// of n elements: none is on the device, or all are, in such a buffer.
func (d *Device) canHold(params []*Param, offsets []int, n int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	first := d.params[params[0]]
	for i, p := range params {
		b := d.params[p]
		if (b == nil) != (first == nil) || b != nil && (b.parent == nil || b.parent != first.parent || b.parent.n != n || b.offset != offsets[i]) {
			return false
		}
	}
	return true
}

// useTogether is use for parameters that canHold allows.
func (d *Device) useTogether(params []*Param, offsets []int, n int) ([]*buffer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.open(); err != nil {
		return nil, err
	}
	if d.params[params[0]] == nil {
		whole, err := d.allocLocked("parameters", "parameters", F32, n)
		if err != nil {
			return nil, err
		}
		whole.round = true
		var parts []*buffer
		for i, p := range params {
			p.check("Device")
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
	var parts []*buffer
	for _, p := range params {
		b := d.params[p]
		b.programs++
		parts = append(parts, b)
	}
	return parts, nil
}
