package shader

import (
	"fmt"

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
	m, err := s.specialise(entry, consts, params)
	if err != nil {
		return "", fmt.Errorf("shader: Specialize %s.%s: %w", s.Name, entry, err)
	}
	return m.String(), nil
}

func (s *Shader) specialise(entry string, consts map[string]string, params []string) (*wgsl.Module, error) {
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
	if m, err = wgsl.Unroll(m); err != nil {
		return nil, err
	}
	return wgsl.Shrink(wgsl.Flatten(wgsl.Drop(m))), nil
}
