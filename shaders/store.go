package shaders

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// StoreF16 rewrites the text of a shader, as Specialize writes it, for bindings whose
// elements are stored as f16: their types become array<f16> or array<vec4<f16>>, what
// is read of them is converted to f32, and what is written from it. The arithmetic
// stays that of f32. It returns an error where a name is no binding of f32 numbers, or
// is used other than by element.
func StoreF16(text string, names ...string) (string, error) {
	w := f16Writer{types: map[string]string{}}
	for _, name := range names {
		declared := declarationOf(name).FindStringSubmatchIndex(text)
		if declared == nil {
			return "", fmt.Errorf("shaders: StoreF16: no binding %s", name)
		}
		array := text[declared[2]:declared[3]]
		element := elementPattern.FindStringSubmatch(array)
		if element == nil {
			return "", fmt.Errorf("shaders: StoreF16: binding %s is %s, want an array of f32 or of vectors of f32", name, array)
		}
		w.types[name] = element[1]
	}
	if len(names) == 0 {
		return text, nil
	}
	for name, element := range w.types {
		at := declarationOf(name).FindStringSubmatchIndex(text)
		text = text[:at[2]] + "array<" + half(element) + ">" + text[at[3]:]
	}
	if err := w.write(text); err != nil {
		return "", fmt.Errorf("shaders: StoreF16: %w", err)
	}
	return EnableF16 + w.out.String(), nil
}

// EnableF16 is the line that StoreF16 begins a text with.
const EnableF16 = "enable f16;\n"

var elementPattern = regexp.MustCompile(`^array<(f32|vec[234]<f32>)>$`)

func declarationOf(name string) *regexp.Regexp {
	return regexp.MustCompile(`@binding\(\s*\d+\s*\)\s*var<[^>]*>\s*` + name + `\s*:\s*([^;]+);`)
}

// half is the type f32, or a vector of it, with f16 in its place.
func half(element string) string { return strings.Replace(element, "f32", "f16", 1) }

// f16Writer writes a text with its accesses converted.
type f16Writer struct {
	types map[string]string // of the elements, as the shader has them, by binding
	out   strings.Builder
}

// write writes code. An access is a binding's name and an index in brackets.
func (w *f16Writer) write(code string) error {
	for i := 0; i < len(code); {
		switch c := code[i]; {
		case strings.HasPrefix(code[i:], "//"):
			end := lineEnd(code, i)
			w.out.WriteString(code[i:end])
			i = end
		case word(c):
			end := i + 1
			for end < len(code) && word(code[end]) {
				end++
			}
			name, field := code[i:end], i > 0 && code[i-1] == '.'
			if name == "struct" || name == "fn" {
				next, err := w.definition(code, i, name == "fn")
				if err != nil {
					return err
				}
				i = next
				continue
			}
			element, ok := w.types[name]
			if !ok || field || declares(code, i) {
				w.out.WriteString(name)
				i = end
				continue
			}
			next, err := w.access(code, i, end, element)
			if err != nil {
				return err
			}
			i = next
		default:
			w.out.WriteByte(c)
			i++
		}
	}
	return nil
}

// definition writes the structure, whose fields may have any names, or the function that
// stands at i, and returns where the code goes on. In a function, a name may be that of
// a parameter.
func (w *f16Writer) definition(code string, i int, function bool) (int, error) {
	end := closing(code, i)
	if end < 0 {
		return 0, fmt.Errorf("no closing brace: %q", line(code, i))
	}
	if !function {
		w.out.WriteString(code[i:end])
		return end, nil
	}
	open := i + strings.IndexByte(code[i:end], '{')
	body := f16Writer{types: maps.Clone(w.types)}
	for _, m := range parameterPattern.FindAllStringSubmatch(code[i:open], -1) {
		delete(body.types, m[1])
	}
	w.out.WriteString(code[i:open])
	err := body.write(code[open:end])
	w.out.WriteString(body.out.String())
	return end, err
}

var parameterPattern = regexp.MustCompile(`(\w+)\s*:`)

