package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// lock keeps other processes from training into a folder until the caller calls unlock, or
// the process ends, however that is. Systems without locks of files have none.
func lock(folder string) (unlock func() error, err error) {
	l := flock.New(filepath.Join(folder, ".pumice-run.lock"))
	switch got, err := l.TryLock(); {
	case errors.Is(err, errors.ErrUnsupported):
		return func() error { return nil }, nil
	case err != nil:
		return nil, fmt.Errorf("--out %s: cannot lock the folder: %w", folder, err)
	case !got:
		return nil, fmt.Errorf("--out %s: another process is training there", folder)
	}
	return l.Unlock, nil
}

// tidy removes what killed processes left of files that they were writing, from a folder
// that is locked. What is younger than a minute may be another command's.
func tidy(folder string) error {
	list, err := os.ReadDir(folder)
	if err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	for _, entry := range list {
		name := entry.Name()
		if !strings.HasPrefix(name, ".pumice-") || !strings.HasSuffix(name, ".tmp") {
			continue
		}
		if info, err := entry.Info(); err == nil && time.Since(info.ModTime()) > time.Minute {
			if err := os.Remove(filepath.Join(folder, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("--out: %w", err)
			}
		}
	}
	return nil
}
