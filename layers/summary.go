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
	rows, err := summarize(model, compute.F32, input)
	if err != nil {
		var e error
		if rows, e = summarize(model, compute.U32, input); e != nil {
			return err
		}
	}
	var table strings.Builder
	tab := tabwriter.NewWriter(&table, 0, 0, 3, ' ', 0)
	fmt.Fprintln(tab, "layer\toutput\tparameters")
	for _, r := range rows {
		fmt.Fprintf(tab, "%s\t%v\t%s\n", r.layer, r.output, thousands(r.params))
	}
	tab.Flush()
	trained, total := counts(model)
	fmt.Fprintf(&table, "%s parameters, %s trained, %s bytes\n", thousands(total), thousands(trained), thousands(4*total))
	_, err = io.WriteString(w, table.String())
	return err
}

type summaryRow struct {
	layer  string
	output []int
	params int
}

// summarize records the model on a tape that is thrown away.
func summarize(model Layer, dtype compute.DType, input []int) (rows []summaryRow, err error) {
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
	var visit func(indent, name string, l Layer, x *compute.Tensor) *compute.Tensor
	visit = func(indent, name string, l Layer, x *compute.Tensor) *compute.Tensor {
		var y *compute.Tensor
		row := len(rows)
		rows = append(rows, summaryRow{layer: indent + name + " " + describe(l)})
		_, own := counts(l)
		switch l := l.(type) {
		case Sequential:
			own = 0
			y = x
			for i, inner := range l {
				y = visit(indent+"  ", strconv.Itoa(i), inner, y)
			}
		case Residual:
			own = 0
			y = visit(indent+"  ", "body", l.Body, x)
			if l.Shortcut != nil {
				visit(indent+"  ", "shortcut", l.Shortcut, x)
			}
		default:
			y = l.Forward(t, x)
		}
		rows[row].output, rows[row].params = y.Shape(), own
		return y
	}
	x := t.Input("x", dtype, input...)
	model.Forward(t, x)
	if s, ok := model.(Sequential); ok {
		for i, l := range s {
			x = visit("", strconv.Itoa(i), l, x)
		}
		return rows, nil
	}
	visit("", "model", model, x)
	return rows, nil
}

// describe names a layer without those inside it.
func describe(l Layer) string {
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
