package main

import (
	"context"
	"errors"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/train"
	"github.com/pumice-ml/pumice/train/data"
)

// warming is a loop that is compiled while the data sets are read or drawn.
type warming struct {
	train, test data.Blank
	cancel      context.CancelFunc
	done        chan error // nil where nothing is compiled; one error, and closed
}

// sizes are those of the chosen sets, where they are known before any is read. Of a
// folder they are not: how many classes there are stands in its labels.
func (c *choices) sizes() (train, test data.Blank, ok bool) {
	switch c.data {
	case "builtin":
		train, test = data.BlankDigits(data.DigitsOptions{Train: c.images, Test: c.images / 5})
		return train, test, c.images >= 0
	case "mnist":
		train, test = data.BlankMNIST()
		return train, test, true
	}
	return train, test, false
}

// warm begins to compile the loop for the chosen sets, with a model of its own. The
// caller calls end before it closes the device.
func (o *trainOptions) warm(ctx context.Context, dev *compute.Device, loop train.Loop) *warming {
	trainSet, testSet, ok := o.sizes()
	w := &warming{train: trainSet, test: testSet, cancel: func() {}}
	if !ok || dev.IsReference() {
		return w
	}
	blank := *o // which untrained may change
	model, err := blank.untrained(trainSet)
	if err != nil {
		return w // of which run tells, for its own model
	}
	loop.Model = model
	ctx, w.cancel = context.WithCancel(ctx)
	w.done = make(chan error, 1)
	go func() {
		w.done <- loop.Warm(ctx, dev, trainSet, testSet)
		close(w.done)
	}()
	return w
}

// wait waits until all is compiled, and returns what failed, unless the sets have other
// sizes: then it was not for them, and Run tells what fails.
func (w *warming) wait(trainSet, testSet data.Dataset) error {
	if w.done == nil {
		return nil
	}
	err := <-w.done
	if !w.train.Like(trainSet) || !w.test.Like(testSet) {
		return nil
	}
	return err
}

// end stops what is still compiled, waits for that, and returns what failed, unless wait
// has told it.
func (w *warming) end() error {
	w.cancel()
	if w.done == nil {
		return nil
	}
	if err := <-w.done; !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
