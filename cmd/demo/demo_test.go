package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/safetensors"
	"github.com/pumice-ml/pumice/train"
	"github.com/pumice-ml/pumice/train/data"
	"github.com/pumice-ml/pumice/train/supervise"
)

// TestMain runs the program itself where the test binary is started as one.
func TestMain(m *testing.M) {
	if supervise.Supervised() {
		os.Exit(run(os.Args[1:]))
	}
	if args := os.Getenv("PUMICE_DEMO_ARGS"); args != "" {
		os.Exit(run(strings.Split(args, " ")))
	}
	os.Exit(m.Run())
}

func demo(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	cmd := root(&out)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(context.Background())
	return out.String(), err
}

func must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := demo(t, args...)
	if err != nil {
		t.Fatalf("demo %v: %v\n%s", args, err, out)
	}
	return out
}

// lines decodes one JSON object per line.
func lines(t *testing.T, out string) (all []map[string]any) {
	t.Helper()
	for line := range strings.Lines(out) {
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		all = append(all, v)
	}
	return all
}

func TestTrainJSON(t *testing.T) {
	for _, device := range []string{"auto", "reference"} {
		t.Run(device, func(t *testing.T) {
			dir := t.TempDir()
			all := lines(t, must(t, "train", "--device", device, "--images", "500", "--epochs", "2", "--out", dir, "--json"))
			if len(all) != 4 || all[0]["event"] != "start" || all[1]["event"] != "epoch" || all[3]["event"] != "done" {
				t.Fatalf("events %v", all)
			}
			for i, keys := range map[int][]string{
				0: {"device", "backend", "adapter_type", "why", "parameters"},
				1: {"epoch", "loss", "train_accuracy", "test_accuracy", "seconds", "images_per_second"},
				3: {"test_accuracy", "train_seconds", "checkpoint"},
			} {
				for _, k := range keys {
					if all[i][k] == nil {
						t.Errorf("event %v has no %s", all[i], k)
					}
				}
			}
			if all[0]["parameters"] != 11770.0 {
				t.Errorf("%v parameters, want 11,770", all[0]["parameters"])
			}
			if out := must(t, "eval", "--device", device, "--images", "500", "--out", dir); !strings.Contains(out, "accuracy") {
				t.Errorf("eval prints %q", out)
			}
			if out := must(t, "predict", "--device", device, "--images", "500", "--out", dir, "--index", "3"); strings.Count(out, "%") != 11 {
				t.Errorf("predict prints %q, want a line and ten bars", out)
			}
			csv, err := os.ReadFile(filepath.Join(dir, "history.csv"))
			if err != nil || strings.Count(string(csv), "\n") != 3 {
				t.Errorf("history.csv: %v, %q", err, csv)
			}
			f, err := os.Open(filepath.Join(dir, "curve.png"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if c, err := png.DecodeConfig(f); err != nil || c.Width < 600 {
				t.Errorf("curve.png: %+v, %v", c, err)
			}
		})
	}
}

// TestValidationJSON wants what is measured on a part of the training set to be called so,
// and the test set to be measured once, after the reason to stop.
func TestValidationJSON(t *testing.T) {
	dir := t.TempDir()
	all := lines(t, must(t, "train", "--device", "reference", "--images", "200", "--batch", "20", "--model", "mlp", "--epochs", "9", "--lr", "1e-9",
		"--validation", "0.2", "--patience", "1", "--monitor", "test_accuracy", "--json", "--no-report", "--out", dir))
	last := map[string]map[string]any{}
	for _, event := range all {
		last[fmt.Sprint(event["event"])] = event
	}
	if why := fmt.Sprint(last["stopped"]["reason"]); !strings.Contains(why, "accuracy") || last["epoch"]["epoch"] != 2.0 {
		t.Errorf("stopped because of %q, want a reason, after 2 epochs: %v", why, all)
	}
	if e := last["test"]; e["examples"] != 40.0 || e["accuracy"] == nil || e["loss"] == nil {
		t.Errorf("the test set: %v", e)
	}
	for _, name := range []string{"epoch", "done"} {
		if e := last[name]; e["validation_accuracy"] == nil || e["test_accuracy"] != nil || e["test_loss"] != nil {
			t.Errorf("%v", e)
		}
	}
	if text, err := os.ReadFile(filepath.Join(dir, "config.json")); err != nil || !strings.Contains(string(text), `"held": "validation"`) {
		t.Errorf("%s, %v", text, err)
	}
}

func TestTrainPlain(t *testing.T) {
	dir := t.TempDir()
	out := must(t, "--images", "300", "--epochs", "1", "--model", "mlp", "--out", dir)
	for _, want := range []string{"device: ", "the best adapter here", "Linear(784, 128)", "epoch 1/1", "SHA-256", "next: demo predict --index 0 --out=" + dir} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

// child starts the program itself.
func child(args ...string) *exec.Cmd {
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "PUMICE_DEMO_ARGS="+strings.Join(args, " "))
	return c
}

// TestStopped kills a training process, and interrupts another, and goes on from
// their checkpoints: the weights must be those of an unbroken run.
func TestStopped(t *testing.T) {
	t.Parallel() // its work is done by processes of its own
	args := func(out string) []string {
		return []string{"train", "--images", "400", "--epochs", "4", "--out", out, "--json"}
	}
	whole := lines(t, must(t, args(t.TempDir())...))
	for name, stop := range map[string]struct {
		signal os.Signal
		status int
		last   string
	}{"killed": {os.Kill, -1, "epoch"}, "interrupted": {os.Interrupt, 130, "interrupted"}} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			c := child(args(dir)...)
			pipe, err := c.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			var event string
			for s := bufio.NewScanner(pipe); s.Scan(); {
				event = fmt.Sprint(lines(t, s.Text())[0]["event"])
				if event == "epoch" {
					if err := c.Process.Signal(stop.signal); err != nil {
						t.Fatal(err)
					}
				}
			}
			_ = c.Wait() // its status is looked at
			if got := c.ProcessState.ExitCode(); got != stop.status || event != stop.last {
				t.Errorf("exit status %d after event %q, want %d after %q", got, event, stop.status, stop.last)
			}
			rest := lines(t, must(t, append(args(dir), "--resume")...))
			last, want := rest[len(rest)-1], whole[len(whole)-1]
			if last["weights_sha256"] != want["weights_sha256"] || last["test_accuracy"] != want["test_accuracy"] {
				t.Errorf("resumed: %v\nunbroken: %v", last, want)
			}
			if len(rest) >= len(whole) {
				t.Errorf("the resumed run printed %d events, want fewer than %d", len(rest), len(whole))
			}
		})
	}
}

