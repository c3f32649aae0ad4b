package infer

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train"
	"github.com/pumice-ml/pumice/train/data"
)

func model() layers.Layer {
	return layers.Sequential{layers.NewConv2D(1, 3, 3), layers.ReLU{}, layers.Flatten{}, layers.NewLinear(48, 5)}
}

func weights(t *testing.T) []byte {
	m := model()
	layers.Initialize(m, 3)
	var b bytes.Buffer
	if err := layers.Save(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func image(seed uint32) []float32 {
	x := make([]float32, 36)
	for i := range x {
		x[i] = compute.Uniform(compute.RandomBits(seed, 0, 0, uint32(i))[0])
	}
	return x
}

func TestPredictFromManyGoroutines(t *testing.T) {
	w, ctx := weights(t), context.Background()
	ref := compute.Reference()
	defer ref.Close()
	want, err := Open(ref, model(), w, 1, 6, 6)
	if err != nil {
		t.Fatal(err)
	}
	dev := devicetest.Open(t)
	devicetest.NoLeaks(t, dev)
	s, err := Open(dev, model(), w, 1, 6, 6)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 5 {
				x := slices.Concat(image(uint32(g)), image(uint32(100+i)))
				got, err := s.Predict(ctx, x)
				ours, err2 := want.Predict(ctx, x)
				if err != nil || err2 != nil || len(got) != 10 {
					t.Errorf("%v, %v, %d probabilities, want 10", err, err2, len(got))
					return
				}
				for j := range got {
					if math.Abs(float64(got[j]-ours[j])) > 1e-6 {
						t.Errorf("goroutine %d, probability %d: got %v, the reference %v", g, j, got[j], ours[j])
					}
				}
			}
		})
	}
	wg.Wait()
}

// TestCheckpoint opens what a training run wrote, with the trainer's state in it.
func TestCheckpoint(t *testing.T) {
	dev := compute.Reference()
	defer dev.Close()
	set := shades()
	path := filepath.Join(t.TempDir(), "checkpoint.safetensors")
	trained := model()
	l := train.Loop{Model: trained, Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &train.AdamW{}, Batch: 8, Epochs: 1, Checkpoint: path}
	if _, err := l.Run(context.Background(), dev, set, set); err != nil {
		t.Fatal(err)
	}
	checkpoint, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	fresh := model()
	s, err := Open(dev, fresh, checkpoint, 1, 6, 6)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	got := layers.Params(fresh)
	for name, p := range layers.Params(trained) {
		for n, q := range got {
			if n == name && !slices.Equal(p.Data, q.Data) {
				t.Errorf("%s: got %v, want %v", name, q.Data, p.Data)
			}
		}
	}
}

// TestShared wants sessions and a training loop to share a model's parameters on a
// device: opening and closing one changes nothing for the others.
func TestShared(t *testing.T) {
	ctx := context.Background()
	for _, dev := range []*compute.Device{compute.Reference(), devicetest.Open(t)} {
		t.Run(dev.Info().Backend, func(t *testing.T) {
			devicetest.NoLeaks(t, dev)
			m := model()
			layers.Initialize(m, 3)
			a, err := Open(dev, m, nil, 1, 6, 6)
			if err != nil {
				t.Fatal(err)
			}
			b, err := Open(dev, m, nil, 1, 6, 6)
			if err != nil {
				t.Fatal(err)
			}
			want, err := a.Predict(ctx, image(1))
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range layers.Params(m) {
				clear(p.Data) // what counts is what the device holds
			}
			a.Close()
			c, err := Open(dev, m, nil, 1, 6, 6)
			if err != nil {
				t.Fatal(err)
			}
			for name, s := range map[string]*Session{"second": b, "third": c} {
				if got, err := s.Predict(ctx, image(1)); err != nil || !slices.Equal(got, want) {
					t.Errorf("the %s session: got %v, %v, want %v", name, got, err, want)
				}
			}
			b.Close()
			c.Close()

			plain, watched := fit(t, dev, false), fit(t, dev, true)
			if !slices.Equal(plain, watched) {
				t.Errorf("training with sessions that come and go: got %v, want %v", watched, plain)
			}
		})
	}
}

// fit returns the last layer's bias after two epochs, with a session opened and
// closed after each where watched is set.
func fit(t *testing.T, dev *compute.Device, watched bool) []float32 {
	t.Helper()
	m := model()
	layers.Initialize(m, 3)
	l := train.Loop{Model: m, Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &train.AdamW{}, Batch: 8, Epochs: 2}
	if watched {
		l.Finished = func(train.Epoch, int) {
			s, err := Open(dev, m, nil, 1, 6, 6)
			if err != nil {
				t.Fatal(err)
			}
			s.Close()
		}
	}
	set := shades()
	if _, err := l.Run(context.Background(), dev, set, set); err != nil {
		t.Fatal(err)
	}
	var bias []float32
	for _, p := range layers.Params(m) {
		bias = p.Data
		dev.Forget(p)
	}
	return bias
}

// TestDeviceClosed wants ErrClosed where the device went first.
func TestDeviceClosed(t *testing.T) {
	gpu, err := compute.Open(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, dev := range []*compute.Device{compute.Reference(), gpu} {
		m := model()
		s, err := Open(dev, m, nil, 1, 6, 6)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(dev.Close(), dev.Close()); err != nil {
			t.Error(err)
		}
		if _, err := s.Predict(context.Background(), image(1)); !errors.Is(err, ErrClosed) {
			t.Errorf("%v: Predict: got %v, want ErrClosed", dev, err)
		}
		for _, p := range layers.Params(m) {
			for name, err := range map[string]error{"Download": dev.Download(context.Background(), p), "Upload": dev.Upload(p), "Wait": dev.Wait(context.Background())} {
				if !errors.Is(err, ErrClosed) {
					t.Errorf("%v: %s: got %v, want ErrClosed", dev, name, err)
				}
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := Open(nil, model(), nil, 1, 6, 6); err == nil {
		t.Error("a session without a device opens")
	}
}

// shades is a set of 6x6 images of five classes.
func shades() *data.Set {
	set := &data.Set{Name: "shades", Channels: 1, Height: 6, Width: 6, Classes: make([]string, 5)}
	for i := range 40 {
		set.Labels = append(set.Labels, byte(i%5))
		set.Pixels = append(set.Pixels, bytes.Repeat([]byte{byte(i % 5 * 60)}, 36)...)
	}
	return set
}

func TestErrors(t *testing.T) {
	dev := compute.Reference()
	defer dev.Close()
	ctx := context.Background()
	if _, err := Open(dev, model(), []byte("no tensors"), 1, 6, 6); !errors.Is(err, ErrWeights) {
		t.Errorf("damaged weights: got %v, want ErrWeights", err)
	}
	other := layers.Sequential{layers.Flatten{}, layers.NewLinear(36, 5)}
	if _, err := Open(dev, other, weights(t), 1, 6, 6); !errors.Is(err, ErrWeights) {
		t.Errorf("weights of another model: got %v, want ErrWeights", err)
	}
	s, err := Open(dev, model(), nil, 1, 6, 6)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 35, 37} {
		if _, err := s.Predict(ctx, make([]float32, n)); !errors.Is(err, ErrInput) {
			t.Errorf("%d numbers: got %v, want ErrInput", n, err)
		}
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := s.Predict(ended, image(1)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	if _, err := s.Predict(ctx, image(1)); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: got %v, want ErrClosed", err)
	}
	if left := dev.Ledger(); len(left) > 0 {
		t.Errorf("a closed session holds %+v", left)
	}
}
