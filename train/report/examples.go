package report

import (
	"context"
	"fmt"
	"iter"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train"
	"github.com/pumice-ml/pumice/train/data"
)

// inputOf returns the tensor that a model takes examples of a spec from.
func inputOf(t *compute.Tape, s data.Spec, rows int) *compute.Tensor {
	dtype := compute.F32
	if s.DType == data.Uint32 {
		dtype = compute.U32
	}
	return t.Input("examples", dtype, append([]int{rows}, s.Shape...)...)
}

// numbersOf are the inputs of a batch as the model takes them: a byte as byte/255.
func numbersOf(b *data.Batch, s data.Spec) []float32 {
	if s.DType != data.Uint8 {
		return b.Floats
	}
	x := make([]float32, len(b.Bytes))
	for i, v := range b.Bytes {
		x[i] = float32(v) / 255
	}
	return x
}

// write sets the inputs of a program from a batch, filled up with zeros.
func write(p *compute.Program, x *compute.Tensor, b *data.Batch, s data.Spec) error {
	if s.DType == data.Uint32 {
		return p.WriteU32(x, append(make([]uint32, 0, x.Len()), b.Ints...)[:x.Len()])
	}
	return p.Write(x, append(make([]float32, 0, x.Len()), numbersOf(b, s)...)[:x.Len()])
}

// image is the size of examples that are pictures: (channels, height, width).
func image3(s data.Spec) (channels, height, width int, ok bool) {
	if len(s.Shape) != 3 || s.DType == data.Uint32 || s.Shape[1] < 2 || s.Shape[2] < 2 {
		return 0, 0, 0, false
	}
	return s.Shape[0], s.Shape[1], s.Shape[2], true
}

// one is an example of a set, read by itself.
func one(set data.Dataset, i int) (*data.Batch, error) {
	for b, err := range set.Batches(data.Range(i, i+1), 1) {
		return b, err
	}
	return nil, fmt.Errorf("%s has no example %d", set.Spec().Name, i)
}

// first is the beginning of a set.
type first struct {
	data.Dataset
	n int
}

func (f first) Len() int { return min(f.n, f.Dataset.Len()) }

// eachOutput gives visit the outputs of a loop's model for the first n examples, batch by
// batch, from row number at on: those of row i are out[i*width:(i+1)*width].
func eachOutput(ctx context.Context, dev *compute.Device, loop *train.Loop, set data.Dataset, n int, visit func(at int, b *data.Batch, out []float32, width int) error) error {
	model, rows := loop.Model, min(loop.EvalBatch(), n)
	t := compute.NewTape(dev)
	t.Storage = loop.Storage
	for _, p := range layers.Params(model) {
		t.Master(p)
	}
	x := inputOf(t, set.Spec(), rows)
	y := model.Forward(t, x)
	if y.Dim(0) != rows {
		return fmt.Errorf("the model makes %v of %d examples, want a row for each", y.Shape(), rows)
	}
	t.Keep(y)
	program, err := t.Compile()
	if err != nil {
		return err
	}
	defer program.Close()
	out, at := make([]float32, y.Len()), 0
	for b, err := range set.Batches(order(n), rows) {
		if err == nil {
			err = b.Check(set.Spec(), at)
		}
		if err == nil {
			err = write(program, x, b, set.Spec())
		}
		if err == nil {
			err = program.Run(ctx)
		}
		if err == nil {
			err = program.Read(ctx, y, out)
		}
		if err == nil {
			err = visit(at, b, out, y.Len()/rows)
		}
		if err != nil {
			return err
		}
		at += b.Rows
	}
	return nil
}

func order(n int) iter.Seq[int] { return data.Range(0, n) }
