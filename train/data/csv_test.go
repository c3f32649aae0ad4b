package data

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// manyRows are n rows of two columns, each of another class.
func manyRows(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "1,%d.5\n", i)
	}
	return b.String()
}

func TestReadCSV(t *testing.T) {
	const flowers = "\ufeffwidth,kind,\"the \"\"height\"\"\"\n1.5,rose,-2\n 3e2 ,\"lily, white\",0\n0,rose,7\n"
	for name, c := range map[string]struct {
		text             string
		o                CSVOptions
		columns, classes []string
		floats, targets  []float32
		labels           []uint32
	}{
		"by name":       {flowers, CSVOptions{Label: "kind"}, []string{"width", `the "height"`}, []string{"lily, white", "rose"}, []float32{1.5, -2, 300, 0, 0, 7}, nil, []uint32{1, 0, 1}},
		"label":         {"label,a\nx,1\n", CSVOptions{}, []string{"a"}, []string{"x"}, []float32{1}, nil, []uint32{0}},
		"last":          {"a,b\n1,y\n2,x\n", CSVOptions{}, []string{"a"}, []string{"x", "y"}, []float32{1, 2}, nil, []uint32{1, 0}},
		"numbers":       {"a,b\n1,2.5\n2,-3\n", CSVOptions{Numbers: true}, []string{"a"}, nil, []float32{1, 2}, []float32{2.5, -3}, nil},
		"whole classes": {"a,b\n1,10\n2,9\n3,-1\n", CSVOptions{}, []string{"a"}, []string{"-1", "9", "10"}, []float32{1, 2, 3}, nil, []uint32{2, 1, 0}},
		"given":         {"a,b\n1,y\n", CSVOptions{Columns: []string{"a"}, Classes: []string{"x", "y"}}, []string{"a"}, []string{"x", "y"}, []float32{1}, nil, []uint32{1}},
		"mark, quote":   {"\ufeff\"a\",b\n1,y\n", CSVOptions{}, []string{"a"}, []string{"y"}, []float32{1}, nil, []uint32{0}},
		"spaces":        {" label , a\n rose,1\nrose\t, 2 \n\" rose\",3\n", CSVOptions{}, []string{"a"}, []string{"rose"}, []float32{1, 2, 3}, nil, []uint32{0, 0, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ReadCSV(strings.NewReader(c.text), "t", "t.csv", c.o)
			if err != nil {
				t.Fatal(err)
			}
			b := all(t, got)
			if !slices.Equal(got.Columns, c.columns) || !slices.Equal(got.Spec().Classes, c.classes) || !slices.Equal(b.Floats, c.floats) ||
				!slices.Equal(b.Targets, c.targets) || !slices.Equal(b.Labels, c.labels) {
				t.Errorf("got %+v", got)
			}
		})
	}
	for name, c := range map[string]struct {
		text string
		o    CSVOptions
		want string
	}{
		"empty":          {"", CSVOptions{}, "t.csv:1: the file is empty"},
		"no rows":        {"a,b\n", CSVOptions{}, "t.csv: a header and no rows"},
		"missing column": {"a,b\n1,2\n", CSVOptions{Label: "c"}, `t.csv:1: no column "c" among a,b`},
		"one column":     {"a\n1\n", CSVOptions{}, "t.csv:1: one column"},
		"twice":          {"a,b,a\n1,2,3\n", CSVOptions{}, `t.csv:1: columns 1 and 3 are both called "a"`},
		"no number":      {"a,b\n1,x\n\nbig,y\n", CSVOptions{}, `t.csv:4: column a is "big", want a finite number`},
		"missing number": {"a,b\n,x\n", CSVOptions{}, `t.csv:2: column a is ""`},
		"not finite":     {"a,b\nNaN,x\n", CSVOptions{}, `t.csv:2: column a is "NaN"`},
		"too large":      {"a,b\n1e39,x\n", CSVOptions{}, `t.csv:2: column a is "1e39"`},
		"number label":   {"a,b\n1,x\n", CSVOptions{Numbers: true}, `t.csv:2: column b is "x"`},
		"short row":      {"a,b\n1,2\n3\n", CSVOptions{}, "t.csv:3: 1 fields, want 2"},
		"quote":          {"a,b\n1,\"x\n", CSVOptions{}, "t.csv: "},
		"unknown class":  {"a,b\n1,x\n2,z\n", CSVOptions{Classes: []string{"x", "y"}}, `t.csv:3: class "z", want one of x, y`},
		"no class":       {"a,b\n1,x\n2,\n", CSVOptions{}, "t.csv:3: column b is empty, want a class"},
		"blank class":    {"a,b\n1,\" \"\n", CSVOptions{}, "t.csv:2: column b is empty, want a class"},
		"class twice":    {"a,b\n1,x\n", CSVOptions{Classes: []string{"x", "y", "x"}}, `classes 1 and 3 of CSVOptions are both "x"`},
		"long column":    {"\"a\nc\",b\n1,x\n", CSVOptions{}, `t.csv:1: column 1 is called "a\nc", want a line of UTF-8`},
		"long class":     {"a,b\n1,x\n2,\"y\nz\"\n", CSVOptions{}, `t.csv:3: class "y\nz", want a line of UTF-8`},
		"return":         {"a,b\n1,x\ry\n", CSVOptions{}, `t.csv:2: class "x\ry", want a line of UTF-8`},
		"no UTF-8":       {"a,b\n1,\xff\n", CSVOptions{}, `t.csv:2: class "\xff", want a line of UTF-8`},
		"column bytes":   {"\xff,b\n1,x\n", CSVOptions{}, `t.csv:1: column 1 is called "\xff", want a line of UTF-8`},
		"numbers":        {"a,price\n" + manyRows(mostClasses+1), CSVOptions{}, "t.csv:65538: more than 65536 different values in column price, want classes; CSVOptions.Numbers"},
		"other columns":  {"a,b\n1,x\n", CSVOptions{Columns: []string{"b"}, Label: "b"}, "t.csv:1: columns a, want b"},
	} {
		if _, err := ReadCSV(strings.NewReader(c.text), "t", "t.csv", c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, c.want)
		}
	}
	if _, err := ReadCSVFile("nowhere.csv", CSVOptions{}); err == nil || !strings.Contains(err.Error(), "nowhere.csv") {
		t.Errorf("a missing file: got %v", err)
	}
}
