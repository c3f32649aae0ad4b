package ir

import (
	"crypto/sha256"
	"fmt"
	"math"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/pumice-ml/pumice/internal/shader"
)

// Kernel is an entry point of a shader together with the Go function that
// defines what it computes and the error model that says how far a device may
// stray. Declare kernels as package variables; they are registered by that.
type Kernel struct {
	name    string
	pc      [1]uintptr // of the declaration
	source  func(file string) (*shader.Shader, error)
	once    sync.Once
	shader  *shader.Shader // see read
	entry   shader.Entry
	fault   string // why shader and Go do not fit
	params  reflect.Type
	define  func(params any, b [][]float64)
	model   Model
	gpuRuns atomic.Int64

	parts    []*Kernel // whose work it does, of one made by chain or join
	joined   string    // its text, of one made by join
	halves   bool      // that one rounds to f16, whatever its tensors are stored as
	hashOnce sync.Once
	hashText string // see Hash
}

var registry struct {
	sync.Mutex
	kernels []*Kernel
}

// NewKernel declares the kernel "shader.entry" of Pumice's own shaders. P is a
// struct whose fields, in order, are those of the shader's Params (uint32, int32
// or float32; names are compared without case). The definition gets the params
// and the tensors that the entry point uses, by binding number, as float64; it
// writes those that are read_write, and leaves the others alone. Where the
// shader has "const accumulate" it adds to them. A name may give constants of the
// shader other values: "shader.entry,rows=4,columns=8" is a kernel of its own, with
// its own test and verdict.
//
// The shader is read when the kernel is first used; where it and Go do not fit, that
// panics. Kernel.Read reads it at once.
func NewKernel[P any](name string, define func(p P, b [][]float64), model Model) *Kernel {
	return Declare(shader.Load, name, define, model, 1)
}

// Declare is NewKernel for a shader from another source, for whoever is called by the
// package that declares the kernel, so many calls below it.
func Declare[P any](source func(file string) (*shader.Shader, error), name string, define func(p P, b [][]float64), model Model, below int) *Kernel {
	if define == nil || model == nil {
		panic(fmt.Sprintf("compute: kernel %s: definition and error model are required", name))
	}
	k := &Kernel{
		name: name, source: source, model: model, params: reflect.TypeFor[P](),
		define: func(p any, b [][]float64) { define(p.(P), b) },
	}
	runtime.Callers(2+below, k.pc[:])
	registry.Lock()
	defer registry.Unlock()
	registry.kernels = append(registry.kernels, k)
	return k
}

// Hash is of what the kernel is on a device, for choices that are remembered.
func (k *Kernel) Hash(storage DType) string {
	k.hashOnce.Do(func() {
		sum := sha256.Sum256([]byte(k.name + "\n" + k.read().shader.Text))
		k.hashText = fmt.Sprintf("%x", sum[:12])
	})
	if storage == F16 {
		return k.hashText + "-f16"
	}
	return k.hashText
}

// Read reads the kernel's shader, as its first use does. It panics where shader and Go
// do not fit.
func (k *Kernel) Read() { k.read() }

// read is k with its shader and entry point.
func (k *Kernel) read() *Kernel {
	k.once.Do(func() {
		if k.shader == nil {
			k.fault = k.load()
		}
	})
	if k.fault != "" {
		panic(fmt.Sprintf("compute: kernel %s: %s", k.name, k.fault))
	}
	return k
}

