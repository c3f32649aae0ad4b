package conform

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/internal/judge"
	"github.com/pumice-ml/pumice/internal/shader"
	"github.com/pumice-ml/pumice/shaders"
)

// Schema is the version of the JSON form of a report. A reader refuses others.
const Schema = "pumice.conform.1"

// Verdict is what a case came to.
type Verdict string

// The verdicts, the best first.
const (
	Correct  Verdict = "correct"  // every element is the definition's, rounded once
	Within   Verdict = "within"   // every element is within the specification
	Expected Verdict = "expected" // illegal, and known to be
	Failed   Verdict = "error"    // the case could not be run
	Illegal  Verdict = "illegal"  // an element is out of its bounds, or two runs differ
)

func (v Verdict) bad() bool { return v == Failed || v == Illegal }

// Number is a float64 that JSON can hold: NaN and the infinities are strings.
type Number float64

// MarshalJSON writes a number, or "NaN", "+Inf" or "-Inf".
func (n Number) MarshalJSON() ([]byte, error) {
	if v := float64(n); math.IsNaN(v) || math.IsInf(v, 0) {
		return json.Marshal(strconv.FormatFloat(v, 'g', -1, 64))
	}
	return json.Marshal(float64(n))
}

// UnmarshalJSON reads what MarshalJSON writes.
func (n *Number) UnmarshalJSON(b []byte) error {
	v, err := strconv.ParseFloat(strings.Trim(string(b), `"`), 64)
	if err != nil {
		return fmt.Errorf("conform: number %s: %w", b, err)
	}
	*n = Number(v)
	return nil
}

// Report is what Run found out.
type Report struct {
	Schema      string
	Fingerprint Fingerprint
	Seed        uint32
	Seconds     float64
	Kernels     []*Kernel // in the order they ran
	Cases       []*Result
	Drifts      []Drift  `json:",omitempty"` // of training, where it was run
	Unmet       []string `json:",omitempty"` // expectations that are expired or that nothing needed

	index map[string]*Kernel
}

// Drift is how far training on a device went from training by the definitions.
type Drift struct {
	Name        string
	Steps       int
	First, Last Number  // losses by the definitions
	Worst       Number  // largest difference of the losses
	Step        int     // where
	Band        float64 // largest difference that is accepted
}

// OK reports whether the losses stayed within the band.
func (d Drift) OK() bool { return float64(d.Worst) <= d.Band }

// Fingerprint says what was checked, with what.
type Fingerprint struct {
	Adapter, Vendor, Driver, Backend, Type string
	Binding                                string // the WebGPU binding and its version
	System                                 string // operating system and processor
	Browser                                string `json:",omitempty"`
	Library                                string // version of Pumice
	Limits                                 compute.Limits
	Features                               []string
	Shaders                                map[string]string // SHA-256 of each shader file
}

// Kernel sums up what one kernel wrote in all cases.
type Kernel struct {
	Name                               string
	Elements, Correct, Within, Illegal int64
	// Shares counts elements by how much of what is legal they are off by:
	// correctly rounded, then up to 0.1, 0.2 ... 1, then more.
	Shares [12]int64
	Worst  *Element `json:",omitempty"`
	Case   string   // of the worst element
	// Practical is the largest share that was seen on other adapters, or 0 where none
	// were measured.
	Practical Number `json:",omitempty"`
}

// Unusual reports whether the worst element is legal, but further off than on the
// adapters that were measured, by a tenth of what is legal or more: a sign that
// something changed before the law is broken.
func (k *Kernel) Unusual() bool {
	return k.Practical > 0 && k.Worst != nil && k.Worst.Share <= 1 && k.Worst.Share > k.Practical+0.1
}

//go:embed practical.json
var practicalFile []byte

// Practice is what adapters were seen to do, as data.
type Practice struct {
	Adapters []string          // where it was measured: adapter, driver, binding
	Shares   map[string]Number // the largest share of each kernel
}

var practice = sync.OnceValue(func() (p Practice) {
	if err := json.Unmarshal(practicalFile, &p); err != nil {
		panic(err) // a test reads it
	}
	return p
})

// Practise merges reports of adapters that conform to what is usual.
func Practise(reports ...*Report) Practice {
	p := Practice{Shares: map[string]Number{}}
	for _, r := range reports {
		f := r.Fingerprint
		p.Adapters = append(p.Adapters, fmt.Sprintf("%s, driver %s, %s", f.Adapter, orDash(f.Driver), f.Binding))
		for _, k := range r.Kernels {
			if k.Worst != nil {
				p.Shares[k.Name] = max(p.Shares[k.Name], Number(math.Ceil(float64(k.Worst.Share)*1000)/1000))
			}
		}
	}
	return p
}

func (k *Kernel) share() float64 {
	if k.Worst == nil {
		return -1
	}
	return float64(k.Worst.Share)
}

