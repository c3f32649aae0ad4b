package judge

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/pumice-ml/pumice/internal/ir"
)

// condemn notes that no text of a dispatch's kernel passed.
func (d *Device) condemn(one *ir.Dispatch, reason string) {
	d.checks.Lock()
	defer d.checks.Unlock()
	d.checks.wrong[one.Storage()][one.Kernel] = reason
}

// Assigns reports whether a kernel may assign what it would add to zeros, as far as is
// known: one that leaves elements out may not.
func (d *Device) Assigns(k *ir.Kernel) bool {
	d.checks.Lock()
	defer d.checks.Unlock()
	return !d.checks.adds[k]
}

// addsOnly notes that it may not.
func (d *Device) addsOnly(k *ir.Kernel) {
	d.checks.Lock()
	defer d.checks.Unlock()
	if d.checks.adds == nil {
		d.checks.adds = map[*ir.Kernel]bool{}
	}
	d.checks.adds[k] = true
}

// reason is why a text failed, or "".
func (d *Device) reason(key string) string {
	d.checks.Lock()
	defer d.checks.Unlock()
	return d.checks.bad[key]
}

// Fails reports whether the launch's text is known to fail.
func (d *Device) Fails(l *ir.Dispatch, bake bool) bool {
	d.checks.Lock()
	none := len(d.checks.bad) == 0
	d.checks.Unlock()
	if none || l.Merged == "" && !l.Baked(bake) {
		return false
	}
	text, err := l.Text(bake)
	return err == nil && d.reason(d.Key(l, text)) != ""
}

// FailsMerged is Fails for a run that does the work of others.
func (d *Device) FailsMerged(l *ir.Dispatch, bake bool, plain []ir.Dispatch) bool {
	one := *l
	one.Plain, one.Merged = plain, ir.Batch
	return d.Fails(&one, bake)
}

// Condemned are the kernels of the dispatches that compute wrong numbers on the device,
// stored as they are there, with the reasons.
func (d *Device) Condemned(list []ir.Dispatch) map[*ir.Kernel]string {
	d.checks.Lock()
	defer d.checks.Unlock()
	wrong := map[*ir.Kernel]string{}
	for i := range list {
		for _, storage := range []ir.DType{ir.F32, list[i].Storage()} {
			if reason, ok := d.checks.wrong[storage][list[i].Kernel]; ok {
				wrong[list[i].Kernel] = reason
			}
		}
	}
	return wrong
}

// deviceFault reports whether an error is not the fault of the kernel that was run.
func deviceFault(err error) bool {
	return slices.ContainsFunc([]error{ir.ErrClosed, ir.ErrDeviceLost, ir.ErrOutOfMemory}, func(fault error) bool { return errors.Is(err, fault) })
}

// Check judges the plain texts of kernels on the device, with their params in a uniform,
// at the sizes of their shaders' headers, and returns those that are wrong, with the
// reason. A kernel that is not Testable counts as right. The error is that of a device
// that cannot judge.
func (d *Device) Check(kernels ...*ir.Kernel) (map[*ir.Kernel]string, error) {
	return d.check(ir.F32, kernels)
}

// CheckF16 is Check with every tensor of f32 stored as f16. The error wraps ErrFeature
// where the device has no f16.
func (d *Device) CheckF16(kernels ...*ir.Kernel) (map[*ir.Kernel]string, error) {
	return d.check(ir.F16, kernels)
}

func (d *Device) check(storage ir.DType, kernels []*ir.Kernel) (map[*ir.Kernel]string, error) {
	if err := d.Stores(storage); err != nil {
		return nil, err
	}
	wrong := map[*ir.Kernel]string{}
	if d.IsReference() {
		return wrong, nil
	}
	var list []ir.Dispatch
	for _, k := range kernels {
		if k.Testable() != nil || !k.RunsOn(d) {
			continue
		}
		if one, ok := k.Test(storage); ok {
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

// Wrong are the kernels of the dispatches that compute wrong numbers on the device, stored
// as they are there, by Check.
func (d *Device) Wrong(list []ir.Dispatch) (map[*ir.Kernel]string, error) {
	var use, halves []*ir.Kernel
	for _, one := range list {
		use = append(use, one.Kernel)
		if one.Storage() == ir.F16 { // as well: f16 hides small errors, and others of its tensors are f32
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

// Proved reports whether a rule passes its own test, where it has one, which is run once
// on d, which tapes know as on. The error is that of a device that cannot test.
func (d *Device) Proved(r *ir.Rule, on ir.Device) (bool, error) {
	if r.Prove == nil {
		return true, nil
	}
	name := r.Of[0].Hash(ir.F32) + " " + r.Name
	d.checks.Lock()
	reason, known := d.checks.proved[name]
	d.checks.Unlock()
	if !known {
		if err := r.Prove(on); deviceFault(err) {
			return false, fmt.Errorf("compute: test of rule %s of %s: %w", r.Name, r.Of[0].Name(), err)
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
		d.Warn(r.Of[0].Name(), r.Name, reason)
	}
	return reason == "", nil
}

// Right reports whether what a rule recorded computes what it should on the device. A
// rule that does not is refused for kernel.
func (d *Device) Right(r *ir.Rule, on ir.Device, list []ir.Dispatch) (bool, error) {
	wrong := d.Condemned(list)
	if _, reason := Refused(list, wrong); reason != "" {
		d.Warn(r.Of[0].Name(), r.Name, reason)
		return false, nil
	}
	return d.Proved(r, on)
}

// Refused is the first kernel of list that is wrong, and the reason.
func Refused(list []ir.Dispatch, wrong map[*ir.Kernel]string) (*ir.Kernel, string) {
	for _, d := range list {
		if reason, ok := wrong[d.Kernel]; ok {
			return d.Kernel, reason
		}
	}
	return nil, ""
}
