package main

import (
	"errors"
	"fmt"
	"path/filepath"

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
