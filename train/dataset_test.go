package train

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/internal/tapeoption"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train/data"
)

// draw is a number below n, of an example and a place in it.
func draw(n, seed, place, example uint32) uint32 {
	return compute.RandomBits(seed, 2, place, example)[0] % n
}

// plane is points whose two targets are linear in them.
func plane(n int, seed uint32) *data.Arrays {
	a := &data.Arrays{About: data.Spec{Name: "plane", Shape: []int{3}, DType: data.Float32, Targets: 2}}
	a.All.Rows = n
	for i := range uint32(n) {
		var v [3]float32
		for j := range v {
			v[j] = float32(draw(201, seed, uint32(j), i))/100 - 1
		}
		a.All.Floats = append(a.All.Floats, v[:]...)
		a.All.Targets = append(a.All.Targets, 2*v[0]-v[1]+0.5, v[2]-0.25)
	}
	return a
}

// words is rows of six tokens of 40: the class is the half that most come from.
func words(n int, seed uint32) *data.Arrays {
	a := &data.Arrays{About: data.Spec{Name: "words", Shape: []int{6}, DType: data.Uint32, Classes: []string{"low", "high"}}}
	a.All.Rows = n
	for i := range uint32(n) {
		class := draw(2, seed, 9, i)
		for j := range uint32(6) {
			half := class
			if j == 5 {
				half = 1 - class
			}
			a.All.Ints = append(a.All.Ints, half*20+draw(20, seed, j, i))
		}
		a.All.Labels = append(a.All.Labels, class)
	}
	return a
}

// shades is bytes whose target is their mean.
func shades(n int, seed uint32) *data.Arrays {
	a := &data.Arrays{About: data.Spec{Name: "shades", Shape: []int{5}, DType: data.Uint8, Targets: 1}}
	a.All.Rows = n
	for i := range uint32(n) {
		sum := uint32(0)
		for j := range uint32(5) {
			v := draw(256, seed, j, i)
			a.All.Bytes, sum = append(a.All.Bytes, byte(v)), sum+v
		}
		a.All.Targets = append(a.All.Targets, float32(sum)/5/255)
	}
	return a
}

// TestDatasets trains on inputs of each type, with classes and with numbers, with and
// without a validation set.
func TestDatasets(t *testing.T) {
	linear := func(in, out int) layers.Sequential { return layers.Sequential{layers.NewLinear(in, out)} }
	text := layers.Sequential{layers.NewEmbedding(40, 4), layers.Flatten{}, layers.NewLinear(24, 2)}
	for name, c := range map[string]struct {
		model      layers.Layer
		loss       layers.Loss
		train, val *data.Arrays
		most       float64 // the validation loss at the end
	}{
		"numbers":          {linear(3, 2), layers.MSE{}, plane(400, 1), plane(90, 2), 1e-3},
		"indices":          {text, layers.SoftmaxCrossEntropy{}, words(400, 1), words(90, 2), 0.3},
		"bytes to numbers": {linear(5, 1), layers.Huber{}, shades(400, 1), shades(90, 2), 1e-3},
	} {
		t.Run(name, func(t *testing.T) {
			devices(t, func(t *testing.T, dev *compute.Device) {
				layers.Initialize(c.model, 3)
				l := Loop{Model: c.model, Loss: c.loss, Optimizer: &Adam{LR: 0.05}, Schedule: Linear{}, Batch: 20, Epochs: 6, Seed: 1}
				defer forget(dev, l.Model)
				h, err := l.Run(context.Background(), dev, c.train, c.val)
				if err != nil {
					t.Fatal(err)
				}
				if last := h[len(h)-1]; !(last.TestLoss < c.most) || last.Loss >= h[0].Loss {
					t.Errorf("history %+v, want a last loss below %v", h, c.most)
				}
				forget(dev, l.Model)
				layers.Initialize(c.model, 3)
				alone, err := l.Run(context.Background(), dev, c.train, nil)
				if err != nil {
					t.Fatal(err)
				}
				for i := range alone {
					if alone[i].Loss != h[i].Loss || alone[i].TestLoss != 0 {
						t.Errorf("epoch %d without a validation set: %+v, with one %+v", i+1, alone[i], h[i])
					}
				}
			})
		})
	}
}

