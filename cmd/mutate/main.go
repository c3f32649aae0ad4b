// Mutate checks the conformance suite: it breaks a line of a shader at a time and
// counts how many of the broken shaders the suite finds.
//
//	go run ./cmd/mutate                  # some mutants of every file; half an hour
//	go run ./cmd/mutate -max 0 relu sum  # all of two files
//
// A mutant is found where an element is illegal, or further off than it is in practice.
// One that a driver cannot compile does not count. Those that no suite can
// find, for they compute the same, stand in equivalent.json, with the reason.
package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pumice-ml/pumice/compute/conform"
	"github.com/pumice-ml/pumice/internal/shader"
	"github.com/pumice-ml/pumice/shaders"
)

//go:embed equivalent.json
var equivalents []byte

func main() {
	log.SetFlags(0)
	log.SetPrefix("mutate: ")
	most := flag.Int("max", 6, "mutants of each file; 0 is all")
	limit := flag.Duration("limit", 3*time.Minute, "time for one mutant, which counts as found when it is over")
	list := flag.Bool("list", false, "print the mutants, and try none")
	flag.Parse()
	var known []mutant
	if err := json.Unmarshal(equivalents, &known); err != nil {
		log.Fatal(err)
	}
	files := flag.Args()
	if len(files) == 0 {
		files = shaders.Names()
	}
	dir, err := os.MkdirTemp("", "mutate-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	demo := filepath.Join(dir, "demo")
	if out, err := exec.Command("go", "build", "-tags", "mutate", "-o", demo, "github.com/pumice-ml/pumice/cmd/demo").CombinedOutput(); err != nil {
		log.Fatalf("%v\n%s", err, out)
	}
	for _, name := range shaders.Names() {
		s, err := shader.Load(name)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name+".wgsl"), []byte(s.Text), 0o644)
		}
		if err != nil {
			log.Fatal(err)
		}
	}
	total, found := 0, 0
	survivors := 0
	for _, name := range files {
		s, err := shader.Load(name)
		if err != nil {
			log.Fatal(err)
		}
		if *list {
			all, err := mutants(name, s.Text)
			if err != nil {
				log.Fatal(err)
			}
			for _, m := range all {
				fmt.Printf("%s.wgsl:%d\n  %s\n  %s\n", m.File, m.number+1, m.Line, m.Mutant)
				total++
			}
			continue
		}
		whole := mutant{File: name, Mutant: strings.Split(s.Text, "\n")[0]}
		if verdict, err := try(dir, demo, s.Text, whole, *limit); err != nil || verdict != "survived" {
			log.Fatalf("%s.wgsl as it is, without a mutation: %s %v", name, verdict, err)
		}
		all, err := mutants(name, s.Text)
		if err != nil {
			log.Fatal(err)
		}
		count, killed, same, invalid := 0, 0, 0, 0
		for _, m := range all {
			if *most > 0 && count >= *most {
				break
			}
			if slices.ContainsFunc(known, func(k mutant) bool { return k.File == m.File && k.Line == m.Line && k.Mutant == m.Mutant }) {
				same++
				continue
			}
			switch verdict, err := try(dir, demo, s.Text, m, *limit); {
			case err != nil:
				log.Fatal(err)
			case verdict == "invalid":
				invalid++
				continue
			case verdict == "survived":
				survivors++
				fmt.Printf("survived: %s.wgsl:%d\n  %s\n  %s\n", m.File, m.number+1, m.Line, m.Mutant)
			default:
				killed++
			}
			count++
		}
		fmt.Printf("%s: %d of %d found, %d equivalent, %d do not compile\n", name, killed, count, same, invalid)
		total, found = total+count, found+killed
	}
	if *list {
		fmt.Println(total, "mutants")
		return
	}
	fmt.Printf("%d of %d mutants found, %.1f%%, %d survived\n", found, total, 100*float64(found)/float64(max(total, 1)), survivors)
}

// try runs the suite on a mutant: it is found, it survives, or it is invalid.
func try(dir, demo, text string, m mutant, limit time.Duration) (string, error) {
	lines := strings.Split(text, "\n")
	lines[m.number] = m.Mutant
	file := filepath.Join(dir, m.File+".wgsl")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
		return "", err
	}
	defer os.WriteFile(file, []byte(text), 0o644)
	report := filepath.Join(dir, "report.json")
	os.Remove(report)
	cmd := exec.Command(demo, "conform", "--passes=false", "--fail-fast", "--kernel", m.File+".*", "--json", report)
	cmd.Env = append(os.Environ(), "PUMICE_SHADERS="+dir)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		return "", err
	}
	timer := time.AfterFunc(limit, func() { cmd.Process.Kill() })
	err := cmd.Wait()
	if !timer.Stop() {
		return "found", nil
	}
	var status *exec.ExitError
	if err != nil && !errors.As(err, &status) {
		return "", err
	}
	r, unread := conform.ReadReport(report)
	if unread != nil {
		return "found", nil // the program ended before its report: it panics, or was aborted
	}
	if err == nil {
		// Legal, but further off than the kernel is on this adapter, is found as well.
		if slices.ContainsFunc(r.Kernels, func(k *conform.Kernel) bool { return strings.HasPrefix(k.Name, m.File+".") && k.Unusual() }) {
			return "found", nil
		}
		return "survived", nil
	}
	for _, c := range r.Cases {
		if c.Verdict == conform.Failed && strings.Contains(c.Error, "refused by the driver") {
			return "invalid", nil
		}
	}
	return "found", nil
}