// TestExitStatus wants 1 and a line that names what is wrong.
func TestExitStatus(t *testing.T) {
	c := child("train", "--device", "quantum")
	out, err := c.CombinedOutput()
	if c.ProcessState.ExitCode() != 1 || !strings.HasPrefix(string(out), "demo: ") || !strings.Contains(string(out), "quantum") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestDiverges wants a run whose weights are no numbers to say so, with the last
// good checkpoint left.
func TestDiverges(t *testing.T) {
	dir := t.TempDir()
	for _, more := range []string{"--json", "--resume=false"} {
		out, err := demo(t, "train", "--images", "300", "--model", "mlp", "--optimizer", "sgd", "--lr", "1e38", "--out", dir, more)
		if !errors.Is(err, train.ErrDiverged) {
			t.Fatalf("got %v, want ErrDiverged\n%s", err, out)
		}
		if more == "--json" {
			lines(t, out)
		} else if !strings.Contains(out, "lower --lr") {
			t.Errorf("no advice in\n%s", out)
		}
	}
	must(t, "eval", "--images", "300", "--out", dir)
}

// TestEvalFindsData wants eval and predict to use the set that the model was
// trained on, unless told otherwise.
func TestEvalFindsData(t *testing.T) {
	dir := t.TempDir()
	folder := filepath.Join(dir, "stripes")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	images := append([]byte{0, 0, 8, 3, 0, 0, 0, 20, 0, 0, 0, 28, 0, 0, 0, 28}, make([]byte, 20*28*28)...)
	labels := append([]byte{0, 0, 8, 1, 0, 0, 0, 20}, make([]byte, 20)...)
	for i := range 20 {
		labels[8+i] = byte(i % 10)
		for j := range 28 {
			images[16+(i*28+2*(i%10)+j%2)*28+j] = 255
		}
	}
	for _, half := range []string{"train", "t10k"} {
		write(t, filepath.Join(folder, half+"-images-idx3-ubyte"), images)
		write(t, filepath.Join(folder, half+"-labels-idx1-ubyte"), labels)
	}
	run := filepath.Join(dir, "run")
	must(t, "train", "--data", folder, "--batch", "10", "--epochs", "1", "--model", "mlp", "--out", run)
	if out := must(t, "eval", "--out", run); !strings.Contains(out, "stripes test, 20 images") {
		t.Errorf("eval prints %q", out)
	}
	if out := must(t, "predict", "--index", "19", "--out", run); !strings.Contains(out, "stripes") || !strings.Contains(out, "labelled 9") {
		t.Errorf("predict prints %q", out)
	}
	if out := must(t, "eval", "--data", "builtin", "--images", "300", "--out", run); !strings.Contains(out, "60 images") {
		t.Errorf("eval --data builtin prints %q", out)
	}
}

func TestPredictImage(t *testing.T) {
	dir := t.TempDir()
	must(t, "train", "--images", "300", "--epochs", "1", "--out", dir)
	img := image.NewGray(image.Rect(0, 0, 50, 40))
	for i := range img.Pix {
		img.Pix[i] = 250 // a bright sheet with a dark stroke
	}
	for y := 8; y < 32; y++ {
		img.Pix[y*50+25] = 0
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "one.png")
	write(t, path, b.Bytes())
	out := must(t, "predict", path, "--out", dir)
	if !strings.Contains(out, "inverted") || !strings.Contains(out, "this is ") {
		t.Errorf("predict prints %q", out)
	}
	// The same stroke, black on nothing.
	drawing := image.NewNRGBA(img.Rect)
	for y := 8; y < 32; y++ {
		drawing.SetNRGBA(25, y, color.NRGBA{0, 0, 0, 255})
	}
	b.Reset()
	if err := png.Encode(&b, drawing); err != nil {
		t.Fatal(err)
	}
	write(t, path, b.Bytes())
	if got := must(t, "predict", path, "--out", dir); strings.Split(got, " (")[0] != strings.Split(out, " (")[0] || !strings.Contains(got, "inverted") {
		t.Errorf("on nothing: predict prints %q, on paper %q", got, out)
	}
}

// TestPredictColours has a file for a model of three channels, which takes it as it is.
func TestPredictColours(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 2, 2))
	for i := range 4 {
		img.SetNRGBA(i%2, i/2, color.NRGBA{255, 51, byte(51 * i), 255})
	}
	path := filepath.Join(t.TempDir(), "colours.png")
	writePNG(t, path, img)
	m := &described{channels: 3, height: 2, width: 2, spec: data.Spec{Shape: []int{3, 2, 2}, DType: data.Uint8}}
	var c choices
	got, _, err := c.subject(context.Background(), io.Discard, m, path, 0)
	if want := []float32{1, 1, 1, 1, 0.2, 0.2, 0.2, 0.2, 0, 0.2, 0.4, 0.6}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
	m.channels, m.spec.Shape = 2, []int{2, 2, 2}
	if _, _, err := c.subject(context.Background(), io.Discard, m, path, 0); err == nil || !strings.Contains(err.Error(), "1 or 3 channels, this one has 2") {
		t.Errorf("two channels: %v", err)
	}
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestBadInput(t *testing.T) {
	dir := t.TempDir()
	run := filepath.Join(dir, "run")
	must(t, "train", "--images", "300", "--epochs", "1", "--model", "mlp", "--out", run)
	checkpoint, err := os.ReadFile(filepath.Join(run, checkpointName))
	if err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Clone(checkpoint)
	damaged[len(damaged)-5] ^= 1
	write(t, filepath.Join(dir, "damaged.safetensors"), damaged)
	write(t, filepath.Join(dir, "short.safetensors"), checkpoint[:len(checkpoint)/2])
	write(t, filepath.Join(dir, "text.png"), []byte("no image"))
	write(t, filepath.Join(dir, "file"), nil)
	idx := func(name string, images, labels []byte) string {
		d := filepath.Join(dir, name)
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, half := range []string{"train", "t10k"} {
			write(t, filepath.Join(d, half+"-images-idx3-ubyte"), images)
			write(t, filepath.Join(d, half+"-labels-idx1-ubyte"), labels)
		}
		return d
	}
	two := append([]byte{0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 28, 0, 0, 0, 28}, make([]byte, 2*28*28)...)
	labels := []byte{0, 0, 8, 1, 0, 0, 0, 2, 1, 0}
	fit := func(data string) []string {
		return []string{"train", "--data", data, "--out", filepath.Join(dir, "other")}
	}
	blank := filepath.Join(dir, "blank.png")
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewNRGBA(image.Rect(0, 0, 30, 30))); err != nil {
		t.Fatal(err)
	}
	write(t, blank, b.Bytes())
	f, err := safetensors.Decode(checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	f.Metadata["note.height"], f.Metadata["note.width"] = "4096", "4096"
	f.Seal()
	huge := filepath.Join(dir, "huge.safetensors")
	if err := safetensors.WriteFile(huge, f); err != nil {
		t.Fatal(err)
	}
	classes := idx("classes", two, []byte{0, 0, 8, 1, 0, 0, 0, 2, 1, 9})
	write(t, filepath.Join(classes, "classes.txt"), []byte("a\nb\n"))
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"truncated IDX":        {fit(idx("truncated", two[:700], labels)), "train-images-idx3-ubyte"},
		"wrong magic":          {fit(idx("magic", append([]byte{7}, two[1:]...), labels)), "train-images-idx3-ubyte"},
		"label out of range":   {fit(classes), "9"},
		"folder without data":  {fit(run), "images"},
		"other model":          {[]string{"train", "--images", "300", "--epochs", "2", "--model", "cnn", "--device", "reference", "--out", run, "--resume"}, "mlp"},
		"damaged checkpoint":   {[]string{"eval", "--checkpoint", filepath.Join(dir, "damaged.safetensors")}, "damaged.safetensors"},
		"cut checkpoint":       {[]string{"eval", "--checkpoint", filepath.Join(dir, "short.safetensors")}, "short.safetensors"},
		"no checkpoint":        {[]string{"eval", "--out", dir}, checkpointName},
		"no image":             {[]string{"predict", filepath.Join(dir, "text.png"), "--out", run}, "text.png is no PNG or JPEG"},
		"index too large":      {[]string{"predict", "--images", "300", "--index", "60", "--out", run}, "images 0 to 59"},
		"negative index":       {[]string{"predict", "--images", "300", "--index", "-5", "--out", run}, "--index -5, the test set has images 0 to 59"},
		"index and image":      {[]string{"predict", filepath.Join(dir, "text.png"), "--index", "1", "--out", run}, "not both"},
		"empty image":          {[]string{"predict", blank, "--out", run}, "blank.png shows nothing"},
		"resume other batches": {[]string{"train", "--images", "300", "--epochs", "1", "--batch", "30", "--model", "mlp", "--device", "reference", "--out", run, "--resume"}, "batch is 64"},
		"huge model in notes":  {[]string{"eval", "--checkpoint", huge}, "cannot hold a model"},
		"no such device":       {[]string{"train", "--device", "quantum", "--out", filepath.Join(dir, "other")}, `no adapter matches "quantum"`},
		"file as folder":       {[]string{"train", "--images", "300", "--out", filepath.Join(dir, "file")}, "cannot make the folder"},
		"nothing to resume":    {[]string{"train", "--images", "300", "--out", filepath.Join(dir, "new"), "--resume"}, "no checkpoint to go on from"},
		"batch too large":      {[]string{"train", "--images", "50", "--batch", "51", "--out", filepath.Join(dir, "other")}, "batch of 51"},
		"unknown model":        {[]string{"train", "--images", "50", "--model", "rnn", "--out", filepath.Join(dir, "other")}, `"rnn", want mlp or cnn`},
		"unknown optimizer":    {[]string{"train", "--optimizer", "lion"}, `"lion"`},
		"unknown command":      {[]string{"fly"}, "fly"},
		"no batch":             {[]string{"train", "--batch", "0", "--out", run}, "--batch 0, want 1 or more"},
		"negative batch":       {[]string{"train", "--batch", "-3", "--out", run}, "--batch -3"},
		"unknown schedule":     {[]string{"train", "--schedule", "sine", "--out", run}, `"sine", want one of constant, cosine, exponential, linear, onecycle, plateau, polynomial, step`},
		"warm-up of none":      {[]string{"train", "--schedule", "onecycle", "--warmup", "5", "--out", run}, "--warmup 5 with --schedule onecycle, which has none"},
		"smoothing beyond 1":   {[]string{"train", "--label-smoothing", "1.5", "--out", run}, "--label-smoothing 1.5, want 0 to 1"},
		"no batches an update": {[]string{"train", "--accumulate", "0", "--out", run}, "--accumulate 0"},
		"unknown weights":      {[]string{"train", "--class-weights", "heavy", "--out", run}, `"heavy", want none or balanced`},
		"unknown measure":      {[]string{"train", "--patience", "2", "--monitor", "beauty", "--images", "100", "--device", "reference", "--out", run}, `Monitor is "beauty", want loss, accuracy`},
		"frozen nothing":       {[]string{"train", "--freeze", "9.", "--images", "100", "--out", run}, "has no parameter, want some of 0.weight"},
		"validation of all":    {[]string{"train", "--validation", "1", "--out", run}, "--validation 1, want 0"},
		"validation of none":   {[]string{"train", "--validation", "0.001", "--images", "100", "--out", run}, "leaves a part empty"},
		"negative clip":        {[]string{"train", "--clip-norm", "-1", "--images", "100", "--out", run}, "Clip: Norm is -1"},
		"no epochs":            {[]string{"train", "--epochs", "0", "--out", run}, "--epochs 0"},
		"no rate":              {[]string{"train", "--lr", "0", "--out", run}, "--lr 0, want a positive number"},
		"rate is no number":    {[]string{"train", "--lr", "NaN", "--out", run}, "--lr NaN"},
		"negative images":      {[]string{"train", "--images", "-1", "--out", run}, "--images -1"},
		"failed start":         {[]string{"train", "--images", "50", "--batch", "51", "--out", run}, "batch of 51"},
	} {
		out, err := demo(t, c.args...)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q\n%s", name, err, c.want, out)
		}
	}
	after, err := os.ReadFile(filepath.Join(run, checkpointName))
	if err != nil || !bytes.Equal(after, checkpoint) {
		t.Errorf("the checkpoint changed: %v", err)
	}
}

func TestInfoAndInspect(t *testing.T) {
	if out := must(t, "info"); !strings.Contains(out, "adapter 0") || !strings.Contains(out, "reference") {
		t.Errorf("info prints %q", out)
	}
	for device, conv := range map[string]string{"auto": "conv2d_subgroup.forward", "reference": "conv2d.forward"} {
		out := must(t, "inspect", "--device", device)
		for _, want := range []string{"batch.load", conv, "metrics.judge", "rate.linear", "adam.step", "clock.tick", "total of", "memory of the program"} {
			if !strings.Contains(out, want) {
				t.Errorf("inspect prints %q, without %s", out, want)
			}
		}
	}
	if out := must(t, "inspect", "--inference", "--wgsl"); !strings.Contains(out, "const params = Params(") || strings.Contains(out, "backward") && strings.Contains(out, "adam") {
		t.Errorf("inspect --wgsl prints %.300q", out)
	}
}