// declares reports whether the name at i is what a binding's declaration names.
func declares(code string, i int) bool {
	before := strings.TrimRight(code[:i], " \n")
	line := strings.LastIndexByte(before, '\n') + 1
	return strings.HasSuffix(before, ">") && strings.Contains(before[line:], "var<storage")
}

// access writes the access whose name stands from i to end, with the assignment that it
// is the left side of, and returns where the code goes on.
func (w *f16Writer) access(code string, i, end int, element string) (int, error) {
	name := code[i:end]
	if end == len(code) || code[end] != '[' {
		return 0, fmt.Errorf("%s is used other than by element: %q", name, line(code, i))
	}
	after := bracket(code, end)
	if after < 0 {
		return 0, fmt.Errorf("no bracket closes the index of %s: %q", name, line(code, i))
	}
	index, err := w.part(code[end+1 : after-1])
	if err != nil {
		return 0, err
	}
	stored := name + "[" + index + "]"
	// A component may be what is written.
	component, left := "", after
	if m := componentPattern.FindString(code[after:]); m != "" && element != "f32" {
		component, left = m, after+len(m)
	} else if after < len(code) && code[after] == '[' && element != "f32" {
		left = bracket(code, after)
		if left < 0 {
			return 0, fmt.Errorf("no bracket closes the component of %s: %q", name, line(code, i))
		}
		if component, err = w.part(code[after+1 : left-1]); err != nil {
			return 0, err
		}
		component = "[" + component + "]"
	}
	m := assignPattern.FindStringSubmatch(code[left:])
	if m == nil || strings.HasPrefix(code[left+len(m[0]):], "=") || !starts(code, i) {
		if i > 0 && code[i-1] == '&' && (i < 2 || code[i-2] != '&') {
			return 0, fmt.Errorf("a pointer to %s: %q", name, line(code, i))
		}
		w.out.WriteString(element + "(" + stored + ")")
		return after, nil
	}
	from := left + len(m[0])
	stop := strings.IndexByte(code[from:], ';')
	if stop < 0 {
		return 0, fmt.Errorf("no semicolon ends an assignment to %s: %q", name, line(code, i))
	}
	value, err := w.part(code[from : from+stop])
	if err != nil {
		return 0, err
	}
	target := half(element)
	if component != "" {
		target = "f16"
	}
	if m[1] != "" {
		value = element + "(" + stored + ")" + component + " " + m[1] + " (" + value + ")"
	}
	w.out.WriteString(stored + component + " = " + target + "(" + value + ")")
	return from + stop, nil
}

var (
	componentPattern = regexp.MustCompile(`^\.[xyzwrgba]\b`)
	assignPattern    = regexp.MustCompile(`^\s*([-+*/]?)=\s*`)
)

// part is code with its accesses converted.
func (w *f16Writer) part(code string) (string, error) {
	p := f16Writer{types: w.types}
	err := p.write(code)
	return p.out.String(), err
}

// starts reports whether a statement starts at i.
func starts(code string, i int) bool {
	before := strings.TrimRight(code[:i], " \t\n")
	if at := strings.LastIndexByte(before, '\n') + 1; strings.Contains(before[at:], "//") {
		return true // a comment ends the line before
	}
	return before == "" || slices.Contains([]byte("{};"), before[len(before)-1])
}

// bracket is where the code goes on behind the bracket that closes the one at i, or -1.
func bracket(code string, i int) int {
	depth := 0
	for ; i < len(code); i++ {
		switch code[i] {
		case '[':
			depth++
		case ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}

// line is the line of code that i is in.
func line(code string, i int) string {
	from := strings.LastIndexByte(code[:i], '\n') + 1
	return strings.TrimSpace(code[from:lineEnd(code, i)])
}

// lineEnd is where the line of code ends that i is in.
func lineEnd(code string, i int) int {
	if at := strings.IndexByte(code[i:], '\n'); at >= 0 {
		return i + at
	}
	return len(code)
}
