package report

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"image/png"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train"
)

// epochs are made-up numbers of epochs 1 to n.
func epochs(n int) (h train.History) {
	for i := range n {
		v := float64(i + 1)
		h = append(h, train.Epoch{Epoch: i + 1, Loss: 1 / v, TrainAccuracy: 1 - 0.5/v, TestLoss: 1.5 / v, TestAccuracy: 1 - 0.6/v, Seconds: 2, ImagesPerSecond: 100 * v})
	}
	return h
}

// scalars are the numbers of a folder's event files, as a reader sees them who drops
// what a restart says is void.
func scalars(t *testing.T, dir string) map[string]map[int64]float64 {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, eventsGlob))
	if err != nil || len(files) == 0 {
		t.Fatalf("event files %v, %v", files, err)
	}
	slices.Sort(files)
	all := map[string]map[int64]float64{}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range readEvents(t, b) {
			step := get(t, m, "step").Int()
			fields := m.Descriptor().Fields()
			if m.Has(fields.ByName("session_log")) {
				for _, of := range all {
					for s := range of {
						if s >= step {
							delete(of, s)
						}
					}
				}
			}
			if !m.Has(fields.ByName("summary")) {
				continue
			}
			tag := get(t, m, "summary.value.tag").String()
			if all[tag] == nil {
				all[tag] = map[int64]float64{}
			}
			if _, ok := all[tag][step]; ok {
				t.Errorf("%s has step %d twice", tag, step)
			}
			all[tag][step] = get(t, m, "summary.value.simple_value").Float()
		}
	}
	return all
}

func begin(t *testing.T, dir string, resume bool, h train.History) *Folder {
	t.Helper()
	f, err := Begin(dir, Config{Flags: map[string]string{"lr": "0.1"}, Data: Data{Classes: []string{"a", "b"}}}, resume, h, 10)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func add(t *testing.T, f *Folder, h train.History) {
	t.Helper()
	for _, e := range h {
		if err := f.Epoch(e); err != nil {
			t.Fatal(err)
		}
	}
}

// whole wants a folder to hold each of n epochs once, in all its files.
func whole(t *testing.T, dir string, n int) {
	t.Helper()
	r, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if want := epochs(n); !slices.EqualFunc(r.History, want, func(a, b train.Epoch) bool { return fmt.Sprint(a) == fmt.Sprint(b) }) {
		t.Errorf("history %v\nwant %v", r.History, want)
	}
	b, err := os.ReadFile(filepath.Join(dir, csvName))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
	if err != nil || len(rows) != n+1 || rows[0][0] != "epoch" || rows[n][0] != fmt.Sprint(n) {
		t.Errorf("history.csv has %v, %v", rows, err)
	}
	for _, tag := range []string{"loss/train", "accuracy/test", "speed/images_per_second"} {
		of := scalars(t, dir)[tag]
		if len(of) != n {
			t.Errorf("%s has %v, want %d numbers", tag, of, n)
		}
		for i := range n {
			if _, ok := of[int64(10*(i+1))]; !ok {
				t.Errorf("%s has no number at step %d: %v", tag, 10*(i+1), of)
			}
		}
	}
	img, err := os.ReadFile(filepath.Join(dir, curveName))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := png.Decode(bytes.NewReader(img)); err != nil {
		t.Errorf("curve.png: %v", err)
	}
}

// TestResume wants each epoch once, wherever the process that began the run died.
func TestResume(t *testing.T) {
	line := func(dir string) string { return filepath.Join(dir, linesName) }
	for name, c := range map[string]struct {
		done int // epochs of the checkpoint that the second process goes on from
		harm func(t *testing.T, dir string)
	}{
		"after the epoch":                       {2, nil},
		"before the line":                       {3, nil}, // the checkpoint is ahead of the folder
		"in the line":                           {2, func(t *testing.T, dir string) { truncate(t, line(dir), 5) }},
		"after the events, before the line":     {2, func(t *testing.T, dir string) { dropLine(t, line(dir)) }},
		"the checkpoint is behind by an epoch":  {1, nil},
		"no folder yet":                         {2, func(t *testing.T, dir string) { empty(t, dir) }},
		"a folder of an older version of these": {2, func(t *testing.T, dir string) { os.Remove(line(dir)) }},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			f := begin(t, dir, false, nil)
			add(t, f, epochs(2))
			f.Close()
			if c.harm != nil {
				c.harm(t, dir)
			}
			g := begin(t, dir, true, epochs(c.done))
			add(t, g, epochs(4)[c.done:])
			g.Close()
			whole(t, dir, 4)
			r, err := Open(dir)
			if err != nil || name != "no folder yet" && (len(r.Config.Resumed) != 1 || r.Config.Start.After(r.Config.Resumed[0].Time)) {
				t.Errorf("start %v, resumed %v, %v", r.Config.Start, r.Config.Resumed, err)
			}
		})
	}
}

