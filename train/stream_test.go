package train

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train/data"
)

// TestStream trains on sets that lie in device memory and on the same as a stream of
// small chunks, which part epochs, words and batches unevenly, whole and resumed from
// the middle of one: the weights and what was measured must be the same, to the bit.
func TestStream(t *testing.T) {
	conv := func() layers.Layer { return small() }
	linear := func(in, out int) func() layers.Layer {
		return func() layers.Layer {
			m := layers.Sequential{layers.NewLinear(in, out)}
			layers.Initialize(m, 5)
			return m
		}
	}
	embedding := func() layers.Layer {
		m := layers.Sequential{layers.NewEmbedding(40, 4), layers.Flatten{}, layers.NewLinear(24, 2)}
		layers.Initialize(m, 5)
		return m
	}
	for name, c := range map[string]struct {
		model      func() layers.Layer
		loss       layers.Loss
		train, val data.Dataset
		batch      int
		budget     int64
	}{
		// Each budget is a little more than two chunks of an evaluation take.
		"images":           {conv, layers.SoftmaxCrossEntropy{}, stripes(620, 3), stripes(600, 4), 50, 34100},
		"numbers":          {linear(3, 2), layers.MSE{}, plane(620, 1), plane(610, 2), 30, 10100},
		"indices":          {embedding, layers.SoftmaxCrossEntropy{}, words(620, 1), words(610, 2), 30, 14100},
		"bytes to numbers": {linear(5, 1), layers.Huber{}, shades(1100, 1), shades(1111, 2), 31, 9100},
	} {
		t.Run(name, func(t *testing.T) {
			devices(t, func(t *testing.T, dev *compute.Device) {
				make := func(budget int64) *Loop {
					return &Loop{Model: c.model(), Loss: c.loss, Optimizer: &Adam{LR: 3e-3}, Schedule: Linear{}, Batch: c.batch, Epochs: 2, Seed: 9, Budget: budget}
				}
				ctx := context.Background()
				whole := make(0)
				defer forget(dev, whole.Model)
				want, err := whole.Run(ctx, dev, c.train, c.val)
				if err != nil {
					t.Fatal(err)
				}
				same := func(what string, l *Loop, got History, err error) {
					t.Helper()
					if err != nil {
						t.Fatalf("%s: %v", what, err)
					}
					forget(dev, l.Model)
					if digest(l.Model) != digest(whole.Model) {
						t.Errorf("%s: other weights than from device memory", what)
					}
					for i := range want {
						if got[i].Loss != want[i].Loss || got[i].TestLoss != want[i].TestLoss || got[i].TestAccuracy != want[i].TestAccuracy {
							t.Errorf("%s, epoch %d: got %+v, want %+v", what, i+1, got[i], want[i])
						}
					}
				}
				streamed := make(c.budget)
				got, err := streamed.Run(ctx, dev, c.train, c.val)
				same("streamed", streamed, got, err)
				for set, batch := range map[data.Dataset]int{c.train: c.batch, c.val: make(c.budget).EvalBatch()} {
					if s, err := newSource(dev, set, c.budget, batch, set.Len(), set.Len(), nil); err != nil || s.stream == nil {
						t.Errorf("%s: %v; it lies in device memory, want it to be streamed", set.Spec().Name, err)
					}
				}
				path := filepath.Join(t.TempDir(), "c.safetensors")
				for _, cut := range []int{19} {
					broken := make(c.budget)
					broken.Checkpoint = path
					if _, err := broken.Run(&countdown{Context: ctx, left: cut}, dev, c.train, c.val); !errors.Is(err, ErrInterrupted) {
						t.Fatalf("cut at %d: got %v, want ErrInterrupted", cut, err)
					}
					forget(dev, broken.Model)
					again := make(c.budget)
					again.Checkpoint, again.Resume = path, true
					got, err := again.Run(ctx, dev, c.train, c.val)
					same("resumed", again, got, err)
				}
			})
		})
	}
}

// failing is a set that fails after a number of batches.
type failing struct {
	*data.Arrays
	left atomic.Int32
}

var errDisk = errors.New("disk on fire")

func (f *failing) Batches(order iter.Seq[int], batch int) iter.Seq2[*data.Batch, error] {
	return func(yield func(*data.Batch, error) bool) {
		for b, err := range f.Arrays.Batches(order, batch) {
			if f.left.Add(-1) < 0 {
				b, err = nil, errDisk
			}
			if !yield(b, err) || err != nil {
				return
			}
		}
	}
}

// TestStreamRefuses wants the error of a set that fails in the middle, in reach of
// whoever trains, and one of a budget that holds no two batches.
func TestStreamRefuses(t *testing.T) {
	dev := devicetest.Open(t)
	devicetest.NoLeaks(t, dev)
	for _, batches := range []int32{0, 1, 5, 9} {
		m := layers.Sequential{layers.NewLinear(3, 2)}
		l := Loop{Model: m, Loss: layers.MSE{}, Optimizer: &Adam{}, Batch: 10, Epochs: 50, Budget: 1000}
		set := &failing{Arrays: plane(300, 1)}
		set.left.Store(batches)
		_, err := l.Run(context.Background(), dev, set, nil)
		forget(dev, m)
		if !errors.Is(err, errDisk) {
			t.Errorf("after %d batches: got %v, want %v", batches, err, errDisk)
		}
	}
	for budget, want := range map[int64]string{-1: "budget of -1 bytes", 300: "a budget of 300 bytes cannot hold 2 batches of 10 of plane"} {
		m := layers.Sequential{layers.NewLinear(3, 2)}
		l := Loop{Model: m, Loss: layers.MSE{}, Optimizer: &Adam{}, Batch: 10, Budget: budget}
		if _, err := l.Run(context.Background(), dev, plane(300, 1), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
		forget(dev, m)
	}
}

// TestStreamChecks wants what is wrong with a streamed set to be said before the first
// step, of whichever of the two it is, and with the number of the example.
func TestStreamChecks(t *testing.T) {
	dev := devicetest.Open(t)
	devicetest.NoLeaks(t, dev)
	bad := plane(620, 1)
	bad.All.Floats[3*555+1] = float32(math.NaN())
	for _, sets := range [][2]data.Dataset{{plane(620, 1), bad}, {bad, plane(620, 1)}} {
		m := layers.Sequential{layers.NewLinear(3, 2)}
		path := filepath.Join(t.TempDir(), "c.safetensors")
		l := Loop{Model: m, Loss: layers.MSE{}, Optimizer: &Adam{}, Batch: 30, Epochs: 1, Budget: 10100, Checkpoint: path}
		_, err := l.Run(context.Background(), dev, sets[0], sets[1])
		forget(dev, m)
		if err == nil || !strings.Contains(err.Error(), "plane: input 555, element 1 is NaN") {
			t.Errorf("got %v, want the input 555", err)
		}
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the run began: %v", err)
		}
	}
	// And, were it to change later, in any order.
	s, err := newSource(dev, bad, 4000, 30, 620, 620, func(position int) int { return 619 - position })
	if err != nil || s.stream == nil {
		t.Fatal(err, s)
	}
	for chunk := range 620 / (s.count / 2) {
		wrong := chunk == (619-555)/(s.count/2)
		if err := s.stream.read(s.resident, chunk); wrong != (err != nil) || wrong && !strings.Contains(err.Error(), "plane: input 555, element 1") {
			t.Errorf("chunk %d: got %v", chunk, err)
		}
	}
}
