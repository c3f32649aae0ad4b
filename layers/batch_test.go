package layers

import (
	"math"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
)

// batchFree wants the bits of each row of l's output to be the same whether it
// is computed alone or among others.
func batchFree(t *testing.T, l Layer, rows, size int) {
	t.Helper()
	dev := devicetest.Open(t)
	forward := func(rows int, values []float32) []float32 {
		tape := compute.NewTape(dev)
		x := tape.Input("x", compute.F32, rows, size)
		y := l.Forward(tape, x)
		tape.Keep(y)
		got := make([]float32, y.Len())
		run(t, tape, map[*compute.Tensor][]float32{x: values}, map[*compute.Tensor][]float32{y: got})
		return got
	}
	values := make([]float32, rows*size)
	for i := range values {
		values[i] = float32(math.Sin(float64(i))) * 3
	}
	all := forward(rows, values)
	for _, row := range []int{0, rows / 2, rows - 1} {
		for i, v := range forward(1, values[row*size:(row+1)*size]) {
			if math.Float32bits(v) != math.Float32bits(all[row*size+i]) {
				t.Errorf("%T: row %d [%d] is %v alone and %v in a batch of %d", l, row, i, v, all[row*size+i], rows)
			}
		}
	}
	for _, p := range Params(l) {
		dev.Forget(p)
	}
}
