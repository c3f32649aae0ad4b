package conform

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/internal/compiler"
	"github.com/pumice-ml/pumice/internal/judge"
)

// Minimise looks for the smallest sizes, one after another, at which a case is still
// illegal, and returns that case with its result; the case itself where it is not
// illegal. Errors are those of Run.
func Minimise(ctx context.Context, dev *compute.Device, c Case) (Case, *Result, error) {
	illegal := func(c Case) (*Result, error) {
		r, err := Run(ctx, dev, nil, Options{Cases: []Case{c}})
		if err != nil || len(r.Cases) == 0 {
			return nil, err
		}
		return r.Cases[0], nil
	}
	best, err := illegal(c)
	if err != nil || best == nil || best.Verdict != Illegal {
		return c, best, err
	}
	for shrunk := true; shrunk; {
		shrunk = false
		for i := range strings.Split(c.Shape, ",") {
			for _, by := range []func(n int) int{func(int) int { return 1 }, func(n int) int { return n / 2 }, func(n int) int { return n - 1 }} {
				parts := strings.Split(c.Shape, ",")
				name, value, _ := strings.Cut(parts[i], "=")
				n, err := strconv.Atoi(value)
				if err != nil || by(n) < 1 || by(n) >= n {
					continue
				}
				parts[i] = fmt.Sprintf("%s=%d", name, by(n))
				smaller := c
				smaller.Shape = strings.Join(parts, ",")
				r, err := illegal(smaller)
				if err != nil {
					return c, best, err
				}
				if r != nil && r.Verdict == Illegal {
					c, best, shrunk = smaller, r, true
					break
				}
			}
		}
	}
	return c, best, nil
}

// Bundle is one dispatch that a device computed wrongly, with all that is needed to
// run it alone.
type Bundle struct {
	Case        string
	Fingerprint Fingerprint
	Kernel      string
	Params      string
	Entry       string // of the shader, as it was sent
	Groups      [3]uint32
	Tensors     []BundleTensor
	WGSL        string `json:"-"` // a file of its own
}

// BundleTensor is a tensor of the dispatch: its bits before, and, where it is
// written, what the device made of it and what is legal.
type BundleTensor struct {
	Binding        int
	Name, Type     string
	Written        bool
	Before         []uint32
	Got, Low, High []Number `json:",omitempty"`
}

//go:embed repro.html
var reproPage string

var reproTemplate = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("repro").Parse(reproPage))
})

const reproMain = `// This program runs one case of Pumice's conformance suite, on the best adapter or
// on the one whose name is given.
package main

import (
	"context"
	"log"
	"os"
	"strings"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/conform"
	"github.com/pumice-ml/pumice/suite"
)

func main() {
	dev, err := compute.Open(context.Background(), compute.Want{Name: strings.Join(os.Args[1:], " ")})
	if err != nil {
		log.Fatal(err)
	}
	c, err := conform.Find(suite.Ops(), %q)
	if err != nil {
		log.Fatal(err)
	}
	report, err := conform.Run(context.Background(), dev, nil, conform.Options{Cases: []conform.Case{c}})
	if err != nil {
		log.Fatal(err)
	}
	if err := report.WriteTable(os.Stdout); err != nil {
		log.Fatal(err)
	}
}
`

// WriteRepro writes a folder that shows the first illegal dispatch of a case to those
// who make the driver: shader.wgsl as it was sent, dispatch.json (a Bundle), a page
// that runs the dispatch alone in a browser, and a Go program that runs the case. It
// returns an error where the case is not illegal.
func WriteRepro(ctx context.Context, dev *compute.Device, c Case, dir string) error {
	b := Bundle{Case: c.Name(), Fingerprint: newReport(dev, c.Seed).Fingerprint}
	r, err := newRecorder(dev, c)
	if err != nil {
		return err
	}
	c.Op.Record(r)
	var failed error
	_, err = compiler.Judge(ctx, r.tape(), r.given, func(j *judge.Judged) {
		bad := j.Beyond >= 0 || slices.ContainsFunc(indices(len(j.Got)), func(i int) bool { return j.Share(i) > 1 })
		if b.Kernel == "" && bad && failed == nil {
			failed = b.fill(j)
		}
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return fmt.Errorf("conform: repro of %s: %w", b.Case, err)
	}
	if b.Kernel == "" {
		return fmt.Errorf("conform: repro of %s: no dispatch of it is illegal", b.Case)
	}
	data, err := json.Marshal(b)
	if err != nil {
		return fmt.Errorf("conform: repro of %s: %w", b.Case, err)
	}
	var page strings.Builder
	if err := reproTemplate().Execute(&page, struct {
		Bundle
		Data template.JS
		Text string
	}{b, template.JS(data), b.WGSL}); err != nil {
		return fmt.Errorf("conform: repro of %s: %w", b.Case, err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("conform: repro: %w", err)
	}
	for name, text := range map[string]string{
		"shader.wgsl": b.WGSL, "dispatch.json": string(data), "index.html": page.String(), "main.go": fmt.Sprintf(reproMain, b.Case),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return fmt.Errorf("conform: repro: %w", err)
		}
	}
	return nil
}

func indices(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// fill takes the dispatch of what was judged.
func (b *Bundle) fill(j *judge.Judged) error {
	step, err := j.Step()
	if err != nil {
		return err
	}
	b.Kernel, b.Params, b.Groups, b.WGSL, b.Entry = step.Kernel, step.Params, step.Groups, step.WGSL, step.Entry
	for _, binding := range j.Binds() {
		t := BundleTensor{Binding: binding.Number, Name: binding.Name, Type: "f32", Written: binding.Access == "read_write"}
		for _, v := range binding.Before {
			bits := math.Float32bits(float32(v))
			if binding.Unsigned() {
				t.Type, bits = "u32", uint32(v)
			}
			t.Before = append(t.Before, bits)
		}
		if binding.Judged {
			for k, want := range j.Want {
				t.Got = append(t.Got, Number(j.Got[k]))
				t.Low = append(t.Low, Number(want-j.Bound[k]))
				t.High = append(t.High, Number(want+j.Bound[k]))
			}
		}
		b.Tensors = append(b.Tensors, t)
	}
	return nil
}