// load sets the shader and the entry point, and returns why they do not fit, or "".
func (k *Kernel) load() string {
	file, entry, _ := strings.Cut(k.name, ".")
	s, err := k.source(file)
	if err != nil {
		return err.Error()
	}
	entry, consts, given := strings.Cut(entry, ",")
	if given {
		replaced := map[string]string{}
		for part := range strings.SplitSeq(consts, ",") {
			c, v, _ := strings.Cut(part, "=")
			replaced[c] = v
		}
		if s, err = s.With(replaced); err != nil {
			return err.Error()
		}
	}
	e, ok := s.Entry(entry)
	if !ok {
		return fmt.Sprintf("shader %s has no entry point %q", s.Name, entry)
	}
	if k.params.Kind() != reflect.Struct || k.params.NumField() != len(s.Params) {
		return fmt.Sprintf("%v, want a struct of the fields %v", k.params, s.Params)
	}
	kinds := map[string]reflect.Kind{"u32": reflect.Uint32, "i32": reflect.Int32, "f32": reflect.Float32}
	for i, f := range s.Params {
		g := k.params.Field(i)
		if !strings.EqualFold(strings.ReplaceAll(f.Name, "_", ""), strings.ReplaceAll(g.Name, "_", "")) || g.Type.Kind() != kinds[f.Type] {
			return fmt.Sprintf("field %d of %v is %s %v, want %s %s", i, k.params, g.Name, g.Type, f.Name, f.Type)
		}
	}
	k.shader, k.entry = s, e
	return ""
}

func packageOf(function string) string {
	slash := strings.LastIndex(function, "/")
	dot := strings.Index(function[slash+1:], ".")
	return function[:slash+1+dot]
}

// Kernels lists the declared kernels, sorted by name and package.
func Kernels() []*Kernel {
	registry.Lock()
	defer registry.Unlock()
	all := slices.Clone(registry.kernels)
	slices.SortStableFunc(all, func(a, b *Kernel) int {
		if c := strings.Compare(a.name, b.name); c != 0 {
			return c
		}
		return strings.Compare(a.Package(), b.Package())
	})
	return all
}

// Name is "shader.entry", with the constants that NewKernel was given.
func (k *Kernel) Name() string { return k.name }

// Package is the import path of the package that declared the kernel.
func (k *Kernel) Package() string {
	frame, _ := runtime.CallersFrames(k.pc[:]).Next()
	return packageOf(frame.Function)
}

// Shader is the shader that holds the kernel's entry point, with the kernel's constants.
func (k *Kernel) Shader() *shader.Shader { return k.read().shader }

// Entry is the kernel's entry point.
func (k *Kernel) Entry() shader.Entry { return k.read().entry }

// Bindings are the tensors that the kernel is run with, in order.
func (k *Kernel) Bindings() []shader.Binding { return slices.Clone(k.read().entry.Bindings) }

// MakeParams makes the kernel's params from a number for each field of the shader's
// Params.
func (k *Kernel) MakeParams(value func(field shader.Field) float64) any {
	p := reflect.New(k.params).Elem()
	for i, f := range k.read().shader.Params {
		switch v := value(f); f.Type {
		case "u32":
			p.Field(i).SetUint(uint64(v))
		case "i32":
			p.Field(i).SetInt(int64(v))
		default:
			p.Field(i).SetFloat(v)
		}
	}
	return p.Interface()
}

// GPURuns counts how often programs with this kernel were compiled for a GPU.
func (k *Kernel) GPURuns() int64 { return k.gpuRuns.Load() }

// Ran counts a program that runs k.
func (k *Kernel) Ran() {
	k.gpuRuns.Add(1)
	for _, part := range k.parts {
		part.Ran()
	}
}

// Const is the value of an integer constant of the shader, such as a tile's
// height. It panics where there is none.
func (k *Kernel) Const(name string) int {
	text, _ := k.read().shader.Const(name)
	v, err := shader.Eval(text, k.Lookup(nil))
	if err != nil {
		panic(fmt.Sprintf("compute: kernel %s: constant %s: %v", k.name, name, err))
	}
	return v
}

