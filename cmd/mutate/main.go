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
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pumice-ml/pumice/compute/conform"
	"github.com/pumice-ml/pumice/shaders"
)

//go:embed equivalent.json
var equivalents []byte

// mutant is a line of a file and what it is turned into.
type mutant struct {
	File, Line, Mutant string
	Why                string `json:",omitempty"` // it computes the same
	number             int    // of the line, from 0
}

// rules turn what matches into something else. A rule with several replacements makes
// a mutant of each.
var rules = []struct {
	pattern *regexp.Regexp
	by      []string
}{
	{regexp.MustCompile(` \+= `), []string{" = ", " -= "}},
	{regexp.MustCompile(` -= `), []string{" = ", " += "}},
	{regexp.MustCompile(` \*= `), []string{" = "}},
	{regexp.MustCompile(` \+ `), []string{" - ", " * "}},
	{regexp.MustCompile(` - `), []string{" + "}},
	{regexp.MustCompile(` \* `), []string{" + "}},
	{regexp.MustCompile(` / `), []string{" * ", " % "}},
	{regexp.MustCompile(` % `), []string{" / "}},
	{regexp.MustCompile(` < `), []string{" <= "}},
	{regexp.MustCompile(` <= `), []string{" < "}},
	{regexp.MustCompile(` > `), []string{" >= "}},
	{regexp.MustCompile(` >= `), []string{" > "}},
	{regexp.MustCompile(` == `), []string{" != "}},
	{regexp.MustCompile(` & `), []string{" | "}},
	{regexp.MustCompile(`\bmax\(`), []string{"min("}},
	{regexp.MustCompile(`\bmin\(`), []string{"max("}},
	{regexp.MustCompile(`\babs\(`), []string{"("}},
	{regexp.MustCompile(`\b0u\b`), []string{"1u"}},
	{regexp.MustCompile(`\b1u\b`), []string{"0u", "2u"}},
	{regexp.MustCompile(`\b2u\b`), []string{"1u"}},
	{regexp.MustCompile(`\b0\.0\b`), []string{"1.0"}},
	{regexp.MustCompile(`\b1\.0\b`), []string{"0.0", "2.0"}},
	{regexp.MustCompile(`\b0\.5\b`), []string{"0.25"}},
	{regexp.MustCompile(`\[(i|k|at|j)\]`), []string{"[$1 + 1u]"}},
	{regexp.MustCompile(`(?m) [+-] [\w.]+(\[[^\]]*\])?([;,)])`), []string{"$2"}}, // a term dropped
	{regexp.MustCompile(`(?m)^(\s*)workgroupBarrier\(\);`), []string{"$1"}},
	{regexp.MustCompile(` \* (params\.\w+)`), []string{" * ($1 + 1u)"}},                             // a stride
	{regexp.MustCompile(`\b(\d+\.(?:\d*[1-9]\d*|0\d*[1-9])(?:e-?\d+)?)\b`), []string{"(2.0 * $1)"}}, // a constant
}

// mutants lists the mutants of a file, those of different lines before further ones
// of the same, in an order that looks random.
func mutants(name, text string) (all []mutant) {
	perLine := map[int]int{}
	lines := strings.Split(text, "\n")
	for n, line := range lines {
		code, _, _ := strings.Cut(line, "//")
		trimmed := strings.TrimSpace(code)
		if trimmed == "" || strings.HasPrefix(trimmed, "@") || strings.HasPrefix(trimmed, "struct") || strings.HasPrefix(trimmed, "const") || strings.HasPrefix(trimmed, "fn") || strings.HasPrefix(trimmed, "var<private>") {
			continue
		}
		for _, r := range rules {
			for _, at := range r.pattern.FindAllStringIndex(code, -1) {
				for _, by := range r.by {
					changed := code[:at[0]] + r.pattern.ReplaceAllString(code[at[0]:at[1]], by) + line[at[1]:]
					all = append(all, mutant{File: name, Line: strings.TrimSpace(line), Mutant: strings.TrimSpace(changed), number: n})
				}
			}
		}
	}
	random := rand.New(rand.NewPCG(1, uint64(len(text))))
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	turn := make([]int, len(all))
	order := make([]int, len(all))
	for i, m := range all {
		turn[i], order[i] = perLine[m.number], i
		perLine[m.number]++
	}
	slices.SortStableFunc(order, func(a, b int) int { return turn[a] - turn[b] })
	sorted := make([]mutant, len(all))
	for i, k := range order {
		sorted[i] = all[k]
	}
	return sorted
}

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
		s, err := shaders.Load(name)
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
		s, err := shaders.Load(name)
		if err != nil {
			log.Fatal(err)
		}
		if *list {
			for _, m := range mutants(name, s.Text) {
				fmt.Printf("%s.wgsl:%d\n  %s\n  %s\n", m.File, m.number+1, m.Line, m.Mutant)
				total++
			}
			continue
		}
		whole := mutant{File: name, Mutant: strings.Split(s.Text, "\n")[0]}
		if verdict, err := try(dir, demo, s.Text, whole, *limit); err != nil || verdict != "survived" {
			log.Fatalf("%s.wgsl as it is, without a mutation: %s %v", name, verdict, err)
		}
		count, killed, same, invalid := 0, 0, 0, 0
		for _, m := range mutants(name, s.Text) {
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
