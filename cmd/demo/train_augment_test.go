package main

import (
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/train"
	"github.com/pumice-ml/pumice/train/data"
)

func TestAugmentFlag(t *testing.T) {
	for text, want := range map[string]train.Augment{
		"default":                               {Shift: 2, Rotate: 10, Scale: 0.1, Shear: 0.1},
		"default,rotate=5,noise=0.05,mixup=0.2": {Shift: 2, Rotate: 5, Scale: 0.1, Shear: 0.1, Noise: 0.05, Mixup: 0.2},
		"flip,flipy=0.25,crop=2,cutout=8":       {FlipX: 0.5, FlipY: 0.25, Crop: 2, Cutout: 8},
		"shift=0":                               {},
	} {
		var f augmentFlag
		if err := f.Set(text); err != nil || f.of != want || f.value() == nil {
			t.Errorf("%s: got %+v, %v, want %+v", text, f.of, err, want)
		}
	}
	for text, want := range map[string]string{
		"":                 `"", want default, shift, `,
		"zoom=2":           `"zoom", want default, shift, rotate, scale, shear, flip, flipy, crop, cutout, noise or mixup`,
		"shift":            `"shift" has no amount, want shift=NUMBER`,
		"shift=two":        `"shift=two", want a number`,
		"crop=1.5":         `"crop=1.5", want a whole number of pixels`,
		"flip,flip=0.5":    `"flip" stands there twice`,
		"noise=1,default":  `default after "noise=1", want it first`,
		"shift=1,scale=2":  "train: augment: Scale is 2, want 0 to 0.9",
		"mixup=NaN":        "train: augment: Mixup is NaN, want 0 for none, or 0.01 to 100",
		"default,mixup=-1": "train: augment: Mixup is -1, want 0 for none",
	} {
		var f augmentFlag
		if err := f.Set(text); err == nil || !strings.HasPrefix(err.Error(), want) || f.value() != nil {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
	if _, err := demo(t, "train", "--augment", "zoom=2", "--out", t.TempDir()); err == nil || !strings.Contains(err.Error(), `invalid argument "zoom=2" for "--augment" flag`) {
		t.Errorf("train --augment zoom=2: got %v", err)
	}
}

// TestAugmentSheet draws mirrors of an image, and wants the image and 24 mirrors.
func TestAugmentSheet(t *testing.T) {
	set, _ := data.Digits(data.DigitsOptions{Train: 100, Test: 20})
	for _, device := range []string{"auto", "reference"} {
		path := filepath.Join(t.TempDir(), "a.png")
		out := must(t, "augment", "--device", device, "--images", "100", "--index", "7", "--augment", "flip=1", "--out", path)
		if want := path + ": image 7 of " + set.Name + ", and what flip=1 makes of it\n"; !strings.HasSuffix(out, want) {
			t.Errorf("prints %q, want %q at the end", out, want)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		sheet, err := png.Decode(f)
		if err != nil || sheet.Bounds().Dx() != 5*(28*sheetZoom+sheetGap)+sheetGap {
			t.Fatalf("%v, %v", sheet.Bounds(), err)
		}
		for tile := range 25 {
			for i, b := range set.Image(7) {
				x, y := i%28, i/28
				if tile > 0 {
					x = 27 - x
				}
				r, _, _, _ := sheet.At(sheetGap+tile%5*(28*sheetZoom+sheetGap)+x*sheetZoom, sheetGap+tile/5*(28*sheetZoom+sheetGap)+y*sheetZoom).RGBA()
				if byte(r>>8) != b {
					t.Fatalf("%s, tile %d, pixel %d is %d, want %d", device, tile, i, r>>8, b)
				}
			}
		}
	}
	for want, args := range map[string]string{
		"--index 100, built-in digits has images 0 to 99": "--index 100",
		"--out /nowhere/a.png":                            "--out /nowhere/a.png",
	} {
		if _, err := demo(t, append([]string{"augment", "--device", "reference", "--images", "100"}, strings.Fields(args)...)...); err == nil || !strings.HasPrefix(err.Error(), strings.Replace(want, "built-in digits", set.Name, 1)) {
			t.Errorf("%s: got %v, want %s", args, err, want)
		}
	}
}

// TestTrainAugment trains with changes, and goes on with the same ones only.
func TestTrainAugment(t *testing.T) {
	dir := t.TempDir()
	train := func(augment string, more ...string) error {
		_, err := demo(t, append([]string{"train", "--images", "300", "--epochs", "1", "--model", "mlp", "--augment", augment, "--out", dir}, more...)...)
		return err
	}
	if err := train("default,mixup=0.2,cutout=6"); err != nil {
		t.Fatal(err)
	}
	if err := train("default", "--resume"); err == nil || !strings.Contains(err.Error(), "augment is ") {
		t.Errorf("with other changes: got %v", err)
	}
	if err := train("default,mixup=0.2,cutout=6", "--resume"); err != nil {
		t.Errorf("with the same changes: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "weights.safetensors")); err != nil {
		t.Error(err)
	}
}
