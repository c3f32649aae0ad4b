package compute

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/pumice-ml/pumice/shaders"
)

// A kernel is tested on a device before a program uses it for the first time: a
// small case, whose sizes stand in the shader's header, is judged by the kernel's
// definition and error model, as conformance judges. What has passed is remembered,
// per adapter and driver, in the folder PUMICE_CACHE, or pumice in the user's cache
// folder.

// Refusal is a variant of a kernel that a device does not use.
type Refusal struct {
	Kernel, Variant string
	Reason          string // the worst element, or what the driver says
}

// Refused lists the variants that programs of d would have used, had they computed
// what they should.
func (d *Device) Refused() []Refusal {
	d.checks.Lock()
	defer d.checks.Unlock()
	return slices.Clone(d.checks.refused)
}

// refuse notes a refusal and reports whether it is new.
func (d *Device) refuse(r Refusal) bool {
	d.checks.Lock()
	defer d.checks.Unlock()
	if slices.Contains(d.checks.refused, r) {
		return false
	}
	d.checks.refused = append(d.checks.refused, r)
	return true
}

// checks is what a device knows of its kernels.
type checks struct {
	sync.Mutex
	passed  map[string]bool              // by Kernel.hash
	wrong   map[DType]map[*Kernel]string // by what tensors are stored as, with the reason
	proved  map[string]string            // rules that were tested: why not, or ""
	refused []Refusal
	loaded  bool
}

// written tells how texts are made for drivers: whoever changes Specialize or StoreF16
// counts on, so that devices test kernels anew.
const written = "2"

// hash is of all that decides what a test of the kernel gives on a device.
func (k *Kernel) hash(storage DType) string {
	k.hashOnce.Do(func() {
		sum := sha256.Sum256([]byte(written + "\n" + k.name + "\n" + k.read().shader.Text))
		k.hashText = fmt.Sprintf("%x", sum[:12])
	})
	if storage == F16 {
		return k.hashText + "-f16"
	}
	return k.hashText
}

// Check tests kernels on the device, those that it has not tested before, as Compile
// does, and returns all that are known to be wrong, with the reason. A kernel that is
// not Testable counts as right. The error is that of a device that cannot test.
func (d *Device) Check(kernels ...*Kernel) (map[*Kernel]string, error) {
	return d.check(F32, kernels)
}

// CheckF16 is Check with every tensor of f32 stored as f16, which Compile does besides
// for kernels that run with any such tensor. The error wraps ErrFeature where the device has no f16.
func (d *Device) CheckF16(kernels ...*Kernel) (map[*Kernel]string, error) {
	return d.check(F16, kernels)
}

func (d *Device) check(storage DType, kernels []*Kernel) (map[*Kernel]string, error) {
	if err := d.Stores(storage); err != nil {
		return nil, err
	}
	if d.IsReference() {
		return nil, nil
	}
	d.checks.Lock()
	defer d.checks.Unlock()
	c := &d.checks
	if !c.loaded {
		c.loaded, c.passed, c.wrong = true, readChecks(d.checksFile()), map[DType]map[*Kernel]string{F32: {}, F16: {}}
	}
	var untested []*Kernel
	for _, k := range kernels {
		if _, ok := c.wrong[storage][k]; !ok && !c.passed[k.hash(storage)] && !slices.Contains(untested, k) && k.Testable() == nil && k.RunsOn(d) {
			untested = append(untested, k)
		}
	}
	if len(untested) > 0 {
		wrong, err := d.test(storage, untested)
		if err != nil {
			return nil, err
		}
		maps.Copy(c.wrong[storage], wrong)
		for _, k := range untested {
			if _, ok := wrong[k]; !ok {
				c.passed[k.hash(storage)] = true
			}
		}
		writeChecks(d.checksFile(), c.passed)
	}
	return maps.Clone(c.wrong[storage]), nil
}

// test runs the test of each kernel, all in one program, or one by one where that
// cannot be built.
func (d *Device) test(storage DType, kernels []*Kernel) (map[*Kernel]string, error) {
	wrong := map[*Kernel]string{}
	t := NewTape(d)
	t.Storage = storage
	for _, k := range kernels {
		k.recordTest(t)
	}
	differences, err := t.Judge(context.Background(), nil, func(j *Judged) {
		if w := j.worst(); !w.Legal && wrong[j.Kernel] == "" {
			wrong[j.Kernel] = w.String()
		}
	}, Prune, Choose)
	if deviceFault(err) {
		return nil, fmt.Errorf("compute: test of kernels: %w", err)
	}
	if err != nil && len(kernels) == 1 {
		return map[*Kernel]string{kernels[0]: err.Error()}, nil
	}
	if err != nil || len(differences) > 0 && len(kernels) > 1 {
		for _, k := range kernels {
			one, err := d.test(storage, []*Kernel{k})
			if err != nil {
				return nil, err
			}
			maps.Copy(wrong, one)
		}
		return wrong, nil
	}
	if len(differences) > 0 && wrong[kernels[0]] == "" {
		wrong[kernels[0]] = differences[0].String()
	}
	return wrong, nil
}