// TestLoadsPadded verifies the kernel that brings bytes where the last batch has rows that
// the set does not have, which are zero.
func TestLoadsPadded(t *testing.T) {
	dev := devicetest.Open(t)
	held, err := newResident(shades(61, 1), 66)
	if err != nil {
		t.Fatal(err)
	}
	clock := compute.NewParamU32("clock", 2)
	defer dev.Forget(append(held.arrays(), clock)...)
	clock.Ints[0] = 5 // the last of 6 batches of 11
	tape := compute.NewTape(dev)
	x, y := held.record(tape, clock, 0, 11, 6, false)
	tape.Keep(x, y)
	found, err := devicetest.Verify(tape, nil)
	devicetest.Check(t, found, err)
}

// TestLoads verifies the kernels that bring a batch of each type of input and target,
// of sizes that fill no word, against their definitions, and those against the set.
func TestLoads(t *testing.T) {
	for name, set := range map[string]*data.Arrays{"numbers": plane(61, 1), "indices": words(61, 1), "bytes to numbers": shades(61, 1)} {
		t.Run(name, func(t *testing.T) {
			dev := devicetest.Open(t)
			held, err := newResident(set, set.Len())
			if err != nil {
				t.Fatal(err)
			}
			clock, sums := compute.NewParamU32("clock", 2), newSums(0)
			defer func() { dev.Forget(append(append(held.arrays(), clock), sums.arrays()...)...) }()
			clock.Ints[0], clock.Ints[1] = 7, 5
			for _, shuffled := range []bool{false, true} {
				switches := &tapeoption.Switches{}
				if shuffled {
					switches.Row = 1
				}
				tape := compute.NewTape(dev, switches)
				tape.Clock = clock
				x, y := held.record(tape, clock, 2, 11, 5, shuffled)
				sums.record(tape, tape.Zeros(1), tape.Zeros(11, max(held.spec.Targets, len(held.spec.Classes))), y)
				found, err := devicetest.Verify(tape, nil)
				devicetest.Check(t, found, err)
				if shuffled {
					continue
				}
				// Step 7 of 5 is the third of an epoch.
				tape = compute.NewTape(dev)
				x, y = held.record(tape, clock, 2, 11, 5, false)
				tape.Keep(x, y)
				p, err := tape.Compile()
				if err != nil {
					t.Fatal(err)
				}
				defer p.Close()
				if err := p.Run(context.Background()); err != nil {
					t.Fatal(err)
				}
				for b := range set.Batches(data.Range(24, 35), 11) {
					for _, v := range b.Bytes {
						b.Floats = append(b.Floats, float32(v)*float32(1.0/255))
					}
					same(t, p, x, b.Floats, b.Ints)
					same(t, p, y, b.Targets, b.Labels)
				}
			}
		})
	}
}

// same wants a tensor to hold the numbers, or the indices.
func same(t *testing.T, p *compute.Program, x *compute.Tensor, floats []float32, ints []uint32) {
	t.Helper()
	if x.DType() == compute.U32 {
		got := make([]uint32, x.Len())
		if err := p.ReadU32(context.Background(), x, got); err != nil || !slices.Equal(got, ints) {
			t.Errorf("got %v, %v; want %v", got, err, ints)
		}
		return
	}
	got := make([]float32, x.Len())
	if err := p.Read(context.Background(), x, got); err != nil || !slices.Equal(got, floats) {
		t.Errorf("got %v, %v; want %v", got, err, floats)
	}
}

