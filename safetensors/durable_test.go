package safetensors

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

var errInjected = errors.New("injected fault")

// faultyFS is the real file system with a fault at the n-th call, counted from
// 1, and at every call named in also. Resources are released as they would be.
type faultyFS struct {
	osFS
	n, calls int
	also     string
	steps    []string
}

func (f *faultyFS) fault(step string) error {
	f.calls++
	f.steps = append(f.steps, step)
	if f.calls == f.n || step == f.also {
		return errInjected
	}
	return nil
}

func (f *faultyFS) target(path string) (string, fs.FileInfo, error) {
	if err := f.fault("target"); err != nil {
		return "", nil, err
	}
	return f.osFS.target(path)
}

func (f *faultyFS) create(dir string, old fs.FileInfo) (file, error) {
	if err := f.fault("create"); err != nil {
		return nil, err
	}
	made, err := f.osFS.create(dir, old)
	return &faultyFile{made, f}, err
}

func (f *faultyFS) rename(from, to string) error {
	if err := f.fault("rename"); err != nil {
		return err
	}
	return f.osFS.rename(from, to)
}

func (f *faultyFS) remove(path string) error {
	if err := f.fault("remove"); err != nil {
		return err
	}
	return f.osFS.remove(path)
}

func (f *faultyFS) syncDir(dir string) error {
	if err := f.fault("syncDir"); err != nil {
		return err
	}
	return f.osFS.syncDir(dir)
}

type faultyFile struct {
	file
	fs *faultyFS
}

// Write fails as a full disk does: half of the bytes are there.
func (f *faultyFile) Write(b []byte) (int, error) {
	if err := f.fs.fault("write"); err != nil {
		n, _ := f.file.Write(b[:len(b)/2])
		return n, err
	}
	return f.file.Write(b)
}

func (f *faultyFile) Sync() error { return errors.Join(f.fs.fault("sync"), f.file.Sync()) }

func (f *faultyFile) Close() error { return errors.Join(f.fs.fault("close"), f.file.Close()) }

// chunks writes s in parts larger than the buffer, so that each is a write.
func chunks(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		for len(s) > 0 {
			n := min(len(s), 100_000)
			if _, err := io.WriteString(w, s[:n]); err != nil {
				return err
			}
			s = s[n:]
		}
		return nil
	}
}

var (
	oldText = strings.Repeat("old ", 100_000)
	newText = strings.Repeat("new text ", 50_000)
)

// checkFolder fails unless dir holds only the file f with the content want, or
// nothing at all if want is empty.
func checkFolder(t *testing.T, dir, want string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if want == "" {
		if len(entries) != 0 {
			t.Errorf("got files %v, want none", entries)
		}
		return
	}
	if len(entries) != 1 || entries[0].Name() != "f" {
		t.Errorf("got files %v, want only f", entries)
	}
	got, err := os.ReadFile(filepath.Join(dir, "f"))
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("got %d bytes %.20q, want %d bytes %.20q", len(got), got, len(want), want)
	}
}

