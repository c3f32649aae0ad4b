package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestLocked wants a folder to belong to one training process, as long as that lives.
func TestLocked(t *testing.T) {
	dir := t.TempDir()
	args := []string{"train", "--device", "reference", "--images", "50", "--batch", "10", "--epochs", "1", "--model", "mlp", "--no-report", "--json", "--out", dir}
	must(t, args...)
	before, err := os.ReadFile(filepath.Join(dir, checkpointName))
	if err != nil {
		t.Fatal(err)
	}
	old, young := filepath.Join(dir, ".pumice-0.tmp"), filepath.Join(dir, ".pumice-1.tmp")
	for _, name := range []string{old, young} {
		if err := os.WriteFile(name, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(old, time.Time{}, time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	unlock, err := lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := demo(t, args...); err == nil || !strings.Contains(err.Error(), "--out "+dir+": another process is training there") {
		t.Errorf("got %v\n%s", err, out)
	}
	supervised := child(append(args, "--supervise")...)
	if out, err := supervised.CombinedOutput(); err == nil || strings.Count(string(out), "another process is training there") != 1 {
		t.Errorf("supervised: %v\n%s", err, out)
	}
	if after, err := os.ReadFile(filepath.Join(dir, checkpointName)); err != nil || !bytes.Equal(after, before) {
		t.Errorf("the checkpoint changed: %v", err)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	must(t, append(args, "--resume")...)
	if _, err := os.Stat(old); err == nil {
		t.Errorf("%s is left", old)
	}
	if _, err := os.Stat(young); err != nil {
		t.Error(err)
	}
}
