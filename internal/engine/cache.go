package engine

import (
	"fmt"
	"os"
	"path/filepath"
)

// CacheFolder is where devices remember what they have found out: the folder
// PUMICE_CACHE, or pumice in the user's cache folder; "" where there is no such place.
func CacheFolder() string {
	if dir := os.Getenv("PUMICE_CACHE"); dir != "" {
		return dir
	}
	user, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(user, "pumice")
}

// Replace writes a file so that whoever reads it at any time finds all of the old text
// or all of the new.
func Replace(file string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(file), "new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("replace %s: %w", file, err)
	}
	return nil
}
