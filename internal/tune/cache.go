package tune

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"

	"github.com/pumice-ml/pumice/internal/engine"
	"github.com/pumice-ml/pumice/internal/shader"
)

// tunedFor is what choices depend on beside their class.
type tunedFor struct {
	Name    string `json:"name"`
	Vendor  string `json:"vendor"`
	Driver  string `json:"driver"`
	Backend string `json:"backend"`
	Binding string `json:"binding"`
	Version string `json:"version"` // of Pumice
	Shaders string `json:"shaders"` // shader.Hash
}

const tunedSchema = "pumice.tune.1"

// tunedFile is the file of choices as JSON.
type tunedFile struct {
	Schema   string    `json:"schema"`
	For      tunedFor  `json:"for"`
	Ceilings *ceilings `json:"ceilings,omitempty"`
	Choices  []*Choice `json:"choices"`
}

func (d *Device) tunedFor() tunedFor {
	i := d.Info()
	return tunedFor{i.Name, i.Vendor, i.Driver, i.Backend, i.Binding, version(), shader.Hash()}
}

// version is that of the module in the program, with the commit it was built from
// where that is known.
var version = sync.OnceValue(func() string {
	const module = "github.com/pumice-ml/pumice"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if info.Main.Path != module {
		for _, m := range info.Deps {
			if m.Path == module {
				return m.Version
			}
		}
		return "unknown"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			v += " " + s.Value
		}
	}
	return v
})

// TuneFile is where d's choices are kept, or "" where there is no such place. Without
// the file the next device measures anew.
func (d *Device) TuneFile() string {
	dir := engine.CacheFolder()
	if dir == "" || d.Info().Browser != "" || d.IsReference() {
		return ""
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", d.tunedFor()))
	return filepath.Join(dir, "tune", fmt.Sprintf("%x.json", sum[:8]))
}

// readTuned reads the choices that are kept. The ceilings are those given, where there
// are any. A file that is not what this device wrote is not used, which is logged.
func (d *Device) readTuned(known *ceilings) (map[string]*Choice, *ceilings) {
	all := map[string]*Choice{}
	file := d.TuneFile()
	if file == "" {
		return all, known
	}
	f, err := d.parseTuned(file)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			slog.Warn("pumice: kept choices of variants are not used; they will be measured and written anew", "file", file, "reason", err)
		}
		return all, known
	}
	for _, c := range f.Choices {
		c.Cached = true
		all[c.key()] = c
	}
	if known == nil {
		known = f.Ceilings
	}
	return all, known
}

func (d *Device) parseTuned(file string) (*tunedFile, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	f := &tunedFile{}
	if err := json.Unmarshal(text, f); err != nil {
		return nil, err
	}
	if f.Schema != tunedSchema {
		return nil, fmt.Errorf("schema %q, want %q", f.Schema, tunedSchema)
	}
	if want := d.tunedFor(); f.For != want {
		return nil, fmt.Errorf("it is for %+v, want %+v", f.For, want)
	}
	if c := f.Ceilings; c != nil && !(c.Flops > 0 && c.Bytes > 0 && c.Dispatch > 0) {
		return nil, fmt.Errorf("ceilings %+v, want positive ones", *c)
	}
	if slices.Contains(f.Choices, nil) {
		return nil, errors.New("a choice is null")
	}
	return f, nil
}

// keep adds a choice to those that are kept, and returns the one that counts: another
// process may have made it meanwhile, and then both go on with that.
func (d *Device) keep(c *Choice) *Choice {
	u := &d.tuner
	file := d.TuneFile()
	if file == "" {
		return c
	}
	all := maps.Clone(u.known)
	all[c.key()] = c
	if f, err := d.parseTuned(file); err == nil {
		for _, other := range f.Choices {
			if other.key() == c.key() {
				if !slices.ContainsFunc(c.Candidates, func(x Candidate) bool { return x.Variant == other.Variant }) {
					continue
				}
				c = other
			}
			other.Cached = true
			all[other.key()] = other
		}
	}
	f := &tunedFile{Schema: tunedSchema, For: d.tunedFor(), Ceilings: u.ceilings}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		f.Choices = append(f.Choices, all[key])
	}
	text, err := json.MarshalIndent(f, "", " ")
	if err == nil {
		err = engine.Replace(file, append(text, '\n'))
	}
	if err != nil && !u.unkept {
		u.unkept = true
		slog.Warn("pumice: choices of variants cannot be kept; the next process will measure again", "file", file, "reason", err)
	}
	return c
}
