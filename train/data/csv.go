package data

import (
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

// ReadCSV reads a table with a header, of one column of labels and others of numbers:
// inputs of shape (columns). Fields are parted by commas and may be quoted (RFC 4180). It
// returns an error, with path:line, for a column that is missing or there twice, a row of
// another length, a field that is no finite number, a class that there may not be, and a
// table without rows.
func ReadCSV(r io.Reader, name, path string, o CSVOptions) (*Table, error) {
	in := csv.NewReader(r)
	in.ReuseRecord = true
	header, err := in.Read()
	if err == io.EOF {
		return nil, fmt.Errorf("data: %s:1: the file is empty, want a header", path)
	}
	if err != nil {
		return nil, fmt.Errorf("data: %s: %w", path, err)
	}
	header = slices.Clone(header)
	header[0] = strings.TrimPrefix(header[0], "\ufeff")
	at, err := labelColumn(header, o.Label)
	if err != nil {
		return nil, fmt.Errorf("data: %s:1: %w", path, err)
	}
	t := &Table{Label: header[at], Columns: slices.Delete(slices.Clone(header), at, at+1)}
	if o.Columns != nil && !slices.Equal(o.Columns, t.Columns) {
		return nil, fmt.Errorf("data: %s:1: columns %s, want %s", path, strings.Join(t.Columns, ","), strings.Join(o.Columns, ","))
	}
	t.About = Spec{Name: name, Shape: []int{len(t.Columns)}, DType: Float32}
	var names []string
	var lines []int
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
			if i == at && !o.Numbers {
				names, lines = append(names, strings.Clone(field)), append(lines, line)
				continue
			}
			v, err := strconv.ParseFloat(strings.TrimSpace(field), 32)
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
	t.About.Classes = o.Classes
	if o.Classes == nil {
		t.About.Classes = classNames(names)
	}
	labels := map[string]uint32{}
	for i, class := range t.About.Classes {
		labels[class] = uint32(i)
	}
	for i, class := range names {
		label, ok := labels[class]
		if !ok {
			return nil, fmt.Errorf("data: %s:%d: class %q, want one of %s", path, lines[i], class, strings.Join(t.About.Classes, ", "))
		}
		t.All.Labels = append(t.All.Labels, label)
	}
	return t, t.Check()
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

// classNames are the different names, sorted: as numbers where all are whole numbers.
func classNames(names []string) []string {
	all := slices.Clone(names)
	slices.Sort(all)
	all = slices.Compact(all)
	numbers := map[string]int{}
	for _, name := range all {
		v, err := strconv.Atoi(name)
		if err != nil {
			return all
		}
		numbers[name] = v
	}
	slices.SortStableFunc(all, func(a, b string) int { return numbers[a] - numbers[b] })
	return all
}