// TestResumeTrustsTheCheckpoint has folders that do not hold what the checkpoint does.
func TestResumeTrustsTheCheckpoint(t *testing.T) {
	path := func(dir string) string { return filepath.Join(dir, linesName) }
	change := func(t *testing.T, dir, old, new string) {
		b, err := os.ReadFile(path(dir))
		if err == nil && !bytes.Contains(b, []byte(old)) {
			t.Fatalf("no %q in %s", old, b)
		}
		if err == nil {
			err = os.WriteFile(path(dir), bytes.Replace(b, []byte(old), []byte(new), 1), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, harm := range map[string]func(t *testing.T, dir string){
		"a damaged line":  func(t *testing.T, dir string) { change(t, dir, `{"epoch":2,`, `{"epoch":`) },
		"another epoch":   func(t *testing.T, dir string) { change(t, dir, `{"epoch":2,`, `{"epoch":5,`) },
		"another loss":    func(t *testing.T, dir string) { change(t, dir, `"loss":0.5,`, `"loss":0.25,`) },
		"another metric":  func(t *testing.T, dir string) { change(t, dir, `"loss":0.5,`, `"loss":0.5,"metrics":{"f1":1},`) },
		"another's epoch": func(t *testing.T, dir string) { change(t, dir, `"loss":1,`, `"loss":3,`) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			f := begin(t, dir, false, nil)
			add(t, f, epochs(3))
			f.Close()
			harm(t, dir)
			g := begin(t, dir, true, epochs(3))
			add(t, g, epochs(4)[3:])
			g.Close()
			whole(t, dir, 4)
		})
	}
	// A run that was killed after its first checkpoint, before it moved the files of the
	// run before.
	dir := t.TempDir()
	f := begin(t, dir, false, nil)
	add(t, f, epochs(2))
	f.Close()
	g := begin(t, dir, true, nil)
	add(t, g, epochs(3))
	g.Close()
	whole(t, dir, 3)
	whole(t, filepath.Join(dir, previousName), 2)
}

// TestResumeKeepsSettings wants those of the process that began a run, and beside them
// those of the process that went on.
func TestResumeKeepsSettings(t *testing.T) {
	dir := t.TempDir()
	first := Config{Flags: map[string]string{"lr": "0.1", "epochs": "2"}, Device: Device{Name: "one"}, Versions: map[string]string{"go": "1"}}
	later := Config{Flags: map[string]string{"lr": "0.1", "epochs": "4", "resume": "true"}, Device: Device{Name: "two"}, Versions: map[string]string{"go": "2"}}
	for i, c := range []Config{first, later} {
		f, err := Begin(dir, c, i > 0, epochs(i), 10)
		if err != nil {
			t.Fatal(err)
		}
		add(t, f, epochs(i + 1)[i:])
		f.Close()
	}
	r, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	c := r.Config
	if c.Device != first.Device || !maps.Equal(c.Flags, first.Flags) || !maps.Equal(c.Versions, first.Versions) {
		t.Errorf("settings %+v, want %+v", c, first)
	}
	if len(c.Resumed) != 1 || c.Resumed[0].Device != later.Device || !maps.Equal(c.Resumed[0].Flags, later.Flags) {
		t.Errorf("resumed %+v, want %+v", c.Resumed, later)
	}
	if last := c.Settings()[len(c.Settings())-1]; last[0] != "resumed" || !strings.HasSuffix(last[1], `, on two, --epochs "4", version of go "2"`) {
		t.Errorf("the last setting is %q", last)
	}
	var old Config
	if err := json.Unmarshal([]byte(`{"resumed":["2026-01-02T03:04:05Z"]}`), &old); err != nil || len(old.Resumed) != 1 || old.Resumed[0].Time.Year() != 2026 {
		t.Errorf("a time alone: %+v, %v", old.Resumed, err)
	}
}

func truncate(t *testing.T, path string, by int) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, b[:len(b)-by], 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func dropLine(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	truncate(t, path, len(b)-1-bytes.LastIndexByte(b[:len(b)-1], '\n'))
}

func empty(t *testing.T, dir string) {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range all {
		if err := os.RemoveAll(name); err != nil {
			t.Fatal(err)
		}
	}
}

// TestEarlierRun wants a new run to keep the one before, and only that.
func TestEarlierRun(t *testing.T) {
	dir := t.TempDir()
	for n := range 3 {
		f := begin(t, dir, false, nil)
		add(t, f, epochs(n+1))
		f.Close()
		whole(t, dir, n+1)
		if n > 0 {
			whole(t, filepath.Join(dir, previousName), n)
		}
	}
	all, err := Find(dir)
	if err != nil || len(all) != 2 {
		t.Errorf("found %d runs, %v, want 2", len(all), err)
	}
}

// TestColumns wants every number of an epoch once, the known ones first, and in the
// table an empty place where an epoch lacks one.
func TestColumns(t *testing.T) {
	one := train.Epoch{
		Epoch: 2, Loss: 0.5, TrainAccuracy: 0.8, TestLoss: 0.6, TestAccuracy: 0.7, Seconds: 3, ImagesPerSecond: 9,
		LearningRate: 0.01, Metrics: map[string]float64{"accuracy": 0.8, "top3": 0.9}, TestMetrics: map[string]float64{"top3": 0.85}, Confusion: train.Confusion{{1}},
	}
	var names []string
	var values []float64
	for name, v := range columns(one) {
		names, values = append(names, name), append(values, v)
	}
	if got := fmt.Sprint(names[7:], values[7:]); len(names) != 10 || !slices.Equal(names[:7], leading) || got != "[learning_rate train_top3 test_top3] [0.01 0.9 0.85]" {
		t.Errorf("%v, after %v", got, names)
	}
	// Every number of an epoch is a column.
	one.Skipped = 1
	b, err := json.Marshal(one)
	if err != nil {
		t.Fatal(err)
	}
	var written map[string]any
	if err := json.Unmarshal(b, &written); err != nil {
		t.Fatal(err)
	}
	got := maps.Collect(columns(one))
	for name, v := range written {
		if x, ok := v.(float64); ok && got[name] != x {
			t.Errorf("%s is %v in JSON, %v in the columns", name, x, got[name])
		}
	}
	for column, want := range map[string]string{"loss": "loss/train", "test_loss": "loss/test", "train_top3": "top3/train", "seconds": "speed/seconds", "learning_rate": "learning_rate"} {
		if got := tagOf(column); got != want {
			t.Errorf("%s is tagged %s, want %s", column, got, want)
		}
	}
	h := epochs(2)
	h[1].Skipped = 4
	var out bytes.Buffer
	if err := WriteCSV(&out, h); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	at := slices.Index(rows[0], "skipped")
	if at < 0 || rows[1][at] != "" || rows[2][at] != "4" {
		t.Errorf("%v", rows)
	}
	v := view{Report{History: h}}
	if d := v.others(); len(d) != 1 || !strings.Contains(strings.ToLower(fmt.Sprint(d[0])), "learning rate") {
		t.Errorf("%d other charts, want that of the learning rate, and none of skipped steps", len(d))
	}
}

// TestWithoutTest wants no number of a test set that is not there, and no accuracy of
// targets that are numbers, and takes metrics that are not finite.
func TestWithoutTest(t *testing.T) {
	dir := t.TempDir()
	f := begin(t, dir, false, nil)
	for i := range 2 {
		add(t, f, train.History{{Epoch: i + 1, Loss: 2, Seconds: 1, Metrics: map[string]float64{"mae": 1, "mse": math.Inf(1)}}})
	}
	f.Close()
	b, err := os.ReadFile(filepath.Join(dir, csvName))
	if err != nil || string(b) != "epoch,loss,seconds,images_per_second,learning_rate,train_mae\n1,2,1,0,0,1\n2,2,1,0,0,1\n" {
		t.Errorf("%q, %v", b, err)
	}
	for tag := range scalars(t, dir) {
		if strings.Contains(tag, "test") || strings.Contains(tag, "accuracy") || strings.Contains(tag, "mse") {
			t.Errorf("there are events of %s", tag)
		}
	}
	r, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if best, ok := r.Best(); ok {
		t.Errorf("the best accuracy of none is in %+v", best)
	}
	var out bytes.Buffer
	if err := errors.Join(WriteRuns(&out, []*Run{r}), WriteComparison(&out, []*Run{r, r})); err != nil || strings.Contains(out.String(), "0.00") || strings.Contains(out.String(), "epoch 1 test") {
		t.Errorf("%v\n%s", err, out.String())
	}
	v := view{Report{Config: Config{Data: Data{Test: 10}}, History: r.History}}
	for _, d := range v.Curves() {
		for _, l := range d.Lines {
			if l.Name != "training" || len(l.Points) != 2 {
				t.Errorf("%s has %+v", d.Title, l)
			}
		}
	}
	out.Reset()
	if err := WriteCurve(&out, r.History); err != nil {
		t.Fatal(err)
	}
	if c, err := png.DecodeConfig(&out); err != nil || c.Height > c.Width*5/8 {
		t.Errorf("curves of %+v, %v, want that of the loss alone", c, err)
	}
}

// TestWrongOrder wants an epoch that does not follow to be an error.
func TestWrongOrder(t *testing.T) {
	f := begin(t, t.TempDir(), false, nil)
	if err := f.Epoch(epochs(2)[1]); err == nil || !strings.Contains(err.Error(), "epoch 2, want 1") {
		t.Errorf("got %v", err)
	}
}

// TestOpenErrors has folders that are damaged.
func TestOpenErrors(t *testing.T) {
	for name, c := range map[string]struct{ file, text, want string }{
		"no run":         {"notes.txt", "", configName},
		"no JSON":        {configName, "{", configName},
		"another schema": {configName, `{"schema":"pumice.run.9"}`, `schema is "pumice.run.9", want "pumice.run.1"`},
		"a bad line":     {linesName, "{}\n", "line 1 is of epoch 0, want 1"},
		"no line":        {linesName, "x\n", "line 1"},
		"twice":          {linesName, `{"epoch":1}` + "\n" + `{"epoch":1}` + "\n", "line 2 is of epoch 1, want 2"},
	} {
		dir := t.TempDir()
		if c.file == linesName {
			if err := (Config{Schema: Schema}).write(dir); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, c.file), []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "report: ") {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

// TestCompare wants what differs, and the numbers side by side.
func TestCompare(t *testing.T) {
	a := &Run{Dir: "x/a", Config: Config{Seed: 1, Flags: map[string]string{"lr": "0.1", "out": "x/a"}}, History: epochs(2)}
	b := &Run{Dir: "x/b", Config: Config{Seed: 1, Flags: map[string]string{"lr": "0.2", "out": "x/b", "new": "1"}}, History: epochs(3)}
	settings, numbers := Compare([]*Run{a, b})
	if got := fmt.Sprint(settings); got != "[{--lr [0.1 0.2]} {--new [ 1]}]" {
		t.Errorf("settings %v", got)
	}
	if got := fmt.Sprint(numbers[2]); len(numbers) != 15 || got != "{epoch 3 loss [ 0.3333]}" {
		t.Errorf("%d numbers, the third %v", len(numbers), got)
	}
	var out bytes.Buffer
	if err := WriteComparison(&out, []*Run{a, b}); err != nil || !strings.Contains(out.String(), "best test %") {
		t.Errorf("%v\n%s", err, out.String())
	}
	out.Reset()
	if err := WriteCurves(&out, []*Run{a, b}); err != nil {
		t.Fatal(err)
	}
	if c, err := png.DecodeConfig(&out); err != nil || c.Width < 600 {
		t.Errorf("curves: %+v, %v", c, err)
	}
	if err := WriteCurves(&out, make([]*Run, maxCompared+1)); err == nil {
		t.Error("8 runs were drawn in 7 colours")
	}
	if best, ok := b.Best(); !ok || best.Epoch != 3 {
		t.Errorf("best epoch %d", best.Epoch)
	}
}

// TestRecorder trains, stops, goes on, and looks at what is in the folder.
func TestRecorder(t *testing.T) {
	devices(t, func(t *testing.T, dev *compute.Device) {
		dir := t.TempDir()
		set := brightest(40)
		run := func(ctx context.Context, n int, resume bool, more ...train.Callback) (*Recorder, *train.Loop, error) {
			model, l := picker()
			clear(l.Weight.Data)
			l.Weight.Init = nil
			loop := &train.Loop{
				Model: model, Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &train.AdamW{LR: 0.05}, Batch: 8, Epochs: n,
				Checkpoint: filepath.Join(dir, "checkpoint.safetensors"), Resume: resume,
			}
			t.Cleanup(func() { dev.Forget(l.Weight, l.Bias) })
			r := &Recorder{Dir: dir, Config: Config{Device: DeviceOf(dev), Data: Data{Name: set.Name, Test: set.Len(), Classes: set.Classes}}}
			loop.Callbacks = append(more, r.Callback())
			_, err := loop.Run(ctx, dev, set, set)
			return r, loop, err
		}
		ctx, cancel := context.WithCancel(context.Background())
		r, _, err := run(ctx, 4, false, train.Callback{AfterEpoch: func(f *train.Fit) error {
			if len(f.History) == 2 {
				cancel()
			}
			return nil
		}})
		if !errors.Is(err, train.ErrInterrupted) {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		r, loop, err := run(context.Background(), 4, true)
		if err != nil {
			t.Fatal(err)
		}
		found, err := Collect(context.Background(), dev, loop, set, set, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Write("a run", found); err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		got, err := Open(dir)
		if err != nil || len(got.History) != 4 || got.Config.Data.Name != "brightest" {
			t.Fatalf("%+v, %v", got, err)
		}
		tags := scalars(t, dir)
		for _, tag := range []string{"loss/train", "weights/1.weight", "gradients/1.bias", "filters/1 Linear(4, 4)"} {
			if of := tags[tag]; len(of) != 4 {
				t.Errorf("%s has %v, want 4 events", tag, of)
			}
		}
		if e := got.History[3]; tags["loss/test"][20] != float64(float32(e.TestLoss)) {
			t.Errorf("test loss %v, its event %v", e.TestLoss, tags["loss/test"][20])
		}
		page, err := os.ReadFile(filepath.Join(dir, pageName))
		if err != nil || !bytes.Contains(page, []byte("<title>a run</title>")) {
			t.Errorf("report.html: %v", err)
		}
	})
}
