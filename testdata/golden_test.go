package testdata

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
)

// groups are the files that generate.py writes.
var groups = strings.Fields(`
	linear conv2d conv_transpose2d max_pool2d avg_pool2d global_avg_pool embedding
	batch_norm layer_norm
	relu leaky_relu elu gelu silu sigmoid tanh softplus softmax log_softmax
	cross_entropy mse_loss l1_loss huber_loss smooth_l1_loss bce_with_logits
	sgd adam adamw rmsprop schedule plateau clip groups
	init train_cnn cnn`)

// isResult tells what PyTorch computed; all other tensors are inputs.
func isResult(name string) bool {
	return name == "y" || name == "losses" || strings.HasPrefix(name, "after") ||
		strings.HasSuffix(name, "_after") || strings.HasPrefix(name, "grad.") ||
		slices.Contains([]string{"dx", "dweight", "dbias", "rate"}, name)
}

func TestFilesDecode(t *testing.T) {
	entries, err := files.ReadDir("pytorch")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, e := range entries {
		if group, ok := strings.CutSuffix(e.Name(), ".json"); ok {
			found = append(found, group)
		}
	}
	if want := slices.Sorted(slices.Values(groups)); !slices.Equal(found, want) {
		t.Errorf("groups are %v, want %v", found, want)
	}
	for _, group := range found {
		cases := PyTorch(group)
		if len(cases) == 0 {
			t.Errorf("%s has no cases", group)
		}
		for _, c := range cases {
			if c.Name == "" || c.Torch == "" || c.Options == nil || len(c.Tensors) == 0 {
				t.Errorf("%s: case %q is incomplete", group, c.Name)
			}
			for name, tensor := range c.Tensors {
				if len(tensor.Data) != product(tensor.Shape) {
					t.Errorf("%s, %s: %s has %d elements for shape %v", group, c.Name, name, len(tensor.Data), tensor.Shape)
				}
				for i, v := range tensor.Data {
					if !isResult(name) && float64(float32(v)) != v {
						t.Errorf("%s, %s: %s[%d] is %v, no float32 number", group, c.Name, name, i, v)
					}
				}
			}
		}
	}
}

func product(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// TestLinear computes one case by hand, so that the reader is seen to give
// elements in their order.
func TestLinear(t *testing.T) {
	c := PyTorch("linear")[0]
	in, out := c.Int("in_features"), c.Int("out_features")
	x, w, b, y := c.F32("x"), c.F64("weight"), c.F64("bias"), c.F64("y")
	for i := range y {
		row, column := i/out, i%out
		want := b[column]
		for k := range in {
			want += float64(x[row*in+k]) * w[column*in+k]
		}
		if math.Abs(y[i]-want) > 1e-10 {
			t.Errorf("y[%d] is %v, want %v", i, y[i], want)
		}
	}
}

func TestStateDict(t *testing.T) {
	b := StateDict()
	n := binary.LittleEndian.Uint64(b)
	if n > uint64(len(b)-8) {
		t.Fatalf("header of %d bytes in a file of %d", n, len(b))
	}
	var header map[string]struct {
		DType   string `json:"dtype"`
		Shape   []int  `json:"shape"`
		Offsets [2]int `json:"data_offsets"`
	}
	if err := json.Unmarshal(b[8:8+n], &header); err != nil {
		t.Fatal(err)
	}
	data := b[8+n:]
	total := 0
	for name, want := range map[string][]int{
		"0.weight": {8, 1, 5, 5}, "0.bias": {8}, "3.weight": {16, 8, 5, 5}, "3.bias": {16}, "7.weight": {10, 256}, "7.bias": {10},
	} {
		got := header[name]
		size := got.Offsets[1] - got.Offsets[0]
		if got.DType != "F32" || !slices.Equal(got.Shape, want) || size != 4*product(want) || got.Offsets[1] > len(data) {
			t.Errorf("%s is %+v, want F32 of shape %v", name, got, want)
		}
		total += size
	}
	if total != len(data) {
		t.Errorf("tensors take %d bytes of %d", total, len(data))
	}
}

func TestPanics(t *testing.T) {
	c := Case{Name: "c", Options: map[string]any{"half": 0.5, "text": "x"}, Tensors: map[string]Tensor{
		"half": {Shape: []int{1}, Data: []float64{0.5}}, "negative": {Shape: []int{1}, Data: []float64{-1}}}}
	for want, f := range map[string]func(){
		`no group "nothing"`:                    func() { PyTorch("nothing") },
		"option text is x, want a number":       func() { c.Float("text") },
		"option none is <nil>, want a number":   func() { c.Float("none") },
		"option half is 0.5, want a whole":      func() { c.Int("half") },
		"case c has no tensor none":             func() { c.F32("none") },
		"half holds 0.5, want whole numbers":    func() { c.U32("half") },
		"negative holds -1, want whole numbers": func() { c.U32("negative") },
	} {
		func() {
			defer func() {
				if got, _ := recover().(string); !strings.Contains(got, want) {
					t.Errorf("panic %q, want %q", got, want)
				}
			}()
			f()
		}()
	}
	if c.Has("none") || !c.Has("half") {
		t.Errorf("Has(none) is %v and Has(half) %v", c.Has("none"), c.Has("half"))
	}
}
