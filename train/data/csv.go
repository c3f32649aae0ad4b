package data

import (
	"bufio"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// CSVOptions says what the columns of a table mean; the zero value is useful.
type CSVOptions struct {
	// Label is the name of the column of classes, or of numbers to predict; "" is label,
	// where there is such a column, else the last.
	Label string
	// Numbers says that the label is a number to predict, not a class.
	Numbers bool
	// Columns and Classes are what the table must have, of a set that it belongs to: all
	// columns but the label, in order, and the classes that there may be. nil takes them
	// from the table: classes sorted, as numbers where all of them are whole numbers.
	Columns, Classes []string
}

// Table is the rows of a CSV file as numbers, with the names of their columns.
type Table struct {
	Arrays
	Columns []string // all but the label
	Label   string
}

// ReadCSVFile is ReadCSV of a file, which its errors name.
func ReadCSVFile(path string, o CSVOptions) (*Table, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("data: ReadCSVFile: %w", err)
	}
	defer f.Close()
	return ReadCSV(f, filepath.Base(path), path, o)
}

// mostClasses is the most classes of a table.
const mostClasses = 1 << 16

// ReadCSV reads a table with a header, of one column of labels and others of numbers:
// inputs of shape (columns). Fields are parted by commas and may be quoted (RFC 4180);
// spaces around them are left out. It returns an error, with path:line, for a column that is
// missing or there twice, a name that is no line of UTF-8, a row of another length, a field
// that is no finite number, a class that is empty or may not be there, more than 65,536
// classes, and a table without rows.
func ReadCSV(r io.Reader, name, path string, o CSVOptions) (*Table, error) {
	text := bufio.NewReader(r)
	if mark, _ := text.Peek(3); string(mark) == "\ufeff" { // which would stand before a quote
		if _, err := text.Discard(3); err != nil {
			return nil, fmt.Errorf("data: %s: %w", path, err)
		}
	}
	in := csv.NewReader(text)
	in.ReuseRecord = true
	header, err := in.Read()
	if err == io.EOF {
		return nil, fmt.Errorf("data: %s:1: the file is empty, want a header", path)
	}
	if err != nil {
		return nil, fmt.Errorf("data: %s: %w", path, err)
	}
	header = slices.Clone(header)
	for i := range header {
		if header[i] = strings.TrimSpace(header[i]); !isLine(header[i]) {
			return nil, fmt.Errorf("data: %s:1: column %d is called %q, want a line of UTF-8", path, i+1, header[i])
		}
	}
	at, err := labelColumn(header, strings.TrimSpace(o.Label))
	if err != nil {
		return nil, fmt.Errorf("data: %s:1: %w", path, err)
	}
	t := &Table{Label: header[at], Columns: slices.Delete(slices.Clone(header), at, at+1)}
	if o.Columns != nil && !slices.Equal(o.Columns, t.Columns) {
		return nil, fmt.Errorf("data: %s:1: columns %s, want %s", path, strings.Join(t.Columns, ","), strings.Join(o.Columns, ","))
	}
	t.About = Spec{Name: name, Shape: []int{len(t.Columns)}, DType: Float32}
	classes, labels := slices.Clone(o.Classes), map[string]uint32{}
	for i, class := range classes {
		if first, twice := labels[class]; twice {
			return nil, fmt.Errorf("data: ReadCSV: classes %d and %d of CSVOptions are both %q", first+1, i+1, class)
		}
		labels[class] = uint32(i)
	}
	for {
		row, err := in.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			var parse *csv.ParseError
			if errors.As(err, &parse) && errors.Is(err, csv.ErrFieldCount) {
				return nil, fmt.Errorf("data: %s:%d: %d fields, want %d as in the header", path, parse.Line, len(row), len(header))
			}
			return nil, fmt.Errorf("data: %s: %w", path, err)
		}
		for i, field := range row {
			line, _ := in.FieldPos(i)
			field = strings.TrimSpace(field)
			if i == at && !o.Numbers {
				label, known := labels[field]
				switch {
				case field == "":
					return nil, fmt.Errorf("data: %s:%d: column %s is empty, want a class", path, line, header[i])
				case !isLine(field):
					return nil, fmt.Errorf("data: %s:%d: class %q, want a line of UTF-8", path, line, field)
				case !known && o.Classes != nil:
					return nil, fmt.Errorf("data: %s:%d: class %q, want one of %s", path, line, field, strings.Join(o.Classes, ", "))
				case !known && len(classes) == mostClasses:
					return nil, fmt.Errorf("data: %s:%d: more than %d different values in column %s, want classes; CSVOptions.Numbers predicts numbers", path, line, mostClasses, header[i])
				case !known:
					field, label = strings.Clone(field), uint32(len(classes))
					classes, labels[field] = append(classes, field), label
				}
				t.All.Labels = append(t.All.Labels, label)
				continue
			}
			v, err := strconv.ParseFloat(field, 32)
			if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
				return nil, fmt.Errorf("data: %s:%d: column %s is %q, want a finite number", path, line, header[i], field)
			}
			if i == at {
				t.All.Targets = append(t.All.Targets, float32(v))
			} else {
				t.All.Floats = append(t.All.Floats, float32(v))
			}
		}
		t.All.Rows++
	}
	if t.All.Rows == 0 {
		return nil, fmt.Errorf("data: %s: a header and no rows, want 1 or more", path)
	}
	if o.Numbers {
		t.About.Targets = 1
		return t, t.Check()
	}
	t.About.Classes = classes
	if o.Classes == nil { // until here they are in the order of the rows
		t.About.Classes = inOrder(classes)
		for i, class := range t.About.Classes {
			labels[class] = uint32(i)
		}
		for i, label := range t.All.Labels {
			t.All.Labels[i] = labels[classes[label]]
		}
	}
	return t, t.Check()
}

// isLine reports whether a name is UTF-8 without an end of a line, of which files have
// one for each name.
func isLine(name string) bool {
	return utf8.ValidString(name) && !strings.ContainsAny(name, "\r\n")
}

// labelColumn is the index of the column of labels.
func labelColumn(header []string, name string) (int, error) {
	for i, column := range header {
		if first := slices.Index(header, column); first != i {
			return 0, fmt.Errorf("columns %d and %d are both called %q", first+1, i+1, column)
		}
	}
	at := slices.Index(header, name)
	if name == "" {
		if at = slices.Index(header, "label"); at < 0 {
			at = len(header) - 1
		}
	}
	switch {
	case at < 0:
		return 0, fmt.Errorf("no column %q among %s", name, strings.Join(header, ","))
	case len(header) < 2:
		return 0, fmt.Errorf("one column, %q, want a label and 1 or more of numbers", header[0])
	}
	return at, nil
}

// inOrder are names sorted: as numbers where all are whole numbers.
func inOrder(names []string) []string {
	all, numbers := slices.Sorted(slices.Values(names)), map[string]int{}
	for _, name := range all {
		v, err := strconv.Atoi(name)
		if err != nil {
			return all
		}
		numbers[name] = v
	}
	slices.SortStableFunc(all, func(a, b string) int { return cmp.Compare(numbers[a], numbers[b]) })
	return all
}
