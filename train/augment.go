package train

import (
	"fmt"
	"math"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train/data"
)

// Augment changes the images of a training batch at random, on the device, each by
// amounts of its own, so that a model never sees an image twice as it was. The zero value
// changes nothing. The amounts are functions of the clock's seed and step and of the
// image's place in the batch: the same on every device, and after a resume.
//
// An image is flipped, cropped, shifted, and then mapped by rotate * shear * scale about
// its middle, one of 4,096 such maps, with bilinear interpolation; then a square is cut
// out of it, and noise is added. What lies outside of an image is 0. Pixels are not
// clamped.
type Augment struct {
	Shift  float64 // most pixels along each axis, either way, in parts of a pixel: 0 to 4096
	Rotate float64 // most degrees, either way: 0 to 180
	Scale  float64 // 0.1 is by a factor of 0.9 to 1.1: 0 to 0.9
	Shear  float64 // most pixels that a row is shifted by, for each that it is below the middle: 0 to 4
	FlipX  float64 // probability that left and right change places
	FlipY  float64 // probability that top and bottom change places
	Crop   int     // most whole pixels along each axis, either way: a window of the image with a border of so many zeros
	Cutout int     // side of a square of zeros, in pixels, with its middle anywhere (DeVries and Taylor 2017)
	Noise  float64 // standard deviation of what is added to each pixel, nearly normal
	// Mixup is alpha of the mixture of each image with the next one of the batch (Zhang et
	// al. 2018): l x + (1-l) x', where l is of the distribution Beta(alpha, alpha), the
	// larger part of the two, and the same for the batch. The loss is
	// l loss(label) + (1-l) loss(label'); metrics take the label of the larger part.
	// Targets that are numbers are mixed themselves. 0 is none, else 0.01 to 100.
	Mixup float64
}

// Check returns an error unless every amount is in its range.
func (a *Augment) Check() error {
	for _, f := range []struct {
		name             string
		got, least, most float64
	}{
		{"Shift", a.Shift, 0, 4096}, {"Rotate", a.Rotate, 0, 180}, {"Scale", a.Scale, 0, 0.9}, {"Shear", a.Shear, 0, 4}, {"FlipX", a.FlipX, 0, 1}, {"FlipY", a.FlipY, 0, 1},
		{"Crop", float64(a.Crop), 0, 4096}, {"Cutout", float64(a.Cutout), 0, 4096}, {"Noise", a.Noise, 0, 1000},
	} {
		if !(f.got >= f.least && f.got <= f.most) {
			return fmt.Errorf("train: augment: %s is %v, want %v to %v", f.name, f.got, f.least, f.most)
		}
	}
	if a.Mixup != 0 && !(a.Mixup >= leastAlpha && a.Mixup <= mostAlpha) {
		return fmt.Errorf("train: augment: Mixup is %v, want 0 for none, or %v to %v", a.Mixup, leastAlpha, mostAlpha)
	}
	return nil
}

// fits is Check for batches of what a set holds: images, or, for Mixup alone, any
// numbers.
func (a *Augment) fits(batch int, set data.Spec) error {
	if a.nothing() {
		return nil
	}
	if len(set.Shape) != 3 && a.moves() || set.DType == data.Uint32 {
		return fmt.Errorf("train: augment: %s has %v inputs of %v, want images (channels, height, width)", set.Name, set.DType, set.Shape)
	}
	if err := a.Check(); err != nil {
		return err
	}
	if a.moves() {
		const most = math.MaxInt32 / place
		if height, width := set.Shape[1], set.Shape[2]; !(a.reach(height, width) < most) {
			return fmt.Errorf("train: augment: images of %dx%d pixels would reach %.0f pixels far, want less than %d: a smaller Scale, Shear or Shift", height, width, a.reach(height, width), most)
		}
	}
	if a.Mixup != 0 && batch < 2 {
		return fmt.Errorf("train: augment: Mixup needs a batch of 2 or more, this one is of %d", batch)
	}
	return nil
}

// nothing reports whether a changes nothing. It may be nil.
func (a *Augment) nothing() bool { return a == nil || *a == Augment{} }

// moves reports whether a changes images before any are mixed.
func (a *Augment) moves() bool { return *a != Augment{Mixup: a.Mixup} }

// notes are what a checkpoint keeps of a, or "" where it changes nothing.
func (a *Augment) notes() string {
	if a.nothing() {
		return ""
	}
	return settings(*a)
}

// Apply records the changes to x (batch, channels, height, width), and returns the
// images, and the loss to train with: what was given, unless there is Mixup, which takes
// x (batch, ...) of any shape. It leaves no gradient of x. It records nothing where a is
// nil or changes nothing. It panics where an amount is out of range, x has another shape,
// or the tape has no Clock.
func (a *Augment) Apply(t *compute.Tape, x *compute.Tensor, loss layers.Loss) (*compute.Tensor, layers.Loss) {
	if a.nothing() {
		return x, loss
	}
	s := x.Shape()
	of := data.Spec{Name: "the batch", Shape: s[1:], DType: data.Float32}
	if x.DType() == compute.U32 {
		of.DType = data.Uint32
	}
	if err := a.fits(s[0], of); err != nil {
		panic(err.Error())
	}
	if a.moves() {
		clock, stream := t.Random()
		y := t.New(s...)
		if x.DType() == compute.F32 {
			y = t.NewF32(s...)
		}
		augmentForward.Run(a.params(s, stream), clock, t.Constant("matrices", a.table(), matrices, 4), x, y)
		x = y
	}
	if a.Mixup != 0 {
		m := newMixup(t, s[0], a.Mixup)
		x, loss = m.images(t, x), mixedLoss{loss, m}
	}
	return x, loss
}

func (a *Augment) params(s []int, stream uint32) augmentParams {
	p := augmentParams{
		Batch: uint32(s[0]), Channels: uint32(s[1]), Height: uint32(s[2]), Width: uint32(s[3]), Stream: stream, Count: matrices,
		Shift: uint32(math.Round(a.Shift * place)), FlipX: uint32(a.FlipX * (1 << 24)), FlipY: uint32(a.FlipY * (1 << 24)),
		Crop: uint32(a.Crop), Cutout: uint32(a.Cutout), Noise: float32(a.Noise / noiseDeviation),
	}
	if a.Shift != 0 || a.Rotate != 0 || a.Scale != 0 || a.Shear != 0 {
		p.Warped = 1
	}
	return p
}