func (k *Kernel) count(share float64, rounded bool) {
	switch {
	case share > 1:
		k.Shares[11]++
	case rounded:
		k.Shares[0]++
	default:
		k.Shares[min(1+int(share*10), 10)]++
	}
}

// Result is one case.
type Result struct {
	Name        string
	Verdict     Verdict
	Seconds     float64
	Error       string   `json:",omitempty"`
	Reason      string   `json:",omitempty"` // why it is expected
	Differences []string `json:",omitempty"` // between two runs
	Checks      []Check
}

// Check is one tensor that one dispatch of a case wrote.
type Check struct {
	Dispatch                 int
	Kernel, Params, Tensor   string
	Elements                 int
	Correct, Within, Illegal int
	Beyond                   bool     `json:",omitempty"` // something behind the tensor's end was written
	Worst                    *Element `json:",omitempty"`
}

// Element is a number that a device wrote.
type Element struct {
	Index     int
	Got, Want Number
	Low, High Number  // what is legal
	ULP       Number  // |Got - Want| in units in the last place of Want
	Share     Number  // of what is legal: more than 1 is not
	Inputs    []Input `json:",omitempty"` // before the run, at the same index
}

// Input is an element of an input.
type Input struct {
	Name  string
	Value Number
}

func newReport(dev *compute.Device, seed uint32) *Report {
	i := dev.Info()
	r := &Report{Schema: Schema, Seed: seed, index: map[string]*Kernel{}, Fingerprint: Fingerprint{
		Adapter: i.Name, Vendor: i.Vendor, Driver: i.Driver, Backend: i.Backend, Type: i.Type, Binding: i.Binding,
		System: runtime.GOOS + "/" + runtime.GOARCH, Browser: i.Browser, Library: version(), Limits: i.Limits, Features: i.Features, Shaders: map[string]string{},
	}}
	for _, name := range shaders.Names() {
		if s, err := shader.Load(name); err == nil {
			sum := sha256.Sum256([]byte(s.Text))
			r.Fingerprint.Shaders[name] = hex.EncodeToString(sum[:])
		}
	}
	return r
}

// version is that of the library, as the program was built with it.
func version() string {
	const module = "github.com/pumice-ml/pumice"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if info.Main.Path == module {
		revision := info.Main.Version
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = s.Value
			}
		}
		return revision
	}
	for _, d := range info.Deps {
		if d.Path == module {
			return d.Version
		}
	}
	return "unknown"
}

// kernel sums up the kernels whose work j is, of one that hands numbers to the next
// under one name; what is stored as f16 stands apart.
func (r *Report) kernel(j *judge.Judged) *Kernel {
	name := names(j)
	if j.Tensor.DType() == compute.F16 {
		name += " as f16"
	}
	found, ok := r.index[name]
	if !ok {
		found = &Kernel{Name: name, Practical: practice().Shares[name]}
		r.index[name] = found
		r.Kernels = append(r.Kernels, found)
	}
	return found
}

func (r *Report) add(result *Result) { r.Cases = append(r.Cases, result) }

// Count is the number of cases of a verdict.
func (r *Report) Count(v Verdict) (n int) {
	for _, c := range r.Cases {
		if c.Verdict == v {
			n++
		}
	}
	return n
}

// OK reports whether no case is illegal, none failed, and no training drifted.
func (r *Report) OK() bool {
	return r.Count(Illegal)+r.Count(Failed) == 0 && !slices.ContainsFunc(r.Drifts, func(d Drift) bool { return !d.OK() })
}

// Bad lists the cases that are illegal or failed, the worst first.
func (r *Report) Bad() (bad []*Result) {
	for _, c := range r.Cases {
		if c.Verdict.bad() {
			bad = append(bad, c)
		}
	}
	slices.SortStableFunc(bad, func(a, b *Result) int {
		x, y := a.worst(), b.worst()
		switch {
		case x == nil || y == nil:
			return 0
		case x.Worst.Share > y.Worst.Share:
			return -1
		case x.Worst.Share < y.Worst.Share:
			return 1
		}
		return 0
	})
	return bad
}

// worst is the check with the element that is furthest off.
func (r *Result) worst() (worst *Check) {
	for i := range r.Checks {
		if c := &r.Checks[i]; c.Worst != nil && (worst == nil || c.Worst.Share > worst.Worst.Share) {
			worst = c
		}
	}
	return worst
}

// WriteJSON writes the report; ReadReport reads it again.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(r)
}

// ReadReport reads a report that WriteJSON wrote to a file.
func ReadReport(file string) (*Report, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("conform: report: %w", err)
	}
	r := &Report{}
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("conform: report %s: %w", file, err)
	}
	if r.Schema != Schema {
		return nil, fmt.Errorf("conform: report %s: schema %q, want %q", file, r.Schema, Schema)
	}
	return r, nil
}
