package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers"
)

// plain is a loop of three epochs of four steps.
func plain() *Loop {
	return &Loop{Model: small(), Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &SGD{LR: 0.1}, Batch: 10, Epochs: 3, Seed: 1}
}

// TestCallbacks wants each function of two callbacks at its time, with what a run knows
// then.
func TestCallbacks(t *testing.T) {
	dev := compute.Reference()
	defer dev.Close()
	var calls []string
	var stops []string
	note := func(who, what string) func(f *Fit) error {
		return func(f *Fit) error {
			if f.Steps != 4 || f.Device != dev || f.Train.Len() != 40 || f.Validation.Len() != 20 || f.Loop.Batch != 10 {
				t.Errorf("%s: %+v", what, f)
			}
			calls = append(calls, fmt.Sprintf("%s %s %d/%d %d", who, what, f.Epoch, f.Step, len(f.History)))
			if what == "AfterStep" {
				m, err := f.Metrics(context.Background())
				if want := 10 * ((f.Step-1)%4 + 1); err != nil || m.Rows != want || m.Confusion == nil {
					t.Errorf("step %d: %+v, %v, want %d rows", f.Step, m, err, want)
				}
				if f.Step == 6 {
					f.Stop("enough")
					f.Stop("too late")
				}
			}
			if what == "AfterFit" {
				stops = append(stops, f.Stopped())
			}
			return nil
		}
	}
	l := plain()
	for _, who := range []string{"a", "b"} {
		l.Callbacks = append(l.Callbacks, Callback{
			BeforeFit: note(who, "BeforeFit"), AfterFit: note(who, "AfterFit"), BeforeEpoch: note(who, "BeforeEpoch"), AfterEpoch: note(who, "AfterEpoch"),
			BeforeStep: note(who, "BeforeStep"), AfterStep: note(who, "AfterStep"),
		})
	}
	h, err := l.Run(context.Background(), dev, stripes(40, 1), stripes(20, 2))
	if err != nil || len(h) != 1 {
		t.Fatalf("%d epochs, %v, want 1, and 2 steps of another", len(h), err)
	}
	want := []string{"BeforeFit 1/0 0", "BeforeEpoch 1/0 0"}
	for step := range 4 {
		want = append(want, fmt.Sprintf("BeforeStep 1/%d 0", step), fmt.Sprintf("AfterStep 1/%d 0", step+1))
	}
	want = append(want, "AfterEpoch 1/4 1", "BeforeEpoch 2/4 1", "BeforeStep 2/4 1", "AfterStep 2/5 1", "BeforeStep 2/5 1", "AfterStep 2/6 1", "AfterFit 2/6 1")
	var both []string
	for _, w := range want {
		both = append(both, "a "+w, "b "+w)
	}
	if !slices.Equal(calls, both) {
		t.Errorf("calls\n%s\nwant\n%s", strings.Join(calls, "\n"), strings.Join(both, "\n"))
	}
	if !slices.Equal(stops, []string{"enough", "enough"}) {
		t.Errorf("stopped by %q", stops)
	}
}

// TestCallbackFails wants the error of a callback, and where it came from.
func TestCallbackFails(t *testing.T) {
	dev := compute.Reference()
	defer dev.Close()
	broken := errors.New("broken")
	l := plain()
	l.Callbacks = []Callback{{}, {AfterStep: func(f *Fit) error {
		if f.Step == 3 {
			return broken
		}
		return nil
	}}}
	_, err := l.Run(context.Background(), dev, stripes(40, 1), nil)
	if !errors.Is(err, broken) || err.Error() != "train: callback 1, AfterStep, at step 3: broken" {
		t.Errorf("got %v", err)
	}
}

// lossHistory is a history of test losses.
func lossHistory(of ...float64) (h History) {
	for i, v := range of {
		h = append(h, Epoch{Epoch: i + 1, TestLoss: v, TestMetrics: map[string]float64{"f1": 1 - v}})
	}
	return h
}