// Run records one run of k on the tape of the tensors, which are those the entry
// point uses, by binding number. It panics where their number, types or tapes do
// not fit, or where a tensor that is written is bound twice.
func (k *Kernel) Run(params any, tensors ...*Tensor) {
	fail := func(format string, args ...any) {
		panic(fmt.Sprintf("compute: kernel %s: %s", k.name, fmt.Sprintf(format, args...)))
	}
	if reflect.TypeOf(params) != k.params {
		fail("params are %T, want %v", params, k.params)
	}
	if len(tensors) != len(k.read().entry.Bindings) {
		fail("%d tensors, want %d: %v", len(tensors), len(k.read().entry.Bindings), k.read().entry.Bindings)
	}
	written := map[*Slot]int{}
	for i, x := range tensors {
		b := k.read().entry.Bindings[i]
		if x == nil {
			fail("tensor %s is nil", b.Name)
		}
		if x.tape != tensors[0].tape {
			fail("tensor %s (%v) is on another tape", b.Name, x)
		}
		if b.Unsigned() != (x.DType() == U32) {
			fail("tensor %s is %v, want %s", b.Name, x, b.Type)
		}
		written[x.base]++
		if b.Access == "read_write" && x.base.Input {
			fail("tensor %s (%v) is an input, which only the host writes", b.Name, x)
		}
		if b.Access == "read_write" && x.base.copied {
			fail("tensor %s (%v) is the f16 copy of a parameter, want that of Tape.Master", b.Name, x)
		}
	}
	for i, x := range tensors {
		if k.read().entry.Bindings[i].Access == "read_write" && written[x.base] > 1 {
			fail("tensor %s (%v) is written and bound twice", k.read().entry.Bindings[i].Name, x)
		}
	}
	t := tensors[0].tape
	d := Dispatch{Kernel: k, Params: params, Tensors: append([]*Tensor(nil), tensors...), Scope: t.scope}
	if observe := t.observe; observe != nil {
		t.observe = nil
		observe(&d)
		t.observe = observe
	}
	t.list = append(t.list, d)
}

// literals are the fields of params as WGSL literals.
func (k *Kernel) literals(params any) []string {
	v := reflect.ValueOf(params)
	out := make([]string, v.NumField())
	for i := range out {
		switch f := v.Field(i); f.Kind() {
		case reflect.Uint32:
			out[i] = strconv.FormatUint(f.Uint(), 10) + "u"
		case reflect.Int32:
			out[i] = "i32(" + strconv.FormatInt(f.Int(), 10) + ")"
		default:
			if x := f.Float(); math.IsNaN(x) || math.IsInf(x, 0) {
				panic(fmt.Sprintf("compute: kernel %s: %s is %v, want a finite number", k.name, k.params.Field(i).Name, x))
			}
			out[i] = strconv.FormatFloat(f.Float(), 'g', -1, 32) + "f"
		}
	}
	return out
}

// Words are the fields of params as they stand in the uniform buffer.
func (k *Kernel) Words(params any) []uint32 {
	v := reflect.ValueOf(params)
	out := make([]uint32, (v.NumField()+3)/4*4)
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.Uint32:
			out[i] = uint32(f.Uint())
		case reflect.Int32:
			out[i] = uint32(int32(f.Int()))
		default:
			out[i] = math.Float32bits(float32(f.Float()))
		}
	}
	return out
}

// Lookup gives the integer params and constants by name.
func (k *Kernel) Lookup(params any) func(string) (int, bool) {
	var find func(string) (int, bool)
	find = func(name string) (int, bool) {
		if params != nil {
			v := reflect.ValueOf(params)
			for i, f := range k.read().shader.Params {
				if f.Name == name && f.Type != "f32" {
					if f.Type == "u32" {
						return int(v.Field(i).Uint()), true
					}
					return int(v.Field(i).Int()), true
				}
			}
		}
		text, ok := k.read().shader.Const(name)
		if !ok {
			return 0, false
		}
		n, err := shader.Eval(text, find)
		return n, err == nil
	}
	return find
}

// Define does what the kernel is defined to do with the tensors, by binding.
func (k *Kernel) Define(params any, b [][]float64) { k.define(params, b) }
