package train

import (
	"context"
	"fmt"
	"math"

	"github.com/pumice-ml/pumice/compute"
)

// Metrics are measures over many rows, of which the sums are kept on the device. Those of
// classes are of whole numbers, and exact.
type Metrics struct {
	Loss     float64 // mean of the rows'; with class weights, which make a mean of each batch, that of the batches' by their rows
	Accuracy float64 // of classes; 0 of numbers
	Rows     int
	// Named has all but the loss by name. Of classes: "accuracy", "top3" (or of another
	// Loop.TopK), and for up to 1,024 classes "precision", "recall" and "f1", the means
	// over the classes (see Confusion). Of numbers: "mse" and "mae", the means of (y -
	// target)^2 and |y - target|.
	Named map[string]float64
	// Confusion counts rows by class; nil of numbers, and of more than 1,024 classes.
	Confusion Confusion
}

// mostConfused is the most classes that counts are kept for by pair.
const mostConfused = 1024

// sums are metrics over many steps, kept on the device and read late.
type sums struct {
	top    int            // classes that "top" looks at
	side   int            // classes by pair, or 0
	counts *compute.Param // hits, rows, hits among the top, rows by truth and prediction; nil before the first record
	total  *compute.Param // sum of loss * rows; of numbers those of |y - target| and its square too
}

func newSums(top int) *sums {
	if top == 0 {
		top = 3
	}
	return &sums{top: top}
}

// record adds one batch to the sums: of logits and labels, or of numbers and others.
func (m *sums) record(t *compute.Tape, loss, y, target *compute.Tensor) {
	if target.DType() != compute.U32 {
		m.recordErrors(t, loss, y, target)
		return
	}
	rows := target.Len()
	classes := y.Dim(-1)
	if m.counts == nil {
		if classes <= mostConfused {
			m.side = classes
		}
		m.hold(3+m.side*m.side, 1)
	}
	p := metricsParams{uint32(rows), uint32(classes), uint32(m.top), uint32(m.side)}
	metricsJudge.Run(p, y, target, loss, t.Param(m.counts), t.Param(m.total))
}

func (m *sums) recordErrors(t *compute.Tape, loss, y, target *compute.Tensor) {
	if m.counts == nil {
		m.hold(2, 3)
	}
	n := target.Len()
	chunk := max(256, (n+1023)/1024)
	p := errorsParams{uint32(n), uint32(chunk), uint32(target.Dim(0))}
	part := t.NewF32((n+chunk-1)/chunk, 2)
	errorsMeasure.Run(p, y, target, part)
	errorsTally.Run(p, part, loss, t.Param(m.total), t.Param(m.counts))
}

func (m *sums) hold(counts, total int) {
	m.counts, m.total = compute.NewParamU32("train.counts", counts), compute.NewParam("train.total", total)
	m.total.Frozen = true
}

// arrays are what a checkpoint holds of it.
func (m *sums) arrays() []*compute.Param {
	if m.counts == nil {
		return nil
	}
	return []*compute.Param{m.counts, m.total}
}

// reset sets the sums to zero.
func (m *sums) reset(dev *compute.Device) error {
	clear(m.counts.Ints)
	clear(m.total.Data)
	return dev.Upload(m.counts, m.total)
}

// read waits for the work submitted so far and returns what the sums make.
func (m *sums) read(ctx context.Context, dev *compute.Device) (Metrics, error) {
	if err := dev.Download(ctx, m.counts, m.total); err != nil {
		return Metrics{}, err
	}
	rows := int(m.counts.Ints[1])
	got := Metrics{Rows: rows, Named: map[string]float64{}}
	mean := func(sum float64) float64 { return sum / float64(max(rows, 1)) }
	got.Loss = mean(float64(m.total.Data[0]))
	if len(m.total.Data) == 3 {
		got.Named["mae"], got.Named["mse"] = mean(float64(m.total.Data[1])), mean(float64(m.total.Data[2]))
		return got, nil
	}
	got.Accuracy = mean(float64(m.counts.Ints[0]))
	got.Named["accuracy"], got.Named[topName(m.top)] = got.Accuracy, mean(float64(m.counts.Ints[2]))
	if m.side > 0 {
		for truth := range m.side {
			row := make([]int, m.side)
			for i := range row {
				row[i] = int(m.counts.Ints[3+truth*m.side+i])
			}
			got.Confusion = append(got.Confusion, row)
		}
		got.Named["precision"], got.Named["recall"], got.Named["f1"] = got.Confusion.macro(got.Confusion.Precision()), got.Confusion.macro(got.Confusion.Recall()), got.Confusion.macro(got.Confusion.F1())
	}
	return got, nil
}

