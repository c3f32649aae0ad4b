package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pumice-ml/pumice/safetensors"
	"github.com/pumice-ml/pumice/train"
)

const (
	linesName    = "history.jsonl"
	csvName      = "history.csv"
	curveName    = "curve.png"
	pageName     = "report.html"
	previousName = "previous"
	eventsGlob   = "events.out.tfevents.*"
)

// Folder is the run folder of a run in progress:
//
//	config.json          what it was started with (Config)
//	history.jsonl        an object for each epoch, appended when the epoch ends
//	history.csv          the same as a table
//	curve.png            loss and accuracy by epoch
//	events.out.tfevents. what TensorBoard reads
//	report.html          the page, by WritePage
//	previous/            these files of an earlier run that was in the folder
//
// Checkpoints and weights are in it too where the loop is told to put them there.
// Its owner calls Close. It is used by one goroutine.
type Folder struct {
	Dir    string
	Config Config

	lines  []line
	steps  int // of an epoch
	file   *os.File
	events *Events
}

// Begin takes a folder, which must exist, for a run that starts, or, with resume,
// goes on after the epochs in history; steps are those of an epoch. A run that starts moves what
// is there of an earlier one to the folder previous, in the place of what is there.
// One that goes on keeps the settings that are there, notes its own under Resumed, and
// ends up with each epoch of history once, whatever the process that began it had come to
// write; where the folder holds epochs, and none of this history, it starts.
func Begin(dir string, c Config, resume bool, history train.History, steps int) (*Folder, error) {
	f := &Folder{Dir: dir, Config: c, steps: steps}
	f.Config.Schema = Schema
	if f.Config.Start.IsZero() {
		f.Config.Start = time.Now().Round(time.Second)
	}
	var known []line
	var err error
	if resume {
		known, err = f.join(history)
	} else {
		err = f.moveEarlier()
	}
	if err != nil {
		return nil, err
	}
	if err := f.Config.write(dir); err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	if err := writeLines(f.path(linesName), f.lines); err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	now := time.Now()
	if f.file, err = os.OpenFile(f.path(EventsName(now)), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666); err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	if f.events, err = NewEvents(f.file); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if resume {
		// What was written of later epochs, and lost with its checkpoint, is dropped;
		// what a checkpoint has and was not written any more is written now.
		err = f.events.Restart(len(known)*steps + 1)
		for _, e := range history[len(known):] {
			err = errors.Join(err, f.scalars(e))
		}
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	if len(f.lines) > 0 {
		if err := f.draw(); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return f, nil
}

func (f *Folder) path(name string) string { return filepath.Join(f.Dir, name) }

// join takes the lines of the epochs that are known, as far as they are those of the
// history, and makes those of the others.
func (f *Folder) join(history train.History) (known []line, err error) {
	there, err := readLines(f.path(linesName))
	if err != nil && !errors.Is(err, errDamaged) && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for i, l := range there {
		if i == len(history) || !same(l.Epoch, history[i]) {
			break
		}
		known = append(known, l)
	}
	f.lines = slices.Clone(known)
	for _, e := range history[len(known):] {
		f.lines = append(f.lines, line{e, time.Now()})
	}
	if len(there) > 0 && len(known) == 0 {
		return nil, f.moveEarlier() // another run's: this one was stopped before it had moved it
	}
	old, err := readConfig(f.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return known, nil
	}
	now := f.Config
	f.Config = old
	f.Config.Resumed = append(f.Config.Resumed, Resumed{Time: now.Start, Device: now.Device, Flags: now.Flags, Versions: now.Versions})
	return known, err
}

// same reports whether two epochs are written alike, but for the confusion of classes,
// which a checkpoint has of its last epoch alone.
func same(a, b train.Epoch) bool {
	a.Confusion, b.Confusion = nil, nil
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// moveEarlier moves the files of an earlier run out of the way. Where there is none
// it leaves everything as it is.
func (f *Folder) moveEarlier() error {
	names, err := filepath.Glob(f.path(eventsGlob))
	if err != nil {
		return fmt.Errorf("report: %s: %w", f.Dir, err)
	}
	for _, name := range []string{configName, linesName, csvName, curveName, pageName} {
		if _, err := os.Lstat(f.path(name)); err == nil {
			names = append(names, f.path(name))
		}
	}
	if len(names) == 0 {
		return nil
	}
	to := f.path(previousName)
	if err := os.MkdirAll(to, 0o777); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	older, err := filepath.Glob(filepath.Join(to, eventsGlob))
	if err != nil {
		return fmt.Errorf("report: %s: %w", to, err)
	}
	for _, name := range []string{configName, linesName, csvName, curveName, pageName} {
		older = append(older, filepath.Join(to, name))
	}
	for _, name := range older {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("report: the run before the last: %w", err)
		}
	}
	for _, name := range names {
		if err := os.Rename(name, filepath.Join(to, filepath.Base(name))); err != nil {
			return fmt.Errorf("report: keeping an earlier run: %w", err)
		}
	}
	return nil
}

// Epoch writes what an epoch gave: its numbers as events, its line, which is on the
// disk when Epoch returns, the table and the curve. Metrics that are not finite are left
// out.
func (f *Folder) Epoch(e train.Epoch) error {
	e = sound(e)
	if want := len(f.lines) + 1; e.Epoch != want {
		return fmt.Errorf("report: %s: epoch %d, want %d", f.Dir, e.Epoch, want)
	}
	if err := f.scalars(e); err != nil {
		return err
	}
	if err := f.file.Sync(); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	f.lines = append(f.lines, line{e, time.Now()})
	if err := appendLine(f.path(linesName), f.lines[len(f.lines)-1]); err != nil {
		return err
	}
	return f.draw()
}

// appendLine appends one line and waits until the disk has it.
func appendLine(path string, l line) error {
	b, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("report: %s: %w", path, err)
	}
	to, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o666)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	_, err = to.Write(append(b, '\n'))
	if err == nil {
		err = to.Sync()
	}
	if err = errors.Join(err, to.Close()); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// draw writes the table and the curve.
func (f *Folder) draw() error {
	h := f.History()
	if err := safetensors.WriteDurable(f.path(csvName), func(w io.Writer) error { return WriteCSV(w, h) }); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if err := safetensors.WriteDurable(f.path(curveName), func(w io.Writer) error { return writeCurve(w, h, f.Config.Data.held()) }); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// scalars writes the numbers of an epoch as events, at the last of its steps.
func (f *Folder) scalars(e train.Epoch) error {
	var err error
	for name, v := range columns(e) {
		if name != "epoch" {
			tag := tagOf(name)
			if of, ok := strings.CutSuffix(tag, "/test"); ok {
				tag = of + "/" + f.Config.Data.held()
			}
			err = errors.Join(err, f.events.Scalar(tag, e.Epoch*f.steps, v))
		}
	}
	return err
}

// tagOf groups the columns as TensorBoard shows them, by what is before the slash:
// those of the training and of the test set in one chart.
func tagOf(column string) string {
	if column == "loss" {
		return "loss/train"
	}
	for _, set := range []string{"train", "test"} {
		if name, ok := strings.CutPrefix(column, set+"_"); ok {
			return name + "/" + set
		}
	}
	if column == "seconds" || column == "images_per_second" {
		return "speed/" + column
	}
	return column
}

// Events is the event file, for what else a run has to tell.
func (f *Folder) Events() *Events { return f.events }

// History is that of all epochs so far.
func (f *Folder) History() train.History {
	h := make(train.History, len(f.lines))
	for i, l := range f.lines {
		h[i] = l.Epoch
	}
	return h
}

// WritePage writes report.html.
func (f *Folder) WritePage(r Report) error {
	err := safetensors.WriteDurable(f.path(pageName), func(w io.Writer) error { return HTML(w, r) })
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// Close ends the event file. It may be called twice.
func (f *Folder) Close() error {
	if f.file == nil {
		return nil
	}
	err := errors.Join(f.file.Sync(), f.file.Close())
	f.file = nil
	if err != nil {
		return fmt.Errorf("report: events: %w", err)
	}
	return nil
}
