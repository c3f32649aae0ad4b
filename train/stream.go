package train

import (
	"context"
	"fmt"
	"math"
	"sync"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/train/data"
)

// DefaultBudget is how many bytes of device memory a data set takes at most where
// Loop.Budget does not say: 512 MiB.
const DefaultBudget = 512 << 20

// ringBytes is how much of a set that is streamed lies on the device at once, where
// its batches are not larger.
const ringBytes = 32 << 20

// source brings the batches of a set to programs: from device memory, where the whole
// set lies there, or as a stream.
type source struct {
	*resident
	batch  int     // examples of a step
	stream *stream // nil where the whole set is in device memory
}

// stream feeds a set that does not lie in device memory. What lies there, resident's
// arrays, is a ring of two chunks of batches, in the order in which the steps take them:
// while the device works on one chunk, the other is read in a goroutine and uploaded. The
// examples of all steps are one sequence of positions; chunk c is in half c mod 2.
type stream struct {
	set   data.Dataset
	dev   *compute.Device
	chunk int // batches of half the ring
	total int // positions of all steps
	// at is the index of the example at a position.
	at func(position int) int

	next   int           // chunk that is uploaded next
	ready  chan error    // says that a chunk was read, or could not be
	free   chan struct{} // says that half of the host's ring may be written
	quit   chan struct{}
	reader sync.WaitGroup
}

// newSource returns a source of batches of a set, of total examples in the order of at,
// which holds at most budget bytes on the device; 0 is DefaultBudget. Where the set is held
// there is room for so many examples, those of the last batch that the set does not have
// among them.
func newSource(dev *compute.Device, set data.Dataset, budget int64, batch, room, total int, at func(position int) int) (*source, error) {
	if budget < 0 {
		return nil, fmt.Errorf("train: budget of %d bytes, want 0 or more", budget)
	}
	if budget == 0 {
		budget = DefaultBudget
	}
	spec, binding := set.Spec(), int64(dev.Info().Limits.StorageBindingSize)
	fits := func(count int) bool {
		inputs, targets := 4*float64(spec.Size())*float64(count), 4*float64(max(1, spec.Targets))*float64(count)
		if spec.DType == data.Uint8 {
			inputs /= 4
		}
		return inputs+targets <= float64(budget) && max(inputs, targets) <= float64(binding) && float64(spec.Size())*float64(count) <= math.MaxUint32
	}
	if fits(room) {
		held, err := newResident(set, room)
		return &source{resident: held, batch: batch}, err
	}
	// A chunk begins with a word, of which four bytes may be.
	chunk := 1
	for spec.DType == data.Uint8 && chunk*batch*spec.Size()%4 != 0 {
		chunk *= 2
	}
	if !fits(2 * chunk * batch) {
		return nil, fmt.Errorf("train: a budget of %d bytes cannot hold %d batches of %d of %s, whose inputs are %v of %v", budget, 2*chunk, batch, spec.Name, spec.DType, spec.Shape)
	}
	for least := chunk; (chunk+least)*batch*(spec.Size()+1)*8 <= ringBytes && fits(2*(chunk+least)*batch) && chunk*batch < total; {
		chunk += least
	}
	return &source{
		resident: allocate(spec, 2*chunk*batch), batch: batch,
		stream: &stream{set: set, dev: dev, chunk: chunk, total: total, at: at},
	}, nil
}

// record records the runs that bring a batch of the step that the clock tells. In device
// memory a batch is number step mod steps, and in the epoch's random order where shuffled
// is set.
func (s *source) record(t *compute.Tape, clock *compute.Param, steps int, shuffled bool) (x, y *compute.Tensor) {
	if s.stream != nil {
		steps, shuffled = 2*s.stream.chunk, false
	}
	return s.resident.record(t, clock, 0, s.batch, steps, shuffled)
}

// begin makes a stream start at a step. The programs that take from it are compiled.
func (s *source) begin(step int) {
	if s.stream != nil {
		s.end()
		s.stream.begin(s.resident, step)
	}
}

// end stops what begin started.
func (s *source) end() {
	if f := s.stream; f != nil && f.quit != nil {
		close(f.quit)
		f.reader.Wait()
		f.quit = nil
	}
}

// before makes the batch of a step ready; steps follow each other. It waits for the
// reader at most, not for the device.
func (s *source) before(ctx context.Context, step int) error {
	f := s.stream
	if f == nil {
		return nil
	}
	for now := step / f.chunk; f.next <= now+1 && f.next*f.chunk*s.batch < f.total; {
		if f.next > now { // may come later
			select {
			case err := <-f.ready:
				if err := s.upload(err); err != nil {
					return err
				}
			default:
				return nil
			}
			continue
		}
		select {
		case err := <-f.ready:
			if err := s.upload(err); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// upload uploads the chunk that was read, in the place of the one before the last, whose
// steps are all submitted: the device writes after them.
func (s *source) upload(err error) error {
	if err != nil {
		return err
	}
	f := s.stream
	for _, p := range s.arrays() {
		half := p.Len() / 2
		if err := f.dev.UploadPart(p, f.next%2*half, half); err != nil {
			return fmt.Errorf("train: chunk %d of %s: %w", f.next, s.spec.Name, err)
		}
	}
	f.next++
	f.free <- struct{}{}
	return nil
}

func (f *stream) begin(ring *resident, step int) {
	f.next = step / f.chunk
	f.ready, f.free, f.quit = make(chan error), make(chan struct{}, 2), make(chan struct{})
	f.free <- struct{}{}
	f.free <- struct{}{}
	quit, first := f.quit, f.next
	f.reader.Go(func() {
		for c := first; c*ring.count/2 < f.total; c++ {
			select {
			case <-f.free:
			case <-quit:
				return
			}
			err := f.read(ring, c)
			select {
			case f.ready <- err:
			case <-quit:
				return
			}
			if err != nil {
				return
			}
		}
	})
}

// read reads a chunk to its half of the ring.
func (f *stream) read(ring *resident, chunk int) error {
	half := ring.count / 2
	from := chunk * half
	return readOrder(f.set, func(i int) int { return f.at(from + i) }, min(half, f.total-from), func(first int, b *data.Batch) { ring.put(chunk%2*half+first, b) })
}