// A fault at every call in turn: the old content or the new, and nothing else
// in the folder.
func TestWriteDurableFaults(t *testing.T) {
	for _, old := range []string{oldText, ""} {
		failed := make(map[string]bool)
		for n := 1; ; n++ {
			dir := t.TempDir()
			path := filepath.Join(dir, "f")
			if old != "" {
				if err := os.WriteFile(path, []byte(old), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			sys := &faultyFS{n: n}
			err := writeDurable(sys, path, chunks(newText))
			if sys.calls < n {
				if err != nil {
					t.Errorf("no fault: got %v, want nil", err)
				}
				checkFolder(t, dir, newText)
				break
			}
			step := sys.steps[n-1]
			failed[step] = true
			if !errors.Is(err, errInjected) {
				t.Errorf("fault %d in %s: got %v, want the fault", n, step, err)
			}
			if step == "syncDir" {
				checkFolder(t, dir, newText)
			} else {
				checkFolder(t, dir, old)
			}
		}
		for _, step := range []string{"target", "create", "write", "sync", "close", "rename", "syncDir"} {
			if !failed[step] {
				t.Errorf("old content of %d bytes: no fault in %s, want one", len(old), step)
			}
		}
	}
}

// The order is what makes it durable.
func TestWriteDurableOrder(t *testing.T) {
	sys := new(faultyFS)
	if err := writeDurable(sys, filepath.Join(t.TempDir(), "f"), chunks("text")); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(sys.steps, " "), "target create write sync close rename syncDir"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// When even the removal fails, the error tells of both and the old content stays.
func TestWriteDurableCannotRemove(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := os.WriteFile(path, []byte(oldText), 0o600); err != nil {
		t.Fatal(err)
	}
	err := writeDurable(&faultyFS{n: 4, also: "remove"}, path, chunks(newText))
	if err == nil || !strings.Contains(err.Error(), "write: ") || !strings.Contains(err.Error(), "remove the temporary file: ") {
		t.Errorf("got %v, want the write and the removal", err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != oldText {
		t.Errorf("got %.20q and %v, want the old text", got, err)
	}
}

func TestWriteDurableCallback(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := WriteDurable(path, chunks(oldText)); err != nil {
		t.Fatal(err)
	}
	checkFolder(t, dir, oldText)

	err := WriteDurable(path, func(w io.Writer) error {
		return errors.Join(chunks(newText)(w), errInjected)
	})
	if !errors.Is(err, errInjected) || !strings.HasPrefix(err.Error(), "safetensors: WriteDurable: "+path+": write: ") {
		t.Errorf("error: got %v, want the callback's with the path", err)
	}
	checkFolder(t, dir, oldText)

	func() {
		defer func() {
			if got := recover(); got != "boom" {
				t.Errorf("panic: got %v, want boom", got)
			}
		}()
		_ = WriteDurable(path, func(w io.Writer) error {
			_ = chunks(newText)(w)
			panic("boom")
		})
	}()
	checkFolder(t, dir, oldText)

	// A callback that ignores the writer's error gets it reported all the same.
	err = writeDurable(&faultyFS{n: 4}, path, func(w io.Writer) error {
		_ = chunks(newText)(w)
		return nil
	})
	if !errors.Is(err, errInjected) {
		t.Errorf("ignored error: got %v, want the fault", err)
	}
	checkFolder(t, dir, oldText)
}

func TestWriteDurablePlaces(t *testing.T) {
	dir := t.TempDir()
	if err := WriteDurable(dir, chunks("x")); err == nil || !strings.Contains(err.Error(), "want a regular file") {
		t.Errorf("folder: got %v, want an error", err)
	}
	missing := filepath.Join(dir, "missing", "f")
	if err := WriteDurable(missing, chunks("x")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing folder: got %v, want os.ErrNotExist", err)
	}
	checkFolder(t, dir, "")
}

func TestWriteFileErrors(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := WriteFile(path, goldenFile()); err != nil {
		t.Fatal(err)
	}
	err := WriteFile(path, &File{Tensors: map[string]Tensor{"w": {F32, []int{2}, nil}}})
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), `tensor "w": 0 bytes`) {
		t.Errorf("got %v, want an error with the path and the tensor", err)
	}
	checkFolder(t, dir, golden)
	sys := &faultyFS{n: 4}
	if err := writeDurable(sys, path, new(File).Encode); !errors.Is(err, errInjected) {
		t.Errorf("got %v, want the fault", err)
	}
	checkFolder(t, dir, golden)
}

// Modes and links are those of Unix; Windows has neither in this sense.
func TestWriteDurableKeepsModeAndLink(t *testing.T) {
	if runtime.GOOS == "windows" || runtime.GOOS == "js" {
		t.Skip("the file system has no Unix modes and links")
	}
	dir, links := t.TempDir(), t.TempDir()
	path, link := filepath.Join(dir, "f"), filepath.Join(links, "link")
	if err := os.WriteFile(path, []byte(oldText), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []fs.FileMode{0o666, 0o640, 0o400} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if err := WriteDurable(path, chunks(newText)); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != mode {
			t.Errorf("got mode %v, want %v", info.Mode(), mode)
		}
	}
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if err := WriteDurable(link, chunks(oldText)); err != nil {
		t.Fatal(err)
	}
	checkFolder(t, dir, oldText)
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("got %v and %v, want a link still", info, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := WriteDurable(link, chunks(oldText)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("dangling link: got %v, want os.ErrNotExist", err)
	}
	checkFolder(t, dir, "")
}
