package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/pflag"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers"
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
	inputs
}

func (c *choices) deviceFlags(f *pflag.FlagSet) {
	f.StringVar(&c.device, "device", "auto", "auto, reference, or part of an adapter's name")
	f.StringVar(&c.limits, "limits", "adapter", "adapter, or default: the limits every WebGPU device guarantees")
}

func (c *choices) dataFlags(f *pflag.FlagSet, more string) {
	f.StringVar(&c.data, "data", "builtin", "builtin, mnist (downloaded once), text, or a folder of images, of IDX files or of text, or a file .csv or .npz"+more)
	f.IntVar(&c.images, "images", 0, "training images of the built-in set; 0 is 20,000")
	if err := f.MarkHidden("images"); err != nil {
		panic(err)
	}
}

func (c *choices) outFlag(f *pflag.FlagSet) {
	f.StringVar(&c.out, "out", defaultOut, "folder for the checkpoint, history and report")
}

const defaultOut = "pumice-run"

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
		tellBuilding(os.Stderr, dev)
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

// source is the chosen data set as a later command finds it.
func (c *choices) source() string {
	if c.data == "builtin" || c.data == "mnist" || c.data == "text" {
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
