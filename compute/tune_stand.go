package compute

import (
	"math"
	"slices"
	"time"
)

// stand is where the candidates of a class are measured: they share tensors of their
// own there.
type stand struct {
	dev     *Device
	eng     *gpu
	idle    time.Duration
	buffers map[*slot]*buffer
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
	s := &stand{dev: d, eng: d.eng.(*gpu), buffers: map[*slot]*buffer{}}
	if d.tuner.trial != nil {
		return s, nil
	}
	var err error
	s.idle, err = s.eng.idle()
	return s, err
}

func (s *stand) close() {
	for _, b := range s.buffers {
		s.dev.free(b)
	}
}

// start builds a candidate.
func (s *stand) start(variant string, list []Dispatch) (*trial, error) {
	if s.dev.tuner.trial != nil {
		return s.dev.tuner.trial(variant, list)
	}
	return s.trial(list)
}

// trial builds a program of dispatches, as often as a sample runs them, and runs it
// once, for drivers compile in the first run.
func (s *stand) trial(list []Dispatch) (*trial, error) {
	list = accumulate(list, nil, s.dev.assigns)
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
			r.release()
			return nil, err
		}
		one = min(one, t)
	}
	runs := max(1, min(sampleRuns, sampleTime/one))
	if runs > 1 {
		r.release()
		if r, err = s.build(list, int(runs)); err != nil {
			return nil, err
		}
	}
	sample := func() (time.Duration, time.Duration, error) {
		t, err := s.time(r)
		return max(1, t/runs), t + s.idle, err
	}
	return &trial{sample, r.release}, nil
}

// time runs all of a program, and returns how long that took beyond what it costs to
// submit and wait; the first run is not counted.
func (s *stand) time(r *gpuRunner) (time.Duration, error) {
	last := r.index[len(r.index)-1]
	if r.measured == 0 {
		if err := r.submitAndWait(0, last); err != nil {
			return 0, err
		}
		r.measured++
	}
	start := time.Now()
	err := r.submitAndWait(0, last)
	return max(time.Microsecond, time.Since(start)-s.idle), err
}

// build builds a program that runs a list so many times.
func (s *stand) build(list []Dispatch, times int) (*gpuRunner, error) {
	r, err := s.eng.build(slices.Repeat(list, times), func(x *slot) *buffer { return s.buffers[x] }, true)
	if err != nil {
		return nil, err
	}
	return r.(*gpuRunner), nil
}

// hold gives the tensors of a list memory, and those that are only read numbers between
// -1 and 1; indices are 0.
func (s *stand) hold(list []Dispatch) error {
	for _, d := range list {
		for i, x := range d.Tensors {
			if s.buffers[x.base] != nil {
				continue
			}
			b, err := s.dev.alloc("tuning", x.base.name, x.dtype, x.base.n)
			if err != nil {
				return err
			}
			s.buffers[x.base] = b
			if d.writes(i) || x.dtype == U32 {
				continue
			}
			numbers := make([]float32, 0, min(b.n, 1009))
			for j := range cap(numbers) {
				numbers = append(numbers, float32(Uniform(RandomBits(1, 0, 0, uint32(j))[0]))*2-1)
			}
			all := make([]float32, 0, b.n)
			for len(all) < b.n {
				all = append(all, numbers[:min(len(numbers), b.n-len(all))]...)
			}
			if err := s.dev.eng.write(b, asWords(all)); err != nil {
				return err
			}
		}
	}
	return nil
}

// least is the least of some samples of a dispatch.
func (s *stand) least(d Dispatch) (time.Duration, error) {
	t, err := s.trial([]Dispatch{d})
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
