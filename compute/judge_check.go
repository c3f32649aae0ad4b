package compute

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// condemn notes that no text of a dispatch's kernel passed.
func (d *Device) condemn(one *Dispatch, reason string) {
	d.checks.Lock()
	defer d.checks.Unlock()
	d.checks.wrong[one.storage()][one.Kernel] = reason
}

// assigns reports whether a kernel may assign what it would add to zeros, as far as is
// known: one that leaves elements out may not.
func (d *Device) assigns(k *Kernel) bool {
	d.checks.Lock()
	defer d.checks.Unlock()
	return !d.checks.adds[k]
}

// addsOnly notes that it may not.
func (d *Device) addsOnly(k *Kernel) {
	d.checks.Lock()
	defer d.checks.Unlock()
	if d.checks.adds == nil {
		d.checks.adds = map[*Kernel]bool{}
	}
	d.checks.adds[k] = true
}

// reason is why a text failed, or "".
func (d *Device) reason(key string) string {
	d.checks.Lock()
	defer d.checks.Unlock()
	return d.checks.bad[key]
}

// fails reports whether the launch's text is known to fail.
func (d *Device) fails(l *Dispatch, bake bool) bool {
	d.checks.Lock()
	none := len(d.checks.bad) == 0
	d.checks.Unlock()
	if none || l.merged == "" && !l.baked(bake) {
		return false
	}
	text, err := l.text(bake)
	return err == nil && d.reason(d.key(l, text)) != ""
}

// failsMerged is fails for a run that does the work of others.
func (d *Device) failsMerged(l *Dispatch, bake bool, plain []Dispatch) bool {
	one := *l
	one.plain, one.merged = plain, Batch
	return d.fails(&one, bake)
}

// condemned are the kernels of the dispatches that compute wrong numbers on the device,
// stored as they are there, with the reasons.
func (d *Device) condemned(list []Dispatch) map[*Kernel]string {
	d.checks.Lock()
	defer d.checks.Unlock()
	wrong := map[*Kernel]string{}
	for i := range list {
		for _, storage := range []DType{F32, list[i].storage()} {
			if reason, ok := d.checks.wrong[storage][list[i].Kernel]; ok {
				wrong[list[i].Kernel] = reason
			}
		}
	}
	return wrong
}

// deviceFault reports whether an error is not the fault of the kernel that was run.
func deviceFault(err error) bool {
	return slices.ContainsFunc([]error{ErrClosed, ErrDeviceLost, ErrOutOfMemory}, func(fault error) bool { return errors.Is(err, fault) })
}

// Check judges the plain texts of kernels on the device, with their params in a uniform,
// at the sizes of their shaders' headers, and returns those that are wrong, with the
// reason. A kernel that is not Testable counts as right. The error is that of a device
// that cannot judge.
func (d *Device) Check(kernels ...*Kernel) (map[*Kernel]string, error) {
	return d.check(F32, kernels)
}

// CheckF16 is Check with every tensor of f32 stored as f16. The error wraps ErrFeature
// where the device has no f16.
func (d *Device) CheckF16(kernels ...*Kernel) (map[*Kernel]string, error) {
	return d.check(F16, kernels)
}

func (d *Device) check(storage DType, kernels []*Kernel) (map[*Kernel]string, error) {
	if err := d.Stores(storage); err != nil {
		return nil, err
	}
	wrong := map[*Kernel]string{}
	if d.IsReference() {
		return wrong, nil
	}
	var list []Dispatch
	for _, k := range kernels {
		if k.Testable() != nil || !k.RunsOn(d) {
			continue
		}
		if one, ok := k.test(storage); ok {
			list = append(list, one)
		}
	}
	verdicts, err := d.judge(context.Background(), list, false)
	if err != nil {
		return nil, fmt.Errorf("compute: check of kernels: %w", err)
	}
	for i, v := range verdicts {
		if v.reason != "" {
			d.condemn(&list[i], v.reason)
			wrong[list[i].Kernel] = v.reason
		}
	}
	return wrong, nil
}

// wrong are the kernels of the dispatches that compute wrong numbers on the device, stored
// as they are there, by Check.
func (d *Device) wrong(list []Dispatch) (map[*Kernel]string, error) {
	var use, halves []*Kernel
	for _, one := range list {
		use = append(use, one.Kernel)
		if one.storage() == F16 { // as well: f16 hides small errors, and others of its tensors are f32
			halves = append(halves, one.Kernel)
		}
	}
	wrong, err := d.Check(use...)
	if err != nil || len(halves) == 0 {
		return wrong, err
	}
	wrongF16, err := d.CheckF16(halves...)
	maps.Copy(wrong, wrongF16)
	return wrong, err
}

// proved reports whether a rule passes its own test, where it has one, which is run once
// on a device. The error is that of a device that cannot test.
func (d *Device) proved(r *Rule) (bool, error) {
	if r.Prove == nil {
		return true, nil
	}
	name := r.Of[0].hash(F32) + " " + r.Name
	d.checks.Lock()
	reason, known := d.checks.proved[name]
	d.checks.Unlock()
	if !known {
		if err := r.Prove(d); deviceFault(err) {
			return false, fmt.Errorf("compute: test of rule %s of %s: %w", r.Name, r.Of[0].name, err)
		} else if err != nil {
			reason = err.Error()
		}
		d.checks.Lock()
		if d.checks.proved == nil {
			d.checks.proved = map[string]string{}
		}
		d.checks.proved[name] = reason
		d.checks.Unlock()
	}
	if reason != "" {
		d.warn(r.Of[0].name, r.Name, reason)
	}
	return reason == "", nil
}