func TestEarlyStoppingReason(t *testing.T) {
	for _, c := range []struct {
		s    EarlyStopping
		of   []float64
		want bool
	}{
		{EarlyStopping{Patience: 2}, []float64{1, 0.9, 0.95}, false},
		{EarlyStopping{Patience: 2}, []float64{1, 0.9, 0.95, 0.9}, true},
		{EarlyStopping{Patience: 2}, []float64{1, 0.9, 0.95, 0.89}, false},
		{EarlyStopping{Patience: 2, MinDelta: 0.05}, []float64{1, 0.9, 0.95, 0.89}, true},
		{EarlyStopping{Patience: 2, Monitor: "test_f1"}, []float64{1, 0.9, 0.8}, false},
		{EarlyStopping{Patience: 2, Monitor: "test_f1"}, []float64{0.7, 0.9, 0.8}, true},
		{EarlyStopping{Patience: 2, Monitor: "test_f1", Mode: "min"}, []float64{1, 0.9, 0.8}, true},
		{EarlyStopping{}, []float64{1, 2, 2, 2, 2}, false},
		{EarlyStopping{}, []float64{1, 2, 2, 2, 2, 2}, true},
	} {
		if got := c.s.reason(lossHistory(c.of...)); (got != "") != c.want {
			t.Errorf("%+v of %v: %q, want to stop: %v", c.s, c.of, got, c.want)
		}
	}
	if got, want := (&EarlyStopping{Patience: 1}).reason(lossHistory(0.5, 0.625)), "test_loss has not become better than 0.5, of epoch 1, for 1 epochs"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestRestore trains until the loss has risen, at a rate that lets it, and wants the
// weights of the best epoch in the model, in the checkpoint, and in that of SaveBest.
func TestRestore(t *testing.T) {
	devices(t, func(t *testing.T, dev *compute.Device) {
		dir, ctx := t.TempDir(), context.Background()
		set, test := stripes(60, 1), stripes(200, 2)
		digests := map[int]string{}
		l := &Loop{
			Model: small(), Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &SGD{LR: 1.5, Momentum: 0.9}, Batch: 10, Epochs: 40, Seed: 1,
			EarlyStopping: &EarlyStopping{Patience: 2, Restore: true}, Checkpoint: filepath.Join(dir, "c.safetensors"),
			SaveBest: &SaveBest{Path: filepath.Join(dir, "best.safetensors")}, SaveEvery: &SaveEvery{Folder: filepath.Join(dir, "all"), Epochs: 2, Keep: 1},
		}
		defer forget(dev, l.Model)
		stopped := ""
		l.Callbacks = []Callback{{
			AfterEpoch: func(f *Fit) error {
				for _, p := range layers.Params(l.Model) {
					if err := f.Device.Download(ctx, p); err != nil {
						return err
					}
				}
				digests[f.Epoch] = digest(l.Model)
				return nil
			},
			AfterFit: func(f *Fit) error { stopped = f.Stopped(); return nil },
		}}
		h, err := l.Run(ctx, dev, set, test)
		if err != nil {
			t.Fatal(err)
		}
		if len(h) == 40 || stopped == "" {
			t.Fatalf("%d epochs, stopped by %q, want fewer than 40", len(h), stopped)
		}
		want := digests[len(h)-2]
		if len(digests) != len(h) || want == digests[len(h)] {
			t.Errorf("%d digests of %d epochs, the best like the last", len(digests), len(h))
		}
		saved, best := small(), small()
		if err := errors.Join(LoadModel(l.Checkpoint, saved), LoadModel(l.SaveBest.Path, best)); err != nil {
			t.Fatal(err)
		}
		for name, m := range map[string]layers.Layer{"left by Run": l.Model, "in the checkpoint": saved, "in the best one": best} {
			if digest(m) != want {
				t.Errorf("the model %s is not that of the best epoch, %d of %d", name, len(h)-2, len(h))
			}
		}
		files, err := os.ReadDir(l.SaveEvery.Folder)
		if err != nil || len(files) != 1 || files[0].Name() != fmt.Sprintf("epoch-%04d.safetensors", len(h)/2*2) {
			t.Errorf("files %v, %v, want that of epoch %d alone", files, err, len(h)/2*2)
		}
		again := *l
		again.Model, again.Resume, again.Callbacks = small(), true, nil
		defer forget(dev, again.Model)
		if more, err := again.Run(ctx, dev, set, test); err != nil || len(more) != len(h) || digest(again.Model) != want {
			t.Errorf("resumed, a stopped run has %d epochs, %v, want %d and the best weights", len(more), err, len(h))
		}
	})
}

// TestSaveEvery wants the files of another run out of the way, and those of this one kept
// when it is resumed.
func TestSaveEvery(t *testing.T) {
	dev := compute.Reference()
	defer dev.Close()
	dir := t.TempDir()
	l := plain()
	l.SaveEvery, l.Checkpoint = &SaveEvery{Folder: filepath.Join(dir, "all"), Epochs: 2}, filepath.Join(dir, "c.safetensors")
	if err := os.Mkdir(l.SaveEvery.Folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"epoch-0001.safetensors", "epoch-0099.safetensors", "epoch-00001.safetensors", "other"} {
		if err := os.WriteFile(filepath.Join(l.SaveEvery.Folder, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if _, err := l.Run(context.Background(), dev, stripes(40, 1), nil); err != nil {
			t.Fatal(err)
		}
		files, err := os.ReadDir(l.SaveEvery.Folder)
		if err != nil || len(files) != 4 || files[0].Name() != "epoch-00001.safetensors" || files[1].Name() != "epoch-0002.safetensors" {
			t.Errorf("resumed %v: files %v, %v, want that of epoch 2, previous, and those that are not such", l.Resume, files, err)
		}
		if aside, err := epochsIn(filepath.Join(l.SaveEvery.Folder, "previous")); err != nil || !slices.Equal(aside, []int{1, 99}) {
			t.Errorf("resumed %v: epochs %v aside, %v, want 1 and 99", l.Resume, aside, err)
		}
		forget(dev, l.Model)
		l.Model, l.Resume = small(), true
	}
}

// TestMetricsCancelled wants a callback's context to be heeded, and a resumed run that has
// no epoch left to be in its last.
func TestMetricsCancelled(t *testing.T) {
	dev := compute.Reference()
	defer dev.Close()
	l := plain()
	l.Checkpoint = filepath.Join(t.TempDir(), "c.safetensors")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	l.Callbacks = []Callback{{AfterStep: func(f *Fit) error {
		if _, err := f.Metrics(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("step %d: got %v, want %v", f.Step, err, context.Canceled)
		}
		return nil
	}}}
	if _, err := l.Run(context.Background(), dev, stripes(40, 1), nil); err != nil {
		t.Fatal(err)
	}
	var epochs []int
	note := func(f *Fit) error { epochs = append(epochs, f.Epoch); return nil }
	l.Resume, l.Callbacks = true, []Callback{{BeforeFit: note, AfterFit: note}}
	if _, err := l.Run(context.Background(), dev, stripes(40, 1), nil); err != nil || !slices.Equal(epochs, []int{3, 3}) {
		t.Errorf("epochs %v, %v, want 3 before and after", epochs, err)
	}
}

// TestPlateauRuns wants the rate of a run that cannot improve to fall, and the history to
// tell.
func TestPlateauRuns(t *testing.T) {
	devices(t, func(t *testing.T, dev *compute.Device) {
		l := plain()
		l.Schedule = ReduceOnPlateau{Monitor: "test_accuracy", Mode: "min", Patience: -1, Factor: 0.5, MinDelta: 1}
		defer forget(dev, l.Model)
		h, err := l.Run(context.Background(), dev, stripes(40, 1), stripes(20, 2))
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []float64{0.1, 0.1, 0.05} {
			if h[i].LearningRate != want {
				t.Errorf("epoch %d: rate %v, want %v", i+1, h[i].LearningRate, want)
			}
		}
		for _, name := range []string{"accuracy", "top3", "precision", "recall", "f1"} {
			if _, ok := h[2].Value(name); !ok {
				t.Errorf("no %s in %+v", name, h[2])
			}
			if _, ok := h[2].Value("test_" + name); !ok {
				t.Errorf("no test_%s in %+v", name, h[2])
			}
		}
		if rows := 0; len(h[2].Confusion) == 4 {
			for _, row := range h[2].Confusion {
				for _, n := range row {
					rows += n
				}
			}
			if rows != 20 {
				t.Errorf("confusion %v has %d rows, want 20", h[2].Confusion, rows)
			}
		} else {
			t.Errorf("confusion %v, want four classes", h[2].Confusion)
		}
	})
}

// TestSettingsRefused wants settings that cannot work to be errors before a step.
func TestSettingsRefused(t *testing.T) {
	dev := compute.Reference()
	defer dev.Close()
	file := filepath.Join(t.TempDir(), "epoch-0001.safetensors")
	for want, change := range map[string]func(l *Loop){
		"an update of 5 batches of 10 examples, want 1 to 4": func(l *Loop) { l.Accumulate = 5 },
		"Clip: Norm is -1": func(l *Loop) { l.Clip.Norm = -1 },
		"EMA: Decay is 1":  func(l *Loop) { l.EMA = &EMA{Decay: 1} },
		"TopK is -1":       func(l *Loop) { l.TopK = -1 },
		`(Match "7.") has no parameter, want some of 0.weight, 0.bias`:       func(l *Loop) { l.Groups = []Group{{Match: "7."}} },
		"group 0 has neither Match nor Select":                               func(l *Loop) { l.Groups = []Group{{}} },
		"Rate is -1":                                                         func(l *Loop) { l.Groups = []Group{{Match: "0.", Rate: -1}} },
		"all parameters are frozen":                                          func(l *Loop) { l.Groups = []Group{{Select: func(string) bool { return true }, Frozen: true}} },
		`EarlyStopping: Monitor is "test_loss", which wants a set`:           func(l *Loop) { l.EarlyStopping = &EarlyStopping{} },
		`Monitor is "mse", want loss, accuracy, top3, precision, recall, f1`: func(l *Loop) { l.EarlyStopping = &EarlyStopping{Monitor: "mse"} },
		"Patience is -1":                                                     func(l *Loop) { l.EarlyStopping = &EarlyStopping{Monitor: "loss", Patience: -1} },
		"SaveBest: Path is":                                                  func(l *Loop) { l.SaveBest = &SaveBest{Path: "/nowhere/at/all", Monitor: "loss"} },
		"SaveEvery: Folder":                                                  func(l *Loop) { l.SaveEvery = &SaveEvery{} },
		`ReduceOnPlateau: Monitor is "test_loss"`:                            func(l *Loop) { l.Schedule = ReduceOnPlateau{} },
		"Clip: Norm is 1e-50":                                                func(l *Loop) { l.Clip.Norm = 1e-50 },
		"Clip: Value is 1e+39":                                               func(l *Loop) { l.Clip.Value = 1e39 },
		"EMA: Decay is 0.99999999":                                           func(l *Loop) { l.EMA = &EMA{Decay: 0.99999999} },
		"Step: every 4294967296":                                             func(l *Loop) { l.Schedule = Step{Every: 1 << 32} },
		"Power is 1e-50":                                                     func(l *Loop) { l.Schedule = Polynomial{Power: 1e-50} },
		"learning rate 1e-50":                                                func(l *Loop) { l.Optimizer = &SGD{LR: 1e-50} },
		"learning rate 1e+39":                                                func(l *Loop) { l.Optimizer = &SGD{LR: 1e39} },
		"SGD: Momentum is NaN":                                               func(l *Loop) { l.Optimizer = &SGD{Momentum: math.NaN()} },
		"SGD: Decay is -1":                                                   func(l *Loop) { l.Optimizer = &SGD{Decay: -1} },
		"Adam: Beta1 is 1, want 0 or":                                        func(l *Loop) { l.Optimizer = &Adam{Beta1: 1} },
		"AdamW: Beta2 is 0.99999999":                                         func(l *Loop) { l.Optimizer = &AdamW{Beta2: 0.99999999} },
		"AdamW: Decay is NaN":                                                func(l *Loop) { l.Optimizer = &AdamW{Decay: math.NaN()} },
		"Adam: Eps is 1e-50":                                                 func(l *Loop) { l.Optimizer = &Adam{Eps: 1e-50} },
		"RMSprop: Alpha is -0.5":                                             func(l *Loop) { l.Optimizer = &RMSprop{Alpha: -0.5} },
		"RMSprop: Momentum is +Inf":                                          func(l *Loop) { l.Optimizer = &RMSprop{Momentum: math.Inf(1)} },
		"Rate is 1e-50":                                                      func(l *Loop) { l.Groups = []Group{{Match: "0.", Rate: 1e-50}} },
		"Checkpoint and SaveBest.Path":                                       func(l *Loop) { l.Checkpoint, l.SaveBest = file, &SaveBest{Path: file, Monitor: "loss"} },
		"Previous and SaveBest.Path":                                         func(l *Loop) { l.Previous, l.SaveBest = file, &SaveBest{Path: file, Monitor: "loss"} },
		"is a name of SaveEvery's file":                                      func(l *Loop) { l.Checkpoint, l.SaveEvery = file, &SaveEvery{Folder: filepath.Dir(file)} },
		"Cosine: WarmUp is 12":                                               func(l *Loop) { l.Schedule = Cosine{WarmUp: 12} },
	} {
		l, steps := plain(), 0
		l.Callbacks = []Callback{{BeforeStep: func(*Fit) error { steps++; return nil }}}
		change(l)
		if _, err := l.Run(context.Background(), dev, stripes(40, 1), nil); err == nil || !strings.Contains(err.Error(), want) || steps > 0 {
			t.Errorf("got %v after %d steps, want an error with %q before the first", err, steps, want)
		}
	}
	if left := dev.Ledger(); len(left) > 1 || len(left) == 1 && left[0].Owner != "parameters" {
		t.Errorf("failed starts hold %+v", left)
	}
}
