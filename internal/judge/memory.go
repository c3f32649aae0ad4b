package judge

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/pumice-ml/pumice/internal/engine"
)

// mostRemembered is how many bytes the file of what passed may have.
const mostRemembered = 16 << 20

// passed are the keys of texts that passed, the oldest first.
type passed struct {
	order []string
	keys  map[string]bool
}

func (p *passed) has(key string) bool { return p.keys[key] }

func (p *passed) add(keys []string) {
	if p.keys == nil {
		p.keys = map[string]bool{}
	}
	for _, key := range keys {
		if !p.keys[key] {
			p.keys[key], p.order = true, append(p.order, key)
		}
	}
}

// checksFile is where the texts that passed on d's adapter and driver are remembered, or
// "" where there is no such place.
func (d *Device) checksFile() string {
	dir := engine.CacheFolder()
	if dir == "" {
		return ""
	}
	i := d.Info()
	sum := sha256.Sum256([]byte(strings.Join([]string{i.Name, i.Vendor, i.Driver, i.Backend, i.Binding, i.Browser}, "\n")))
	return filepath.Join(dir, fmt.Sprintf("judged-%x.json", sum[:8]))
}

// readPassed reads such a file. One that is not there, or cannot be read, is one in which
// nothing has passed.
func readPassed(file string) (p passed) {
	var keys []string
	text, err := os.ReadFile(file)
	if err == nil && json.Unmarshal(text, &keys) == nil {
		p.add(keys)
	}
	return p
}

// writePassed adds keys to the file, and forgets the oldest where it gets too large. It is
// a cache: where it cannot be written, the next process judges again.
func writePassed(file string, keys []string) {
	if file == "" || len(keys) == 0 {
		return
	}
	all := readPassed(file) // another process may have written meanwhile
	all.add(keys)
	if most := mostRemembered / (len(keys[0]) + len(`"",`)); len(all.order) > most {
		all.order = all.order[len(all.order)-most:]
	}
	if text, err := json.Marshal(all.order); err == nil {
		_ = engine.Replace(file, text)
	}
}
