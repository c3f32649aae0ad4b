package tune

import (
	"time"

	"github.com/pumice-ml/pumice/internal/ir"
)

// Sample is what a fake trial says: the time of one run of a variant, and how long it
// took to find out.
type Sample func(variant string) (one, took time.Duration, err error)

// Fake has the device's variants measured by a function, under ceilings of flops and
// bytes per second.
func (d *Device) Fake(sample Sample, flops, bytes float64) {
	d.tuner.ceilings = &ceilings{flops, bytes, 1}
	d.tuner.trial = func(variant string, _ []ir.Dispatch) (*trial, error) {
		return &trial{func() (time.Duration, time.Duration, error) { return sample(variant) }, func() {}}, nil
	}
}

// Ceilings measures the device's ceilings.
func (d *Device) Ceilings() (flops, bytes float64, dispatch time.Duration, err error) {
	s, err := d.newStand()
	if err != nil {
		return 0, 0, 0, err
	}
	defer s.close()
	c, err := d.ceilings(s)
	return c.Flops, c.Bytes, c.Dispatch, err
}
