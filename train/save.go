package train

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

// SaveBest writes a checkpoint after each epoch that is the best so far, beside that of
// Loop.Checkpoint: one to resume from as well.
type SaveBest struct {
	Path     string
	Monitor  string  // as Epoch.Value names measures; default "test_loss"
	MinDelta float64 // what an epoch must be better by
	Mode     string  // "min" or "max"; default by the measure
}

// SaveEvery writes a checkpoint epoch-0001.safetensors, ... to a folder, after every
// Epochs epochs, and removes all but the last Keep of those.
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

var epochFile = regexp.MustCompile(`^epoch-(\d{4,})\.safetensors$`)

// file is where the checkpoint of an epoch goes, or "".
func (s *SaveEvery) file(epoch int) string {
	if s == nil || epoch%max(s.Epochs, 1) != 0 {
		return ""
	}
	return filepath.Join(s.Folder, fmt.Sprintf("epoch-%04d.safetensors", epoch))
}

// tidy removes the files of all epochs before the last Keep that were written.
func (s *SaveEvery) tidy(epoch int) error {
	if s.Keep == 0 {
		return nil
	}
	list, err := os.ReadDir(s.Folder)
	if err != nil {
		return fmt.Errorf("train: SaveEvery: %w", err)
	}
	var found []int
	for _, entry := range list {
		if m := epochFile.FindStringSubmatch(entry.Name()); m != nil {
			if n, err := strconv.Atoi(m[1]); err == nil && n <= epoch {
				found = append(found, n)
			}
		}
	}
	slices.Sort(found)
	for _, n := range found[:max(len(found)-s.Keep, 0)] {
		if err := os.Remove(filepath.Join(s.Folder, fmt.Sprintf("epoch-%04d.safetensors", n))); err != nil {
			return fmt.Errorf("train: SaveEvery: %w", err)
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
