package compiler

import (
	"errors"
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/internal/shader"
)

// readsDirt is y = x, but for the last place where what stood in y was large: within its
// bound, and not the same bits whatever stood there.
var readsDirt = declare(of(must(shader.Parse("reads_dirt", `// reads_dirt: y = x.
// x, y are (n)
struct Params { n: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
// invocations: n
@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < params.n { y[id.x] = select(x[id.x], x[id.x] * 1.000001, y[id.x] > 1e29); }
}
`))), "reads_dirt.forward", func(_ oneParams, b [][]float64) { copy(b[1], b[0]) }, ir.ULP(100))

// TestJudgedTwice wants a kernel refused whose result depends on what stood in a tensor that
// it is defined to overwrite, though each result is within its bound.
func TestJudgedTwice(t *testing.T) {
	ownCache(t)
	dev := must(open(t.Context()))
	defer dev.Close()
	tape := newTape(dev)
	x, y := tape.Input("x", ir.F32, 70), tape.New(70)
	readsDirt.Run(oneParams{70}, x, y)
	tape.Keep(y)
	p, err := Compile(tape)
	if err == nil {
		p.Close()
	}
	if !errors.Is(err, ir.ErrWrongNumbers) || !strings.Contains(err.Error(), "in the first run") {
		t.Errorf("got %v, want ErrWrongNumbers for two runs that differ", err)
	}
}
