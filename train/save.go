package train

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
)

// SaveBest writes a checkpoint after each epoch that is the best so far, beside that of
// Loop.Checkpoint: one to resume from as well.
type SaveBest struct {
	Path     string  // another than Loop.Checkpoint, Loop.Previous and the files of SaveEvery
	Monitor  string  // as Epoch.Value names measures; default "test_loss"
	MinDelta float64 // what an epoch must be better by
	Mode     string  // "min" or "max"; default by the measure
}

// SaveEvery writes a checkpoint epoch-0001.safetensors, ... to a folder, after every
// Epochs epochs, and removes all but the last Keep of those. A run without Resume first
// moves such files that it finds there, which are another run's, to Folder/previous.
type SaveEvery struct {
	Folder string // made where it is not there
	Epochs int    // default 1
	Keep   int    // 0 keeps all
}

func (s *SaveBest) monitor() monitor {
	return monitor{"SaveBest", nameOr(s.Monitor, "test_loss"), s.Mode, s.MinDelta}
}

func (s *SaveBest) check(names []string, evaluated bool) error {
	if info, err := os.Stat(filepath.Dir(s.Path)); s.Path == "" || err != nil || !info.IsDir() {
		return fmt.Errorf("train: SaveBest: Path is %q, want a file in a folder that is there", s.Path)
	}
	return s.monitor().measured(names, evaluated)
}

func (s *SaveEvery) check() error {
	if s.Epochs < 0 || s.Keep < 0 || s.Folder == "" {
		return fmt.Errorf("train: SaveEvery: Folder %q, Epochs %d, Keep %d, want a folder, and 0 or more of each", s.Folder, s.Epochs, s.Keep)
	}
	if err := os.MkdirAll(s.Folder, 0o755); err != nil {
		return fmt.Errorf("train: SaveEvery: %w", err)
	}
	return nil
}

var epochFile = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^epoch-(\d{4,})\.safetensors$`)
})

// file is where the checkpoint of an epoch goes, or "".
func (s *SaveEvery) file(epoch int) string {
	if s == nil || epoch%max(s.Epochs, 1) != 0 {
		return ""
	}
	return filepath.Join(s.Folder, epochName(epoch))
}

func epochName(epoch int) string { return fmt.Sprintf("epoch-%04d.safetensors", epoch) }

// tidy removes the files of all epochs before the last Keep that were written.
func (s *SaveEvery) tidy(epoch int) error {
	if s.Keep == 0 {
		return nil
	}
	found, err := epochsIn(s.Folder)
	if err != nil {
		return err
	}
	found = slices.DeleteFunc(found, func(n int) bool { return n > epoch })
	return removeEpochs(s.Folder, found[:max(len(found)-s.Keep, 0)])
}

// setAside moves the files of another run to the folder previous, in the place of those
// that were moved there before.
func (s *SaveEvery) setAside() error {
	found, err := epochsIn(s.Folder)
	if err != nil || len(found) == 0 {
		return err
	}
	aside := filepath.Join(s.Folder, "previous")
	if err := os.MkdirAll(aside, 0o755); err != nil {
		return fmt.Errorf("train: SaveEvery: %w", err)
	}
	before, err := epochsIn(aside)
	if err != nil {
		return err
	}
	if err := removeEpochs(aside, before); err != nil {
		return err
	}
	for _, n := range found {
		if err := os.Rename(filepath.Join(s.Folder, epochName(n)), filepath.Join(aside, epochName(n))); err != nil {
			return fmt.Errorf("train: SaveEvery: %w", err)
		}
	}
	return nil
}

// epochsIn are the epochs that a folder has files of, in their order.
func epochsIn(folder string) (found []int, err error) {
	list, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("train: SaveEvery: %w", err)
	}
	for _, entry := range list {
		if m := epochFile().FindStringSubmatch(entry.Name()); m != nil {
			if n, err := strconv.Atoi(m[1]); err == nil && entry.Name() == epochName(n) {
				found = append(found, n)
			}
		}
	}
	slices.Sort(found)
	return found, nil
}

func removeEpochs(folder string, epochs []int) error {
	for _, n := range epochs {
		if err := os.Remove(filepath.Join(folder, epochName(n))); err != nil {
			return fmt.Errorf("train: SaveEvery: %w", err)
		}
	}
	return nil
}

// apart returns an error where two checkpoints would be one file.
func (l *Loop) apart() error {
	paths := map[string]string{"Checkpoint": l.Checkpoint, "Previous": l.Previous}
	if l.SaveBest != nil {
		paths["SaveBest.Path"] = l.SaveBest.Path
	}
	names := slices.Sorted(maps.Keys(paths))
	for i, name := range names {
		path := filepath.Clean(paths[name])
		for _, other := range names[:i] {
			if paths[name] != "" && path == filepath.Clean(paths[other]) {
				return fmt.Errorf("train: %s and %s are both %s, want two files", other, name, path)
			}
		}
		if l.SaveEvery != nil && paths[name] != "" && filepath.Dir(path) == filepath.Clean(l.SaveEvery.Folder) && epochFile().MatchString(filepath.Base(path)) {
			return fmt.Errorf("train: %s is %s, which is a name of SaveEvery's files", name, path)
		}
	}
	return nil
}

// saveEpoch writes what is to be written of the epoch that is done, the checkpoint to
// resume from last: a run that is killed before does the epoch's end again.
func (r *run) saveEpoch(ctx context.Context) error {
	done := len(r.history)
	var paths []string
	if s := r.SaveBest; s != nil && s.monitor().best(r.history) == done-1 {
		paths = append(paths, s.Path)
	}
	every := r.SaveEvery.file(done)
	for _, path := range []string{every, r.Checkpoint} {
		if path != "" {
			paths = append(paths, path)
		}
	}
	if len(paths) == 0 {
		return nil
	}
	f, err := r.snapshot(ctx)
	if err != nil {
		return err
	}
	for _, path := range paths {
		if err := r.write(path, f); err != nil {
			return err
		}
	}
	if every != "" {
		return r.SaveEvery.tidy(done)
	}
	return nil
}
