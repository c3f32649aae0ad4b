package data

import "iter"

// Arrays is a data set held in memory: all its examples as one batch.
type Arrays struct {
	About Spec
	All   Batch
}

// Len is the number of examples.
func (a *Arrays) Len() int { return a.All.Rows }

// Spec is About.
func (a *Arrays) Spec() Spec { return a.About }

// Check returns an error unless About and All are right and fit each other.
func (a *Arrays) Check() error {
	if err := a.About.Check(); err != nil {
		return err
	}
	return a.All.Check(a.About, 0)
}

// Batches yields the examples of an order.
func (a *Arrays) Batches(order iter.Seq[int], batch int) iter.Seq2[*Batch, error] {
	size, targets := a.About.Size(), a.About.Targets
	return batches(a.About.Name, a.Len(), order, batch, func(b *Batch, i int) error {
		switch a.About.DType {
		case Uint8:
			b.Bytes = append(b.Bytes, a.All.Bytes[i*size:(i+1)*size]...)
		case Float32:
			b.Floats = append(b.Floats, a.All.Floats[i*size:(i+1)*size]...)
		case Uint32:
			b.Ints = append(b.Ints, a.All.Ints[i*size:(i+1)*size]...)
		}
		if targets > 0 {
			b.Targets = append(b.Targets, a.All.Targets[i*targets:(i+1)*targets]...)
		} else {
			b.Labels = append(b.Labels, a.All.Labels[i])
		}
		return nil
	})
}
