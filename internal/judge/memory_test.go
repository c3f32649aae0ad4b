package judge

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// TestRemembered wants the file of what passed to be bounded, the oldest forgotten, and a
// folder that cannot be written to do no harm.
func TestRemembered(t *testing.T) {
	if runtime.GOOS == "js" {
		t.Skip("a browser has no files")
	}
	file := filepath.Join(t.TempDir(), "judged.json")
	var keys []string
	for i := range mostRemembered / 24 {
		keys = append(keys, fmt.Sprintf("%024x", i))
	}
	writePassed(file, keys)
	writePassed(file, []string{"0123456789abcdef01234567"})
	info := stat(t, file)
	p := readPassed(file)
	if info.Size() > mostRemembered || p.has(keys[0]) || !p.has(keys[len(keys)-1]) || !p.has("0123456789abcdef01234567") {
		t.Errorf("%d bytes, the first %v, the last %v", info.Size(), p.has(keys[0]), p.has("0123456789abcdef01234567"))
	}
	writePassed(filepath.Join(file, "none.json"), keys[:1])
}

func stat(t *testing.T, file string) os.FileInfo {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	return info
}
