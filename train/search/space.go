package search

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// Space is what settings are drawn from, each on its own.
type Space []Dimension

// Dimension is a setting: one of Choices, or, without those, a number from Low to High.
type Dimension struct {
	Name      string
	Low, High float64
	Log       bool // the logarithm of the number is uniform, not the number
	Choices   []string
}

// Value is a setting of a trial.
type Value struct{ Name, Value string }

// Trial is settings to be tried.
type Trial struct {
	Number int // from 1
	Values []Value
}

func (t Trial) String() string {
	var s []string
	for _, v := range t.Values {
		s = append(s, v.Name+"="+v.Value)
	}
	return strings.Join(s, " ")
}

// Value is the setting of a name, "" where there is none.
func (t Trial) Value(name string) string {
	for _, v := range t.Values {
		if v.Name == name {
			return v.Value
		}
	}
	return ""
}

// Float is the setting of a name as a number, NaN where it is none.
func (t Trial) Float(name string) float64 {
	v, err := strconv.ParseFloat(t.Value(name), 64)
	if err != nil {
		return math.NaN()
	}
	return v
}

// Check returns an error unless there is a dimension, each has a name of its own, and
// choices or a range of finite numbers, which are positive where Log is set.
func (s Space) Check() error {
	if len(s) == 0 {
		return fmt.Errorf("search: an empty space, want a setting such as lr=1e-4..1e-1")
	}
	for i, d := range s {
		switch {
		case d.Name == "":
			return fmt.Errorf("search: setting %d has no name", i+1)
		case slices.ContainsFunc(s[:i], func(e Dimension) bool { return e.Name == d.Name }):
			return fmt.Errorf("search: setting %s is there twice", d.Name)
		case len(d.Choices) > 0:
			if at := slices.Index(d.Choices, ""); at >= 0 {
				return fmt.Errorf("search: setting %s: choice %d is empty", d.Name, at+1)
			}
		case !(d.Low < d.High) || math.IsInf(d.Low, 0) || math.IsInf(d.High, 0):
			return fmt.Errorf("search: setting %s: from %v to %v, want a range of finite numbers, the lower one first", d.Name, d.Low, d.High)
		case d.Log && d.Low <= 0:
			return fmt.Errorf("search: setting %s: from %v to %v, want positive numbers for a logarithmic scale", d.Name, d.Low, d.High)
		}
	}
	return nil
}

// Trial draws the settings of a trial. They depend on the space, the seed and the number
// alone. Numbers have four significant digits, so that a table tells all of them, and more
// where the range is narrow.
func (s Space) Trial(seed uint64, number int) Trial {
	r := rand.New(rand.NewPCG(seed, uint64(number)))
	t := Trial{Number: number}
	for _, d := range s {
		u := r.Float64() // one number for each setting, of either kind
		var value string
		switch {
		case len(d.Choices) > 0:
			value = d.Choices[int(u*float64(len(d.Choices)))]
		case d.Log:
			value = d.text(math.Exp(math.Log(d.Low) + u*(math.Log(d.High)-math.Log(d.Low))))
		default:
			value = d.text(d.Low*(1-u) + d.High*u)
		}
		t.Values = append(t.Values, Value{d.Name, value})
	}
	return t
}

// text writes a number. Where it is rounded it stays in the range, and within a thousandth
// of it.
func (d Dimension) text(v float64) string {
	for digits := 4; digits < 17; digits++ {
		text := strconv.FormatFloat(v, 'g', digits, 64)
		if near, err := strconv.ParseFloat(text, 64); err == nil && near >= d.Low && near <= d.High && math.Abs(near-v) <= (d.High-d.Low)/1000 {
			return text
		}
	}
	return strconv.FormatFloat(min(max(v, d.Low), d.High), 'g', -1, 64)
}

// ParseSpace reads settings with commas between them:
//
//	lr=1e-4..1e-1            log-uniform
//	label-smoothing=0..0.2   uniform, since it begins at 0; so is a range that begins below
//	decay=uniform:0.1..0.9   uniform, as it says
//	optimizer=adam|sgd       one of those
//
// Errors tell the setting, and are those of Check.
func ParseSpace(text string) (Space, error) {
	var s Space
	for setting := range strings.SplitSeq(text, ",") {
		name, values, ok := strings.Cut(strings.TrimSpace(setting), "=")
		if !ok || name == "" || values == "" {
			return nil, fmt.Errorf("search: %q, want name=low..high or name=one|another", setting)
		}
		d := Dimension{Name: name}
		limits, uniform := strings.CutPrefix(values, "uniform:")
		if low, high, ok := strings.Cut(limits, ".."); ok {
			var err, err2 error
			d.Low, err = strconv.ParseFloat(low, 64)
			d.High, err2 = strconv.ParseFloat(high, 64)
			if err != nil || err2 != nil {
				return nil, fmt.Errorf("search: %q, want two numbers with .. between them", setting)
			}
			d.Log = d.Low > 0 && !uniform
		} else {
			d.Choices = strings.Split(values, "|")
		}
		s = append(s, d)
	}
	return s, s.Check()
}
