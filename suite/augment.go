package suite

import (
	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/conform"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train"
)

// augmentations are those of a batch of images, each alone and all together: of one
// pixel, of one row, of sizes that are odd, of some channels, at step 3.
func augmentations() (ops []conform.Op) {
	sizes := []string{"n=1,c=1,h=1,w=1", "n=3,c=3,h=7,w=5", "n=2,c=1,h=1,w=67", "n=5,c=2,h=28,w=13", "n=0,c=1,h=4,w=4"}
	for _, a := range []struct {
		name string
		train.Augment
	}{
		{"shift", train.Augment{Shift: 2.5}}, {"rotate", train.Augment{Rotate: 15}}, {"turn", train.Augment{Rotate: 180}}, {"scale", train.Augment{Scale: 0.9}}, {"shear", train.Augment{Shear: 1.5}},
		{"flip", train.Augment{FlipX: 0.5, FlipY: 1}}, {"crop", train.Augment{Crop: 2}}, {"cutout", train.Augment{Cutout: 4}}, {"noise", train.Augment{Noise: 0.1}},
		{"all", train.Augment{Shift: 1, Rotate: 10, Scale: 0.1, Shear: 0.1, FlipX: 0.5, FlipY: 0.5, Crop: 1, Cutout: 3, Noise: 0.05}},
	} {
		ops = append(ops, conform.Op{Name: "augment/" + a.name, Shapes: sizes, Record: func(r *conform.Recorder) {
			y, _ := a.Apply(r.Tape, r.Values(r.N("n"), r.N("c"), r.N("h"), r.N("w")), nil)
			r.Keep(y)
		}})
	}
	mix := func(name string, loss layers.Loss, target func(r *conform.Recorder) *compute.Tensor) {
		ops = append(ops, conform.Op{
			Name: "augment/" + name, Shapes: []string{"n=2,c=1,h=1,w=1,y=2,alpha=1", "n=3,c=3,h=7,w=5,y=10,alpha=0.2", "n=65,c=1,h=1,w=2,y=3,alpha=20"},
			Record: func(r *conform.Recorder) {
				a := &train.Augment{Mixup: r.Number("alpha")}
				x, mixed := a.Apply(r.Tape, r.Values(r.N("n"), r.N("c"), r.N("h"), r.N("w")), loss)
				r.Keep(x)
				y := r.Values(r.N("n"), r.N("y"))
				r.CheckLoss(mixed.Loss(r.Tape, y, target(r)), y)
			},
		})
	}
	mix("mixup", layers.SoftmaxCrossEntropy{}, func(r *conform.Recorder) *compute.Tensor { return r.Indices(r.N("y"), r.N("n")) })
	mix("mixup_numbers", layers.MSE{}, func(r *conform.Recorder) *compute.Tensor { return r.Values(r.N("n"), r.N("y")) })
	return ops
}
