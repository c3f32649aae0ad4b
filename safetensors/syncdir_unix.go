//go:build unix

package safetensors

import (
	"errors"
	"os"
	"syscall"
)

// syncDir makes a rename in dir survive a power failure.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	// Some network and user-space file systems have nothing to sync for a
	// folder and answer so; the rename itself was their whole promise.
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) {
		return err
	}
	return nil
}
