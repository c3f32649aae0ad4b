package tune

import (
	"math"
	"slices"
	"time"

	"github.com/pumice-ml/pumice/internal/engine"
	"github.com/pumice-ml/pumice/internal/ir"
)

// stand is where the candidates of a class are measured: they share tensors of their
// own there.
type stand struct {
	dev     *Device
	eng     *engine.GPU
	idle    time.Duration
	buffers map[*ir.Slot]*engine.Buffer
}

// trial is a candidate on the stand. A sample is the time of one run, and how long it
// took to find out.
type trial struct {
	sample func() (one, took time.Duration, err error)
	close  func()
}

const (
	// sampleTime is how long the runs of a sample are to take, where one is shorter.
	sampleTime = 2 * time.Millisecond
	// sampleRuns is the most runs of a sample, in one submission.
	sampleRuns = 256
	// timings is how often a dispatch is timed before its runs of a sample are counted, and
	// how many samples least takes.
	timings = 5
)

func (d *Device) newStand() (*stand, error) {
	s := &stand{dev: d, eng: d.Engine.(*engine.GPU), buffers: map[*ir.Slot]*engine.Buffer{}}
	if d.tuner.trial != nil {
		return s, nil
	}
	var err error
	s.idle, err = s.eng.Idle()
	return s, err
}

func (s *stand) close() {
	for _, b := range s.buffers {
		s.dev.Free(b)
	}
}

// start builds a candidate.
func (s *stand) start(variant string, list []ir.Dispatch) (*trial, error) {
	if s.dev.tuner.trial != nil {
		return s.dev.tuner.trial(variant, list)
	}
	return s.trial(list)
}

// trial builds a program of dispatches, as often as a sample runs them, and runs it
// once, for drivers compile in the first run.
func (s *stand) trial(list []ir.Dispatch) (*trial, error) {
	if err := s.hold(list); err != nil {
		return nil, err
	}
	r, err := s.build(list, 1)
	if err != nil {
		return nil, err
	}
	one := time.Duration(math.MaxInt64)
	for i := 0; i < timings && (i == 0 || one < sampleTime*2); i++ {
		t, err := s.time(r)
		if err != nil {
			r.Release()
			return nil, err
		}
		one = min(one, t)
	}
	runs := max(1, min(sampleRuns, sampleTime/one))
	if runs > 1 {
		r.Release()
		if r, err = s.build(list, int(runs)); err != nil {
			return nil, err
		}
	}
	sample := func() (time.Duration, time.Duration, error) {
		t, err := s.time(r)
		return max(1, t/runs), t + s.idle, err
	}
	return &trial{sample, r.Release}, nil
}

// time runs all of a program, and returns how long that took beyond what it costs to
// submit and wait; the first run is not counted.
func (s *stand) time(r *engine.GPURunner) (time.Duration, error) {
	last := r.Index[len(r.Index)-1]
	if r.Measured == 0 {
		if err := r.SubmitAndWait(0, last); err != nil {
			return 0, err
		}
		r.Measured++
	}
	start := time.Now()
	err := r.SubmitAndWait(0, last)
	return max(time.Microsecond, time.Since(start)-s.idle), err
}

// build builds a program that runs a list so many times.
func (s *stand) build(list []ir.Dispatch, times int) (*engine.GPURunner, error) {
	r, err := s.eng.Build(slices.Repeat(list, times), func(x *ir.Slot) *engine.Buffer { return s.buffers[x] }, true)
	if err != nil {
		return nil, err
	}
	return r.(*engine.GPURunner), nil
}

// hold gives the tensors of a list memory, and those that are only read numbers between
// -1 and 1; indices are 0.
func (s *stand) hold(list []ir.Dispatch) error {
	for _, d := range list {
		for i, x := range d.Tensors {
			if s.buffers[x.Base()] != nil {
				continue
			}
			b, err := s.dev.Alloc("tuning", x.Base().Name, x.DType(), x.Base().N)
			if err != nil {
				return err
			}
			s.buffers[x.Base()] = b
			if d.Writes(i) || x.DType() == ir.U32 {
				continue
			}
			numbers := make([]float32, 0, min(b.N, 1009))
			for j := range cap(numbers) {
				numbers = append(numbers, float32(ir.Uniform(ir.RandomBits(1, 0, 0, uint32(j))[0]))*2-1)
			}
			all := make([]float32, 0, b.N)
			for len(all) < b.N {
				all = append(all, numbers[:min(len(numbers), b.N-len(all))]...)
			}
			if err := s.dev.Engine.Write(b, ir.AsWords(all)); err != nil {
				return err
			}
		}
	}
	return nil
}

// least is the least of some samples of a dispatch.
func (s *stand) least(d ir.Dispatch) (time.Duration, error) {
	t, err := s.trial([]ir.Dispatch{d})
	if err != nil {
		return 0, err
	}
	defer t.close()
	var all []time.Duration
	for range timings {
		one, _, err := t.sample()
		if err != nil {
			return 0, err
		}
		all = append(all, one)
	}
	return slices.Min(all), nil
}
