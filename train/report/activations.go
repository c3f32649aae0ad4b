package report

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train"
	"github.com/pumice-ml/pumice/train/data"
)

// Chosen is one example, of the test set where there is one, on its way through the model.
type Chosen struct {
	Index         int      // in its set, from 0
	Set           string   // its name
	Truth         string   // its class, or its numbers
	Picture       *Picture // nil where it is no image
	Steps         []Activation
	Probabilities []float64 // of the classes; nil where there are none
}

// Likely is a class with its probability.
type Likely struct {
	Class       int
	Probability float64
}

// mostLikely is how many classes the page gives the probability of.
const mostLikely = 12

// Likeliest are all classes in their order, or of many the 12 likeliest, the first of them
// first.
func (c *Chosen) Likeliest() []Likely {
	all := make([]Likely, len(c.Probabilities))
	for i, p := range c.Probabilities {
		all[i] = Likely{i, p}
	}
	if len(all) <= mostLikely {
		return all
	}
	slices.SortStableFunc(all, func(a, b Likely) int { return cmp.Compare(b.Probability, a.Probability) })
	return all[:mostLikely]
}

// Unlikely is the number of the other classes.
func (c *Chosen) Unlikely() int { return len(c.Probabilities) - len(c.Likeliest()) }

// Activation is what a layer makes of an example.
type Activation struct {
	Layer   string
	Shape   []int // without the batch
	Picture *Picture
}

// Activations runs one example, in a batch of its own, and returns what each layer of
// a Sequential makes of it; of another model, what the model does. The model is as in
// evaluation: nothing is dropped, running statistics are used.
func Activations(ctx context.Context, dev *compute.Device, model layers.Layer, s data.Spec, example *data.Batch) ([]Activation, []float32, error) {
	t := compute.NewTape(dev)
	for _, p := range layers.Params(model) {
		t.Master(p)
	}
	x := inputOf(t, s, 1)
	y := x
	type step struct {
		name string
		of   layers.Layer
		y    *compute.Tensor
	}
	var all []step
	for name, l := range layers.Each(model) {
		y = l.Forward(t, y)
		all = append(all, step{name, l, y})
		t.Keep(y)
	}
	program, err := t.Compile()
	if err != nil {
		return nil, nil, err
	}
	defer program.Close()
	if err := write(program, x, example, s); err != nil {
		return nil, nil, err
	}
	if err := program.Run(ctx); err != nil {
		return nil, nil, err
	}
	var steps []Activation
	var last []float32
	for i, p := range all {
		if _, ok := p.of.(layers.Flatten); ok && i < len(all)-1 {
			continue // the same numbers in another shape
		}
		last = make([]float32, p.y.Len())
		if err := program.Read(ctx, p.y, last); err != nil {
			return nil, nil, err
		}
		shape := p.y.Shape()[1:]
		steps = append(steps, Activation{Layer: p.name, Shape: shape, Picture: tiled(planes(last, shape), Sequential)})
	}
	return steps, last, nil
}

// planes are the maps of an activation: of its last two dimensions, one for each index
// of those before, and of numbers in a row one, folded where they are many.
func planes(x []float32, shape []int) (maps []plane) {
	most := 32 // numbers in a row
	if square := int(math.Sqrt(float64(len(x)))); square > maxSheet/2 {
		most = square
	}
	n := len(shape)
	switch {
	case n >= 2:
		return cut(x, shape[n-2], shape[n-1])
	case len(x) <= most:
		return []plane{{x, 1, len(x)}}
	}
	height := (len(x) + most - 1) / most
	x = slices.Clone(x)
	for len(x) < height*most {
		x = append(x, nan)
	}
	return []plane{{x, height, most}}
}

// look follows the chosen example.
func (f *Findings) look(ctx context.Context, dev *compute.Device, loop *train.Loop, trainSet, set data.Dataset, o Options) error {
	if set == nil {
		set = trainSet
	}
	spec := set.Spec()
	channels, height, width, ok := image3(spec)
	if !ok {
		f.Missing[PartActivations] = "The examples are not images, which could be followed through the layers."
		return nil
	}
	c := &Chosen{Set: spec.Name}
	if o.Chosen > 0 {
		c.Index = o.Chosen - 1
	} else if f.Judgement != nil && len(f.Judgement.Mistakes) > 0 {
		c.Index = f.Judgement.Mistakes[0].Index
	}
	b, err := one(set, c.Index)
	if err != nil {
		return err
	}
	c.Picture = photograph(numbersOf(b, spec), channels, height, width)
	var out []float32
	if c.Steps, out, err = Activations(ctx, dev, loop.Model, spec, b); err != nil {
		return err
	}
	c.Truth = fmt.Sprint(b.Targets)
	if len(spec.Classes) > 0 {
		c.Truth = spec.Classes[b.Labels[0]]
		_, c.Probabilities = crossEntropy(out, int(b.Labels[0]))
	}
	f.Chosen = c
	return nil
}
