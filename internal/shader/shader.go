// Package shader is what Go must know of WGSL files (package shader). Load reads a file's entry
// points, workgroup sizes, bindings, constants and parameters from the text, so
// that Go never repeats them; Specialize writes the text that goes to a driver.
//
// Comment lines above an entry point are read too, as expressions over
// the fields of Params and the constants of the file:
//
//	// invocations: ceil(n/4)       how many invocations run, in x, y and z
//	// workgroups: rows             or how many workgroups
//	// trips: k                     the most loop iterations of one invocation, nested ones multiplied
//	// flops: 2*m*n*k               floating-point operations of the whole dispatch
//	// each: n                      invocation i works on element i of the arrays (n), and on no other
//
// The comment that a file starts with gives the shapes of the arrays (Shapes), and,
// where Params has more than one whole number, a small case that tests every entry
// point when a device first uses it; 0.5 stands for each f32 that it does not name:
//
//	// test: rows=3, size=67
//
// There an array that is another one of the file, read in another way, says so: a4=a.
//
// An entry point that calls subgroup functions is for devices whose subgroups have as
// many invocations as its workgroup, and is valid once Params is baked in: arguments of
// subgroup functions are constants.
//
// An entry point whose invocation i works on element i of the arrays can be a link of a
// Chain (see wgsl.Each): what it does decides, not how it is spelled. One that stores more
// elements stores them through functions that the file defines to return v, so that Chain
// can put others in their place: finish(i: u32, v: f32), or finish4(i: u32, v: vec4<f32>)
// for the four elements from 4 i on.
//
// A single invocations or workgroups expression is a one-dimensional grid: where
// it exceeds the workgroups that one dimension allows it is folded into y, and
// the shader's index is (id.y*groups.x*block + id.x) or (wid.y*groups.x + wid.x).
package shader

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"github.com/pumice-ml/pumice/internal/wgsl"
	"github.com/pumice-ml/pumice/shaders"
)

// Shader is one WGSL file, read.
type Shader struct {
	Name     string    // file name without .wgsl
	Text     string    // the file
	Consts   []Const   // module constants, in order
	Params   []Field   // fields of struct Params, in order
	Bindings []Binding // group 0, by binding number; 0 is the params
	Entries  []Entry   // compute entry points, in order

	// Test holds the fields of Params in a small case that tests the shader.
	Test map[string]float64
	// Same names, for some arrays, the one whose elements they are too.
	Same map[string]string

	module  *wgsl.Module
	written written // by Specialize
}

// Const is a module constant: "const Name: Type = Value;".
type Const struct {
	Name, Type, Value string

	value span
}

// span is a part of a text, in bytes.
type span struct{ from, to int }

// Field is a field of struct Params.
type Field struct{ Name, Type string }

// Binding is a variable of group 0.
type Binding struct {
	Number int
	Name   string
	Access string // uniform, read or read_write
	Type   string // array<f32>, array<vec4<f32>>, array<u32> ...
}

// Unsigned reports whether the binding's elements are u32.
func (b Binding) Unsigned() bool { return strings.Contains(b.Type, "u32") }

// Entry is a compute entry point.
type Entry struct {
	Name      string
	Workgroup [3]int    // workgroup size
	Bindings  []Binding // the storage bindings it uses, by number
	Consts    []string  // the module constants it uses, by name
	Adds      []string  // the arrays that it writes and, where the constant accumulate is true, adds to
	Size      []string  // invocations or workgroups in x, y, z: one to three expressions
	Groups    bool      // Size counts workgroups, not invocations
	Trips     string    // expression of the most loop iterations of an invocation; "" is none
	Each      string    // field of Params that counts the elements of an element-wise entry point; "" is another kind
	Flops     string    // expression of the floating-point operations of a dispatch; "" is one per invocation
	Shared    int       // bytes of the workgroup memory it uses, in arrays of 32-bit numbers or vec2 or vec4 of them
	Subgroup  bool      // it calls subgroup functions: its workgroup must be one subgroup of the device
}

// Load reads one of Pumice's own shaders by name, without the .wgsl. It is read once; the
// caller must not change it.
func Load(name string) (*Shader, error) {
	loaded.Lock()
	defer loaded.Unlock()
	if s, ok := loaded.shaders[name]; ok {
		return s, nil
	}
	s, err := LoadFS(shaders.FS(), name)
	if err == nil {
		loaded.shaders[name] = s
	}
	return s, err
}

var loaded = struct {
	sync.Mutex
	shaders map[string]*Shader
}{shaders: map[string]*Shader{}}

// LoadFS reads name.wgsl from the root of fsys.
func LoadFS(fsys fs.FS, name string) (*Shader, error) {
	text, err := fs.ReadFile(fsys, name+".wgsl")
	if err != nil {
		return nil, fmt.Errorf("shader: Load: %w", err)
	}
	return Parse(name, string(text))
}

// With returns the shader with other values of some constants. It returns an error
// where one does not exist, or where the text is no shader then.
func (s *Shader) With(consts map[string]string) (*Shader, error) {
	text := s.Text
	for _, c := range slices.Backward(s.Consts) {
		if v, ok := consts[c.Name]; ok {
			text = text[:c.value.from] + v + text[c.value.to:]
		}
	}
	for name := range consts {
		if _, ok := s.Const(name); !ok {
			return nil, fmt.Errorf("shader: %s.wgsl: no constant %s", s.Name, name)
		}
	}
	return Parse(s.Name, text)
}

// Entry returns the entry point called name.
func (s *Shader) Entry(name string) (Entry, bool) {
	for _, e := range s.Entries {
		if e.Name == name {
			return e, true
		}
	}
	return Entry{}, false
}

// Const returns the text of the constant called name.
func (s *Shader) Const(name string) (string, bool) {
	for _, c := range s.Consts {
		if c.Name == name {
			return c.Value, true
		}
	}
	return "", false
}