// deviceFault reports whether an error is not the fault of the kernel that was run.
func deviceFault(err error) bool {
	return slices.ContainsFunc([]error{ErrClosed, ErrDeviceLost, ErrOutOfMemory}, func(fault error) bool { return errors.Is(err, fault) })
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

// Testable is nil where the kernel's shader says what its test needs: the shapes of
// its arrays, and sizes (package shaders).
func (k *Kernel) Testable() error {
	sizes := k.testSizes()
	shapes := k.read().shader.Shapes()
	for _, f := range k.read().shader.Params {
		if _, ok := sizes[f.Name]; !ok {
			return fmt.Errorf("compute: kernel %s: %s.wgsl has no line \"// test:\" with %s", k.name, k.read().shader.Name, f.Name)
		}
	}
	for _, b := range k.read().entry.Bindings {
		if shapes[b.Name] == nil {
			return fmt.Errorf("compute: kernel %s: the header of %s.wgsl has no shape of %s", k.name, k.read().shader.Name, b.Name)
		}
		for _, expr := range shapes[b.Name] {
			if _, err := shaders.Eval(expr, wholes(sizes)); err != nil {
				return fmt.Errorf("compute: kernel %s: shape of %s: %w", k.name, b.Name, err)
			}
		}
	}
	return nil
}

// testSizes are the values of the params in the kernel's test: those of the shader's
// header, 67 for the only whole number, 0.5 for others.
func (k *Kernel) testSizes() map[string]float64 {
	sizes := maps.Clone(k.read().shader.Test)
	if sizes == nil {
		sizes = map[string]float64{}
	}
	var whole []string
	for _, f := range k.read().shader.Params {
		_, given := sizes[f.Name]
		switch {
		case f.Type != "f32":
			whole = append(whole, f.Name)
		case !given:
			sizes[f.Name] = 0.5
		}
	}
	if _, given := sizes[strings.Join(whole, " ")]; len(whole) == 1 && !given {
		sizes[whole[0]] = 67
	}
	return sizes
}

func wholes(sizes map[string]float64) func(string) (int, bool) {
	return func(name string) (int, bool) {
		v, ok := sizes[name]
		return int(v), ok
	}
}

// recordTest records the kernel's test: on numbers between -1 and 1, or between 0 and
// 1 where the definition makes anything but numbers of those (of a negative variance,
// say); u32 numbers count from 1.
func (k *Kernel) recordTest(t *Tape) {
	sizes, shapes := k.testSizes(), k.read().shader.Shapes()
	params := k.MakeParams(func(f shaders.Field) float64 { return sizes[f.Name] })
	var ps []*Param
	var b [][]float64
	at := map[string]int{}
	for i, binding := range k.read().entry.Bindings {
		at[binding.Name] = i
		if same, ok := at[k.read().shader.Same[binding.Name]]; ok {
			ps, b = append(ps, ps[same]), append(b, b[same])
			continue
		}
		var shape []int
		for _, expr := range shapes[binding.Name] {
			n, _ := shaders.Eval(expr, wholes(sizes)) // Testable has evaluated it
			shape = append(shape, n)
		}
		p := NewParam(binding.Name, shape...)
		if binding.Unsigned() {
			p = NewParamU32(binding.Name, shape...)
		}
		v := make([]float64, p.Len())
		for j := range v {
			if v[j] = float64(j + 1); binding.Unsigned() {
				p.Ints[j] = uint32(j + 1)
				continue
			}
			p.Data[j] = float32(Uniform(RandomBits(1, uint32(i), 0, uint32(j))[0]))*2 - 1
			v[j] = float64(p.Data[j])
		}
		ps, b = append(ps, p), append(b, v)
	}
	k.define(params, b)
	if slices.ContainsFunc(b, func(x []float64) bool {
		return slices.ContainsFunc(x, func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) })
	}) {
		for _, p := range ps {
			for j, v := range p.Data {
				p.Data[j] = max(v, -v)
			}
		}
	}
	var tensors []*Tensor
	for _, p := range ps {
		tensors = append(tensors, t.Param(p))
	}
	k.Run(params, tensors...)
}

// checksFile is where the tests that kernels have passed on d's adapter and driver
// are remembered, or "" where there is no such place.
func (d *Device) checksFile() string {
	dir := cacheFolder()
	if dir == "" {
		return ""
	}
	i := d.info
	sum := sha256.Sum256([]byte(strings.Join([]string{i.Name, i.Vendor, i.Driver, i.Backend, i.Binding, i.Browser}, "\n")))
	return filepath.Join(dir, fmt.Sprintf("checked-%x.json", sum[:8]))
}

// readChecks reads such a file. One that is not there, or cannot be read, is one in
// which nothing has passed.
func readChecks(file string) map[string]bool {
	passed := map[string]bool{}
	text, err := os.ReadFile(file)
	if err == nil {
		var hashes []string
		if json.Unmarshal(text, &hashes) == nil {
			for _, h := range hashes {
				passed[h] = true
			}
		}
	}
	return passed
}

// writeChecks adds to the file what has passed. It is a cache: where it cannot be
// written, the next process tests again.
func writeChecks(file string, passed map[string]bool) {
	if file == "" {
		return
	}
	all := readChecks(file) // another process may have written meanwhile
	maps.Copy(all, passed)
	text, err := json.Marshal(slices.Sorted(maps.Keys(all)))
	if err == nil {
		_ = replace(file, text)
	}
}
