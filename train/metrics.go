package train

import (
	"context"

	"github.com/pumice-ml/pumice/compute"
)

// metrics are sums over many steps, kept on the device and read late.
type metrics struct {
	counts *compute.Param // hits, rows
	total  *compute.Param // sum of loss * rows
}

func newMetrics() *metrics {
	m := &metrics{compute.NewParamU32("train.counts", 2), compute.NewParam("train.total", 1)}
	m.total.Frozen = true
	return m
}

// record adds one batch to the sums; there are no hits where the targets are numbers.
func (m *metrics) record(t *compute.Tape, loss, logits, labels *compute.Tensor) {
	if labels.DType() != compute.U32 {
		metricsSum.Run(metricsParams{Rows: uint32(labels.Dim(0))}, loss, t.Param(m.counts), t.Param(m.total))
		return
	}
	p := metricsParams{uint32(labels.Len()), uint32(logits.Len() / labels.Len())}
	hit := t.NewU32(labels.Len())
	metricsJudge.Run(p, logits, labels, hit)
	metricsTally.Run(p, hit, loss, t.Param(m.counts), t.Param(m.total))
}

// reset sets the sums to zero.
func (m *metrics) reset(dev *compute.Device) error {
	clear(m.counts.Ints)
	clear(m.total.Data)
	return dev.Upload(m.counts, m.total)
}

// read waits for the work submitted so far and returns the mean loss, the
// accuracy and the number of rows.
func (m *metrics) read(ctx context.Context, dev *compute.Device) (loss, accuracy float64, rows int, err error) {
	if err := dev.Download(ctx, m.counts, m.total); err != nil {
		return 0, 0, 0, err
	}
	rows = int(m.counts.Ints[1])
	if rows == 0 {
		return 0, 0, 0, nil
	}
	return float64(m.total.Data[0]) / float64(rows), float64(m.counts.Ints[0]) / float64(rows), rows, nil
}

type metricsParams struct{ Rows, Classes uint32 }

var metricsJudge = compute.NewKernel("metrics.judge", func(p metricsParams, b [][]float64) {
	logits, labels, hit := b[0], b[1], b[2]
	for row := range hit {
		x := logits[row*int(p.Classes) : (row+1)*int(p.Classes)]
		best := 0
		for c, v := range x {
			if v > x[best] {
				best = c
			}
		}
		hit[row] = 0
		if best == int(labels[row]) {
			hit[row] = 1
		}
	}
}, compute.Exact)

// tally: the total is one product added; the counts are whole numbers.
var metricsTally = compute.NewKernel("metrics.tally", func(p metricsParams, b [][]float64) {
	hits, loss, counts, total := b[0], b[1], b[2], b[3]
	for _, h := range hits {
		counts[0] += h
	}
	counts[1] += float64(p.Rows)
	total[0] += loss[0] * float64(p.Rows)
}, compute.Func(func(r *compute.Reference32) [][]float64 {
	bounds := compute.Dot(2).Bound(r)
	clear(bounds[2])
	return bounds
}))

var metricsSum = compute.NewKernel("metrics.sum", func(p metricsParams, b [][]float64) {
	loss, counts, total := b[0], b[1], b[2]
	counts[1] += float64(p.Rows)
	total[0] += loss[0] * float64(p.Rows)
}, compute.Func(func(r *compute.Reference32) [][]float64 {
	bounds := compute.Dot(2).Bound(r)
	clear(bounds[1])
	return bounds
}))
