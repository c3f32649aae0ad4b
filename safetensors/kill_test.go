//go:build unix

package safetensors

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// childPath, in the environment, makes TestKill the child: it writes the two
// files of alternating to that path for ever, and a byte to standard output
// before every write, so that the parent knows it is at work.
const childPath = "SAFETENSORS_TEST_CHILD"

// alternating returns one of two files that differ in every byte of their data
// and in length, large enough to be written in several steps.
func alternating(i int) *File {
	i %= 2
	v := make([]uint32, 200_000+50_000*i)
	for j := range v {
		v[j] = 0x01010101 << i
	}
	f := &File{Tensors: make(map[string]Tensor)}
	for k := range 4 {
		f.Tensors[fmt.Sprintf("file%d.%d", i, k)] = FromUint32([]int{len(v) / 4}, v[:len(v)/4])
	}
	f.Seal()
	return f
}

// ticker tells of each write before passing it on.
type ticker struct{ io.Writer }

func (t ticker) Write(b []byte) (int, error) {
	// Once the parent is gone this fails, and the child with it.
	if _, err := os.Stdout.WriteString("."); err != nil {
		return 0, err
	}
	return t.Writer.Write(b)
}

func child(path string) {
	two := []*File{alternating(0), alternating(1)}
	for i := 0; ; i++ {
		err := WriteDurable(path, func(w io.Writer) error { return two[i%2].Encode(ticker{w}) })
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// RELIABILITY: killed at any moment, the file is the old one or the new one.
func TestKill(t *testing.T) {
	if path := os.Getenv(childPath); path != "" {
		child(path)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := WriteFile(path, alternating(0)); err != nil {
		t.Fatal(err)
	}
	sums := map[string]int{alternating(0).Sum(): 0, alternating(1).Sum(): 1}
	random := rand.New(rand.NewPCG(1, 2))
	var found [2]int
	for range 20 {
		killAfter(t, path, 1+random.IntN(60), random.IntN(2000))
		f, err := ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.CheckSeal(); err != nil {
			t.Fatal(err)
		}
		which, ok := sums[f.Sum()]
		if !ok {
			t.Fatalf("got a file with sum %s, want one of %v", f.Sum(), sums)
		}
		found[which]++
	}
	left, err := filepath.Glob(filepath.Join(dir, ".pumice-*.tmp"))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("20 kills: %d times the first file, %d the second; %d in mid-write", found[0], found[1], len(left))
	// What a kill leaves is only what the documentation names.
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != len(left)+1 {
		t.Errorf("got %v, want f and %d temporary files", all, len(left))
	}
}

// killAfter kills a child after it has begun so many writes, and a short while
// of so many rounds of work more.
func killAfter(t *testing.T, path string, writes, rounds int) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKill$", "-test.timeout=60s")
	cmd.Env = append(os.Environ(), childPath+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, err = io.ReadFull(bufio.NewReaderSize(out, 16), make([]byte, writes))
	// The byte is told before a write begins: without this, every kill would
	// fall there and none into sync or rename.
	for range rounds {
		_, _ = os.Lstat(path)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if wait := cmd.Wait(); wait == nil {
		t.Fatal("the child ended by itself, want it killed")
	}
	if err != nil {
		t.Fatalf("the child stopped after fewer than %d writes: %v", writes, err)
	}
}
