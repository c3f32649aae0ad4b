package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train/data"
)

// choices are the flags that commands share.
type choices struct {
	device, limits string
	data, model    string
	out            string
	dtype          string
	training       bool // --dtype is of a training run
	images         int  // of the built-in training set, for tests
	given          bool // --data was on the command line
}

func (c *choices) deviceFlags(f *pflag.FlagSet) {
	f.StringVar(&c.device, "device", "auto", "auto, reference, or part of an adapter's name")
	f.StringVar(&c.limits, "limits", "adapter", "adapter, or default: the limits every WebGPU device guarantees")
}

func (c *choices) dataFlags(f *pflag.FlagSet, more string) {
	f.StringVar(&c.data, "data", "builtin", "builtin, mnist (downloaded once), or a folder of IDX files"+more)
	f.IntVar(&c.images, "images", 0, "training images of the built-in set; 0 is 20,000")
	if err := f.MarkHidden("images"); err != nil {
		panic(err)
	}
}

func (c *choices) outFlag(f *pflag.FlagSet) {
	f.StringVar(&c.out, "out", "pumice-run", "folder for the checkpoint, history and curve")
}

// makeFolder makes the output folder, and shows that files can be written there.
func (c *choices) makeFolder() error {
	if err := os.MkdirAll(c.out, 0o755); err != nil {
		return fmt.Errorf("--out %s: cannot make the folder: %w", c.out, err)
	}
	probe, err := os.CreateTemp(c.out, ".pumice-*.tmp")
	if err != nil {
		return fmt.Errorf("--out %s: cannot write to the folder: %w", c.out, err)
	}
	probe.Close()
	os.Remove(probe.Name())
	return nil
}

// open opens the chosen device and says which and why.
func (c *choices) open(ctx context.Context) (dev *compute.Device, why string, err error) {
	if c.limits != "adapter" && c.limits != "default" {
		return nil, "", fmt.Errorf("--limits %q, want adapter or default", c.limits)
	}
	if c.device == "reference" {
		dev := compute.Reference()
		return dev, dev.String() + ": as asked", nil
	}
	want := compute.Want{DefaultLimits: c.limits == "default"}
	if c.device != "auto" {
		want.Name = c.device
	}
	dev, err = compute.Open(ctx, want)
	if err == nil {
		why = "the best adapter here"
		if want.Name != "" {
			why = "its name matches " + strconv.Quote(want.Name)
		}
		return dev, dev.String() + ": " + why, nil
	}
	if c.device != "auto" || !errors.Is(err, compute.ErrNoAdapter) {
		return nil, "", err
	}
	dev = compute.Reference()
	return dev, dev.String() + `: no GPU adapter was found; "demo info" says how to get one`, nil
}

// load returns the chosen data set.
func (c *choices) load(ctx context.Context) (train, test *data.Set, err error) {
	if c.images < 0 {
		return nil, nil, fmt.Errorf("--images %d, want 0 or more", c.images)
	}
	switch c.data {
	case "builtin":
		train, test = data.Digits(data.DigitsOptions{Train: c.images, Test: c.images / 5})
		return train, test, nil
	case "mnist":
		return data.MNIST(ctx, data.MNISTOptions{})
	}
	return data.LoadDir(c.data)
}

// source is the chosen data set as a later command finds it.
func (c *choices) source() string {
	if c.data == "builtin" || c.data == "mnist" {
		return c.data
	}
	if path, err := filepath.Abs(c.data); err == nil {
		return path
	}
	return c.data
}

// build makes the model of a name for images of a size.
func build(name string, channels, height, width, classes int) (layers.Layer, error) {
	switch name {
	case "cnn":
		h, w := ((height-4)/2-4)/2, ((width-4)/2-4)/2
		if h < 1 || w < 1 {
			return nil, fmt.Errorf("--model cnn needs images of 16x16 or larger, these are %dx%d", height, width)
		}
		return layers.Sequential{
			layers.NewConv2D(channels, 8, 5), layers.ReLU{}, layers.MaxPool2D{Size: 2},
			layers.NewConv2D(8, 32, 5), layers.ReLU{}, layers.MaxPool2D{Size: 2},
			layers.Flatten{}, layers.NewLinear(32*h*w, classes),
		}, nil
	case "mlp":
		return layers.Sequential{
			layers.Flatten{}, layers.NewLinear(channels*height*width, 128), layers.ReLU{}, layers.NewLinear(128, classes),
		}, nil
	}
	return nil, fmt.Errorf("--model %q, want mlp or cnn", name)
}

// notes describe a model in its checkpoint.
func notes(model string, s *data.Set) map[string]string {
	return map[string]string{
		"model": model, "channels": strconv.Itoa(s.Channels), "height": strconv.Itoa(s.Height), "width": strconv.Itoa(s.Width),
		"classes": strings.Join(s.Classes, "\n"),
	}
}

// described is a model as a checkpoint describes it.
type described struct {
	layers.Layer
	name                    string
	channels, height, width int
	classes                 []string
}

// fromNotes builds the model that a checkpoint's notes describe.
func fromNotes(path string, n map[string]string) (*described, error) {
	d := &described{name: n["model"], classes: strings.Split(n["classes"], "\n")}
	for name, to := range map[string]*int{"channels": &d.channels, "height": &d.height, "width": &d.width} {
		v, err := strconv.Atoi(n[name])
		if err != nil || v < 1 || v > 4096 {
			return nil, fmt.Errorf("checkpoint %s: its note %s is %q, want a number of 1 to 4096: was it written by demo train?", path, name, n[name])
		}
		*to = v
	}
	// A model is larger than an image: a small file that speaks of large ones is
	// refused before memory is asked for.
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if len(d.classes) > 256 || 4*int64(d.channels)*int64(d.height)*int64(d.width) > info.Size() {
		return nil, fmt.Errorf("checkpoint %s: %d bytes cannot hold a model for %d channels of %dx%d and %d classes", path, info.Size(), d.channels, d.height, d.width, len(d.classes))
	}
	d.Layer, err = build(d.name, d.channels, d.height, d.width, len(d.classes))
	return d, err
}
