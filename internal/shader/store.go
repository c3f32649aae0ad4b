package shader

import (
	"fmt"

	"github.com/pumice-ml/pumice/internal/wgsl"
)

// StoreF16 rewrites the text of a shader, as Specialize writes it, for bindings whose
// elements are stored as f16 (see wgsl.StoreF16). It returns an error where a name is no
// binding of f32 numbers, or is used other than by element.
func StoreF16(text string, names ...string) (string, error) {
	m, err := wgsl.Parse(text)
	if err == nil {
		m, err = wgsl.StoreF16(m, names...)
	}
	if err != nil {
		return "", fmt.Errorf("shader: StoreF16: %w", err)
	}
	return m.String(), nil
}

// EnableF16 is the line that StoreF16 begins a text with.
const EnableF16 = wgsl.EnableF16 + ";\n"
