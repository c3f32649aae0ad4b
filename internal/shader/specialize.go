package shader

import (
	"fmt"
	"slices"
	"sync"

	"github.com/pumice-ml/pumice/internal/wgsl"
)

// Specialize writes the text of one entry point: the values of the named
// constants are replaced, Params is baked in as a constant where params is not
// nil (one WGSL literal per field, in order), what the entry point does not reach is left
// out, and each counted loop under a line "// unroll" is expanded (see wgsl.Unroll). It
// returns an error where a constant does not exist, the number of params is wrong, or
// an unroll line stands above another kind of loop. A loop whose number of turns depends
// on params that are not baked stays a loop. Branches that constant conditions rule out
// are left out.
func (s *Shader) Specialize(entry string, consts map[string]string, params []string) (string, error) {
	key := fmt.Sprintf("%s %q %q", entry, consts, params)
	if text, ok := s.written.of(key); ok {
		return text, nil
	}
	m, err := s.specialise(entry, consts, params, func(string, *wgsl.Module) {})
	if err != nil {
		return "", fmt.Errorf("shader: Specialize %s.%s: %w", s.Name, entry, err)
	}
	text := m.String()
	s.written.keep(key, text)
	return text, nil
}

// mostWritten is how many texts of a shader are kept.
const mostWritten = 16

// written are the last texts of a shader, for a program asks for each some times: to find
// its key, to judge it and to run it.
type written struct {
	sync.Mutex
	texts []writing
}

type writing struct{ key, text string }

func (w *written) of(key string) (text string, ok bool) {
	w.Lock()
	defer w.Unlock()
	i := slices.IndexFunc(w.texts, func(one writing) bool { return one.key == key })
	if i < 0 {
		return "", false
	}
	one := w.texts[i]
	w.texts = append(slices.Delete(w.texts, i, i+1), one)
	return one.text, true
}

func (w *written) keep(key, text string) {
	w.Lock()
	defer w.Unlock()
	if slices.ContainsFunc(w.texts, func(one writing) bool { return one.key == key }) {
		return // of another goroutine
	}
	if len(w.texts) == mostWritten {
		w.texts = slices.Delete(w.texts, 0, 1)
	}
	w.texts = append(w.texts, writing{key, text})
}

// rewritings are the passes over the text, in their order.
var rewritings = []struct {
	name    string
	rewrite func(*wgsl.Module) (*wgsl.Module, error)
}{
	{"unroll", wgsl.Unroll},
	{"drop", func(m *wgsl.Module) (*wgsl.Module, error) { return wgsl.Drop(m), nil }},
	{"flatten", func(m *wgsl.Module) (*wgsl.Module, error) { return wgsl.Flatten(m), nil }},
	{"shrink", func(m *wgsl.Module) (*wgsl.Module, error) { return wgsl.Shrink(m), nil }},
}

// Rewritings names the passes that change the text which Specialize writes, of all that
// it has, and all of those.
func (s *Shader) Rewritings(entry string, consts map[string]string, params []string) (changed, all []string) {
	text := ""
	_, _ = s.specialise(entry, consts, params, func(name string, m *wgsl.Module) {
		next := m.String()
		if name != "" {
			if all = append(all, name); next != text {
				changed = append(changed, name)
			}
		}
		text = next
	})
	return changed, all
}

func (s *Shader) specialise(entry string, consts map[string]string, params []string, visit func(name string, m *wgsl.Module)) (*wgsl.Module, error) {
	if _, ok := s.Entry(entry); !ok {
		return nil, fmt.Errorf("no such entry point")
	}
	values := map[string]wgsl.Expr{}
	for name, text := range consts {
		x, err := wgsl.ParseExpr(text)
		if err != nil {
			return nil, fmt.Errorf("constant %s: %w", name, err)
		}
		values[name] = x
	}
	var baked []wgsl.Expr
	for _, text := range params {
		x, err := wgsl.ParseExpr(text)
		if err != nil {
			return nil, fmt.Errorf("param %q: %w", text, err)
		}
		baked = append(baked, x)
	}
	m, err := wgsl.Specialise(s.module, entry, values, baked)
	if err != nil {
		return nil, err
	}
	visit("", m)
	for _, r := range rewritings {
		if m, err = r.rewrite(m); err != nil {
			return nil, err
		}
		visit(r.name, m)
	}
	return m, nil
}
