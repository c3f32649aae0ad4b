package shader

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"sync"

	"github.com/pumice-ml/pumice/shaders"
)

// Hash tells sets of shaders apart: it is of the names and texts of Pumice's own.
var Hash = sync.OnceValue(func() string {
	sum := sha256.New()
	for _, name := range shaders.Names() {
		text, _ := fs.ReadFile(shaders.FS(), name+".wgsl") // Names has found it
		fmt.Fprintf(sum, "%s %d\n%s", name, len(text), text)
	}
	return fmt.Sprintf("%x", sum.Sum(nil)[:12])
})
