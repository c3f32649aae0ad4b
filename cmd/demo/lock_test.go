package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
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
}