func topName(k int) string { return fmt.Sprintf("top%d", k) }

// names are those that read will give, once something is recorded.
func (m *sums) names() []string {
	switch {
	case m.total != nil && m.total.Len() == 3:
		return []string{"mse", "mae"}
	case m.side > 0:
		return []string{"accuracy", topName(m.top), "precision", "recall", "f1"}
	}
	return []string{"accuracy", topName(m.top)}
}

type metricsParams struct{ Rows, Classes, Top, Side uint32 }

// judge: the total is one product added; the counts are whole numbers.
var metricsJudge = compute.NewKernel("metrics.judge", func(p metricsParams, b [][]float64) {
	logits, labels, loss, counts, total := b[0], b[1], b[2], b[3], b[4]
	for row := range int(p.Rows) {
		x := logits[row*int(p.Classes) : (row+1)*int(p.Classes)]
		label := min(int(labels[row]), int(p.Classes)-1)
		best, above := 0, 0
		for c, v := range x {
			if v > x[best] {
				best = c
			}
			if v > x[label] || v == x[label] && c < label {
				above++
			}
		}
		if best == label {
			counts[0]++
		}
		counts[1]++
		if above < int(p.Top) {
			counts[2]++
		}
		if p.Side != 0 {
			counts[3+label*int(p.Side)+best]++
		}
	}
	if p.Rows > 0 {
		total[0] += loss[0] * float64(p.Rows)
	}
}, compute.Func(func(r *compute.Reference32) [][]float64 {
	p := r.Params.(metricsParams)
	off := compute.Gamma(3)*(math.Abs(r.In[4][0])+math.Abs(r.In[2][0])*float64(p.Rows)) + 2*smallest
	return [][]float64{nil, nil, nil, make([]float64, len(r.In[3])), {off}}
}))

type errorsParams struct{ N, Chunk, Rows uint32 }

func (p errorsParams) chunks() int { return int((p.N + p.Chunk - 1) / p.Chunk) }

var errorsMeasure = compute.NewKernel("errors.measure", func(p errorsParams, b [][]float64) {
	y, wanted, part := b[0], b[1], b[2]
	clear(part)
	for i := range y {
		d := y[i] - wanted[i]
		part[2*(i/int(p.Chunk))] += math.Abs(d)
		part[2*(i/int(p.Chunk))+1] += d * d
	}
}, compute.Func(func(r *compute.Reference32) [][]float64 {
	// The difference is rounded, for the square twice of its size, which is rounded as
	// well; a sum of chunk terms has as many roundings again, all of one sign.
	p := r.Params.(errorsParams)
	out := make([]float64, len(r.Want[2]))
	for i, want := range r.Want[2] {
		out[i] = compute.Gamma(float64(p.Chunk)+3)*want + (float64(p.Chunk)+1)*smallest
	}
	return [][]float64{nil, nil, out}
}))

var errorsTally = compute.NewKernel("errors.tally", func(p errorsParams, b [][]float64) {
	parts, loss, sums, counts := b[0], b[1], b[2], b[3]
	sums[0] += loss[0] * float64(p.Rows)
	for i := range p.chunks() {
		sums[1] += parts[2*i]
		sums[2] += parts[2*i+1]
	}
	counts[1] += float64(p.Rows)
}, compute.Func(func(r *compute.Reference32) [][]float64 {
	p := r.Params.(errorsParams)
	bounds := compute.Dot(max(p.chunks(), 2)).Bound(r)
	return [][]float64{nil, nil, bounds[2], make([]float64, len(r.In[3]))}
}))