// TestManyClasses tells apart 300 classes, more than a byte holds, by their index in
// a row of numbers.
func TestManyClasses(t *testing.T) {
	const classes = 300
	a := &data.Arrays{About: data.Spec{Name: "many", Shape: []int{1}, DType: data.Uint32, Classes: make([]string, classes)}}
	a.All.Rows = classes
	for i := range uint32(classes) {
		a.All.Ints, a.All.Labels = append(a.All.Ints, i), append(a.All.Labels, (i*7)%classes)
	}
	devices(t, func(t *testing.T, dev *compute.Device) {
		m := layers.Sequential{layers.NewEmbedding(classes, classes), layers.Flatten{}}
		layers.Initialize(m, 3)
		l := Loop{Model: m, Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &Adam{LR: 0.5}, Batch: 100, Epochs: 8}
		defer forget(dev, m)
		h, err := l.Run(context.Background(), dev, a, a)
		if err != nil || h[len(h)-1].TestAccuracy != 1 {
			t.Errorf("history %+v, %v; want all classes told apart", h, err)
		}
	})
}

// TestDatasetRefused wants an error before the first step of sets that do not hold
// what they say.
func TestDatasetRefused(t *testing.T) {
	dev := compute.Reference()
	defer dev.Close()
	for want, change := range map[string]func(a, b *data.Arrays){
		"inputs of shape [0]":                       func(a, _ *data.Arrays) { a.About.Shape = []int{0} },
		"2 classes and 2 numbers as target":         func(a, _ *data.Arrays) { a.About.Classes = make([]string, 2) },
		"input 7, element 1 is NaN":                 func(a, _ *data.Arrays) { a.All.Floats[22] = float32(math.NaN()) },
		"target 5, element 0 is +Inf":               func(a, _ *data.Arrays) { a.All.Targets[10] = float32(math.Inf(1)) },
		"train: the model makes [10 2] of 10 examp": func(a, b *data.Arrays) { one(a); one(b) },
		"plane has float32 inputs of [3] and targets of 1 numbers, want float32 inputs of [3] and targets of 2": func(_, b *data.Arrays) { one(b) },
	} {
		a, b := plane(40, 1), plane(20, 2)
		change(a, b)
		l := Loop{Model: layers.Sequential{layers.NewLinear(3, 2)}, Loss: layers.MSE{}, Optimizer: &Adam{}, Batch: 10}
		if _, err := l.Run(context.Background(), dev, a, b); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}

// one leaves the first number of each target.
func one(a *data.Arrays) {
	a.About.Targets = 1
	for i := range a.All.Rows {
		a.All.Targets[i] = a.All.Targets[2*i]
	}
	a.All.Targets = a.All.Targets[:a.All.Rows]
}

// TestFingerprint wants the one of a set of images to stay, since checkpoints hold it,
// and others to tell inputs and targets.
func TestFingerprint(t *testing.T) {
	sum := func(s data.Dataset) string {
		got, err := fingerprint(s)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	// echo -n abcdefABC | sha256sum
	const want = "98aa252fd3beb6cebf68bde8949382f819029f3d8b633a49d267a2f9634a1872"
	three := &data.Set{Channels: 1, Height: 1, Width: 2, Classes: make([]string, 256), Pixels: []byte("abcdef"), Labels: []byte("ABC")}
	if got := sum(three); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	seen := []string{sum(plane(20, 1)), sum(words(20, 1))}
	for _, change := range []func(p, w *data.Arrays){
		func(p, w *data.Arrays) { p.All.Floats[59]++; w.All.Ints[3]++ },
		func(p, w *data.Arrays) { p.All.Targets[39]++; w.All.Labels[19] = 1 - w.All.Labels[19] },
	} {
		p, w := plane(20, 1), words(20, 1)
		change(p, w)
		for _, s := range []data.Dataset{p, w} {
			if got := sum(s); slices.Contains(seen, got) {
				t.Errorf("a change of %s leaves the fingerprint", s.Spec().Name)
			} else {
				seen = append(seen, got)
			}
		}
	}
}
