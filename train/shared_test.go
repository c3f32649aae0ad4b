package train

import (
	"context"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/safetensors"
)

// told is a model that tells each of its parameters once, under its first name.
type told struct{ layers.Sequential }

func (m told) Walk(visit func(name string, p *compute.Param)) {
	seen := map[*compute.Param]bool{}
	m.Sequential.Walk(func(name string, p *compute.Param) {
		if !seen[p] {
			seen[p] = true
			visit(name, p)
		}
	})
}

// shared is a model with a layer that occurs twice.
func shared() layers.Sequential {
	twice := layers.NewLinear(8, 8)
	m := layers.Sequential{layers.Flatten{}, layers.NewLinear(64, 8), layers.ReLU{}, twice, layers.ReLU{}, twice, layers.NewLinear(8, 4)}
	layers.Initialize(told{m}, 3)
	return m
}

// TestShared wants a parameter that a model has twice to be trained as one: as where the
// model tells it once, to the bit.
func TestShared(t *testing.T) {
	devices(t, func(t *testing.T, dev *compute.Device) {
		set, test := stripes(120, 1), stripes(40, 2)
		for name, change := range map[string]func(l *Loop){
			"clip":            func(l *Loop) { l.Clip.Norm = 0.1 },
			"accumulate, ema": func(l *Loop) { l.Accumulate, l.EMA = 2, &EMA{Decay: 0.5, Use: true} },
			"groups, restore": func(l *Loop) {
				l.Groups, l.EarlyStopping = []Group{{Match: "1.", Rate: 0.5}}, &EarlyStopping{Monitor: "loss", Mode: "max", Restore: true}
			},
		} {
			sums, loaded := map[string]string{}, map[string]string{}
			for who, m := range map[string]layers.Layer{"twice": shared(), "once": told{shared()}} {
				l := &Loop{Model: m, Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &SGD{LR: 0.1, Momentum: 0.9}, Batch: 20, Epochs: 2, Seed: 4, Checkpoint: filepath.Join(t.TempDir(), "c.safetensors")}
				change(l)
				_, err := l.Run(context.Background(), dev, set, test)
				forget(dev, m)
				if err != nil {
					t.Fatalf("%s, %s: %v", name, who, err)
				}
				_, ok := m.(layers.Sequential)
				again := shared()
				if ok {
					err = LoadModel(l.Checkpoint, again)
				} else {
					err = LoadModel(l.Checkpoint, told{again})
				}
				if err != nil {
					t.Fatalf("%s, %s: %v", name, who, err)
				}
				if !ok {
					m = m.(told).Sequential
				}
				sums[who], loaded[who] = digest(m), digest(again)
			}
			if sums["twice"] != sums["once"] || loaded["twice"] != sums["once"] || loaded["once"] != sums["once"] {
				t.Errorf("%s: weights %v, loaded %v, want the same of all", name, sums, loaded)
			}
		}
	})
}

// TestSharedRefuses wants a shared parameter in two groups, and a file in which its names
// have different numbers, to be errors that name both.
func TestSharedRefuses(t *testing.T) {
	dev := compute.Reference()
	defer dev.Close()
	l := &Loop{Model: shared(), Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &SGD{}, Batch: 20, Groups: []Group{{Match: "5.", Frozen: true}}}
	want := "train: 3.weight and 5.weight are one parameter, which is in group -1 and in group 0 (-1 for none), want one"
	if _, err := l.Run(context.Background(), dev, stripes(40, 1), nil); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	l.Groups, l.Checkpoint = nil, filepath.Join(t.TempDir(), "c.safetensors")
	if _, err := l.Run(context.Background(), dev, stripes(40, 1), nil); err != nil {
		t.Fatal(err)
	}
	f, err := readCheckpoint(l.Checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	if names := slices.Sorted(maps.Keys(f.Tensors)); !slices.Contains(names, "5.weight") {
		t.Errorf("tensors %v", names)
	}
	f.Tensors["5.weight"] = safetensors.FromFloat32([]int{8, 8}, make([]float32, 64))
	f.Seal()
	if err := safetensors.WriteFile(l.Checkpoint, f); err != nil {
		t.Fatal(err)
	}
	if err := LoadModel(l.Checkpoint, shared()); err == nil || !strings.Contains(err.Error(), "3.weight and 5.weight differ, and are one parameter of this model") {
		t.Errorf("got %v", err)
	}
}
