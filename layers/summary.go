package layers

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/pumice-ml/pumice/compute"
)

// CountParams is the number of trained numbers in the model: the elements of all
// its parameters that are not Frozen, a shared one counted once.
func CountParams(model Layer) int {
	trained, _ := counts(model)
	return trained
}

// counts returns the trained numbers of a model and all of them.
func counts(model Layer) (trained, total int) {
	seen := map[*compute.Param]bool{}
	for _, p := range Params(model) {
		if seen[p] {
			continue
		}
		seen[p] = true
		total += p.Len()
		if !p.Frozen {
			trained += p.Len()
		}
	}
	return trained, total
}

// Summary writes a table of the model's layers with their output shapes and
// numbers of parameters, for an input of the given shape, batch included: of
// float32, or of indices where the model wants those. Nothing is computed. It
// returns an error where the model does not take such an input, or w fails.
func Summary(w io.Writer, model Layer, input ...int) error {
	rows, err := Summarize(model, input...)
	if err != nil {
		return err
	}
	var table strings.Builder
	tab := tabwriter.NewWriter(&table, 0, 0, 3, ' ', 0)
	fmt.Fprintln(tab, "layer\toutput\tparameters")
	for _, r := range rows {
		fmt.Fprintf(tab, "%s\t%v\t%s\n", strings.Repeat("  ", r.Depth)+r.Layer, r.Output, thousands(r.Parameters))
	}
	tab.Flush()
	trained, total := counts(model)
	fmt.Fprintf(&table, "%s parameters, %s trained, %s bytes\n", thousands(total), thousands(trained), thousands(4*total))
	_, err = io.WriteString(w, table.String())
	return err
}

// SummaryRow is a layer in a table of a model's layers.
type SummaryRow struct {
	Layer      string // its name and what it is
	Depth      int    // of layers around it
	Output     []int  // shape, batch included
	Parameters int    // numbers of its own, trained or not
}

// Summarize returns the rows of the table that Summary writes.
func Summarize(model Layer, input ...int) ([]SummaryRow, error) {
	rows, err := summarize(model, compute.F32, input)
	if err != nil {
		var e error
		if rows, e = summarize(model, compute.U32, input); e != nil {
			return nil, err
		}
	}
	return rows, nil
}

// summarize records the model on a tape that is thrown away.
func summarize(model Layer, dtype compute.DType, input []int) (rows []SummaryRow, err error) {
	dev := compute.Reference()
	defer dev.Close()
	// Recording panics on a wrong shape; here the shape is a question.
	defer func() {
		if r := recover(); r != nil {
			text, ok := r.(string)
			if !ok {
				panic(r)
			}
			err = fmt.Errorf("layers: Summary of input %v: %s", input, text)
		}
	}()
	t := compute.NewTape(dev)
	var visit func(depth int, name string, l Layer, x *compute.Tensor) *compute.Tensor
	visit = func(depth int, name string, l Layer, x *compute.Tensor) *compute.Tensor {
		var y *compute.Tensor
		row := len(rows)
		rows = append(rows, SummaryRow{Layer: name + " " + Describe(l), Depth: depth})
		_, own := counts(l)
		switch l := l.(type) {
		case Sequential:
			own = 0
			y = x
			for i, inner := range l {
				y = visit(depth+1, strconv.Itoa(i), inner, y)
			}
		case Residual:
			own = 0
			y = visit(depth+1, "body", l.Body, x)
			if l.Shortcut != nil {
				visit(depth+1, "shortcut", l.Shortcut, x)
			}
		default:
			y = l.Forward(t, x)
		}
		rows[row].Output, rows[row].Parameters = y.Shape(), own
		return y
	}
	x := t.Input("x", dtype, input...)
	model.Forward(t, x)
	if s, ok := model.(Sequential); ok {
		for i, l := range s {
			x = visit(0, strconv.Itoa(i), l, x)
		}
		return rows, nil
	}
	visit(0, "model", model, x)
	return rows, nil
}

// Describe names a layer, without those inside it, as Summary does.
func Describe(l Layer) string {
	switch l := l.(type) {
	case Sequential:
		return "Sequential"
	case Residual:
		return "Residual"
	case fmt.Stringer:
		return l.String()
	default:
		return strings.TrimPrefix(fmt.Sprintf("%T", l), "*")
	}
}

// thousands writes n with commas.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
