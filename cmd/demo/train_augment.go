package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/pumice-ml/pumice/train"
)

// defaultAugment suits digits: they may stand a little aside and aslant, but not in a
// mirror.
const defaultAugment = "shift=2,rotate=10,scale=0.1,shear=0.1"

// augmentOptions are the flags of train.Augment.
type augmentOptions struct{ augment augmentFlag }

func (o *augmentOptions) flags(f *pflag.FlagSet) {
	f.Var(&o.augment, "augment", "change training images at random, by any of shift=PIXELS, rotate=DEGREES, scale=PART, shear=PART, flip[=PROBABILITY], flipy[=PROBABILITY], crop=PIXELS, cutout=PIXELS, noise=SIGMA, mixup=ALPHA, with commas between; default is "+defaultAugment)
}

func (o *augmentOptions) apply(l *train.Loop) { l.Augment = o.augment.value() }

// augmentFlag is a flag's text and what it says. It is a pflag.Value.
type augmentFlag struct {
	text string
	of   train.Augment
}

// value is nil without the flag.
func (f *augmentFlag) value() *train.Augment {
	if f.text == "" {
		return nil
	}
	return &f.of
}

func (f *augmentFlag) String() string { return f.text }

// Type is how help calls the flag's value.
func (f *augmentFlag) Type() string { return "changes" }

// Set reads a list as "default,noise=0.05", in which later amounts replace those of
// default. What the amounts may be is train's to say.
func (f *augmentFlag) Set(text string) error {
	var a train.Augment
	numbers := map[string]*float64{
		"shift": &a.Shift, "rotate": &a.Rotate, "scale": &a.Scale, "shear": &a.Shear, "flip": &a.FlipX, "flipy": &a.FlipY, "noise": &a.Noise, "mixup": &a.Mixup,
	}
	pixels := map[string]*int{"crop": &a.Crop, "cutout": &a.Cutout}
	set := func(part string) error {
		name, amount, given := strings.Cut(part, "=")
		switch number, whole := numbers[name], pixels[name]; {
		case number == nil && whole == nil:
			return fmt.Errorf("%q, want default, shift, rotate, scale, shear, flip, flipy, crop, cutout, noise or mixup", name)
		case !given && (name == "flip" || name == "flipy"):
			*number = 0.5
		case !given:
			return fmt.Errorf("%q has no amount, want %s=NUMBER", name, name)
		case whole != nil:
			v, err := strconv.Atoi(amount)
			if err != nil {
				return fmt.Errorf("%q, want a whole number of pixels", part)
			}
			*whole = v
		default:
			v, err := strconv.ParseFloat(amount, 64)
			if err != nil {
				return fmt.Errorf("%q, want a number", part)
			}
			*number = v
		}
		return nil
	}
	seen := map[string]bool{}
	for part := range strings.SplitSeq(text, ",") {
		name, _, _ := strings.Cut(part, "=")
		if seen[name] {
			return fmt.Errorf("%q stands there twice", name)
		}
		seen[name] = true
		if part != "default" {
			if err := set(part); err != nil {
				return err
			}
			continue
		}
		if len(seen) > 1 {
			return fmt.Errorf("default after %q, want it first", text[:strings.Index(text, ",")])
		}
		for part := range strings.SplitSeq(defaultAugment, ",") {
			if err := set(part); err != nil {
				panic(err)
			}
		}
	}
	if err := a.Check(); err != nil {
		return err
	}
	f.text, f.of = text, a
	return nil
}
