package report

import (
	"iter"

	"github.com/pumice-ml/pumice/train/data"
)

// table is rows of three numbers whose target is their sum.
type table int

func (t table) Len() int { return int(t) }

func (t table) Spec() data.Spec {
	return data.Spec{Name: "sums", Shape: []int{3}, DType: data.Float32, Targets: 1}
}

func (t table) Batches(order iter.Seq[int], batch int) iter.Seq2[*data.Batch, error] {
	return func(yield func(*data.Batch, error) bool) {
		b := &data.Batch{}
		for i := range order {
			x := []float32{float32(i), float32(i % 3), 1}
			b.Floats, b.Targets, b.Rows = append(b.Floats, x...), append(b.Targets, x[0]+x[1]+x[2]), b.Rows+1
			if b.Rows == batch {
				if !yield(b, nil) {
					return
				}
				b = &data.Batch{}
			}
		}
		if b.Rows > 0 {
			yield(b, nil)
		}
	}
}
