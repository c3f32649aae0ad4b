package safetensors

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// WriteDurable replaces the content of the file at path with what write sends
// to its writer: a temporary file in the same folder, write, fsync, rename,
// fsync of the folder. Whoever looks at path, at any moment, after an error, a
// panic in write or a kill, finds the old content or the new, whole.
//
// A new file gets mode 0666 less the umask, an existing one keeps its mode,
// and a symbolic link is followed. It returns an error, which wraps the cause
// and names path and the step, if a step fails, if write fails, or if path is
// something other than a regular file. After an error the old content is still
// there, except when only the fsync of the folder failed: then the new content
// is there, and a power failure may bring the old one back. No temporary file
// stays unless the process is killed; such a one is named .pumice-*.tmp and
// may be deleted. Where folders cannot be synced (Windows, js/wasm) that step
// is left out.
func WriteDurable(path string, write func(io.Writer) error) error {
	if err := writeDurable(osFS{}, path, write); err != nil {
		return fmt.Errorf("safetensors: WriteDurable: %s: %w", path, err)
	}
	return nil
}

// fileSystem is what durable writing asks of the operating system; tests make
// each call fail in turn.
type fileSystem interface {
	// target returns the path behind symbolic links, and the file that stands
	// there, nil if there is none.
	target(path string) (string, fs.FileInfo, error)
	// create makes a new file in dir, with the mode of old if there is one.
	create(dir string, old fs.FileInfo) (file, error)
	rename(from, to string) error
	remove(path string) error
	syncDir(dir string) error
}

// file is a file that is being written; *os.File is one.
type file interface {
	io.Writer
	Name() string
	Sync() error
	Close() error
}

func writeDurable(sys fileSystem, path string, write func(io.Writer) error) (err error) {
	path, old, err := sys.target(path)
	if err != nil {
		return fmt.Errorf("look: %w", err)
	}
	dir := filepath.Dir(path)
	f, err := sys.create(dir, old)
	if err != nil {
		return fmt.Errorf("create: %w", err)
	}
	open, renamed := true, false
	// Deferred, so that a panic in write leaves no temporary file either.
	defer func() {
		if open {
			err = errors.Join(err, f.Close())
		}
		if !renamed {
			if e := sys.remove(f.Name()); e != nil {
				err = errors.Join(err, fmt.Errorf("remove the temporary file: %w", e))
			}
		}
	}()
	w := bufio.NewWriterSize(f, 1<<16)
	if err := write(w); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	open = false
	if err := f.Close(); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	if err := sys.rename(f.Name(), path); err != nil {
		return fmt.Errorf("rename: %w", err)
	}
	renamed = true
	if err := sys.syncDir(dir); err != nil {
		return fmt.Errorf("sync the folder: %w", err)
	}
	return nil
}

// osFS is the real file system.
type osFS struct{}

func (osFS) target(path string) (string, fs.FileInfo, error) {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return path, nil, nil
	}
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", nil, err
	}
	// A rename would put a file in place of a device or a pipe.
	if !info.Mode().IsRegular() {
		return "", nil, fmt.Errorf("%s is %s, want a regular file", path, info.Mode())
	}
	return path, info, nil
}

func (osFS) create(dir string, old fs.FileInfo) (file, error) {
	for range 1000 {
		name := filepath.Join(dir, fmt.Sprintf(".pumice-%016x.tmp", rand.Uint64()))
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil || old == nil {
			return f, err
		}
		if err := keepMode(f, old.Mode().Perm()); err != nil {
			return nil, errors.Join(err, f.Close(), os.Remove(name))
		}
		return f, nil
	}
	return nil, fmt.Errorf("%s: no free name for a temporary file", dir)
}

// keepMode gives f the mode, unless it has it: some file systems know only one.
func keepMode(f *os.File, mode fs.FileMode) error {
	info, err := f.Stat()
	if err != nil || info.Mode().Perm() == mode {
		return err
	}
	return f.Chmod(mode)
}

func (osFS) rename(from, to string) error { return os.Rename(from, to) }

func (osFS) remove(path string) error { return os.Remove(path) }

func (osFS) syncDir(dir string) error { return syncDir(dir) }
