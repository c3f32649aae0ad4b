package compiler

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/internal/engine"
	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/internal/shader"
	"github.com/pumice-ml/pumice/internal/tune"
)

const linkText = `// link: y = by x; total += z turned round.
// x, y, z, total are (n)
struct Params { n: u32, by: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read> z: array<f32>;
@group(0) @binding(4) var<storage, read_write> total: array<f32>;
const block: u32 = 64u;
const accumulate: bool = true;
// invocations: n
@compute @workgroup_size(block)
fn scale(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.n { return; }
    y[i] = params.by * x[i];
}
// both: y = x + z turned round.
// invocations: n
@compute @workgroup_size(block)
fn both(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.n { return; }
    y[i] = x[i] + z[params.n - 1u - i];
}
// invocations: n
@compute @workgroup_size(block)
fn add(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.n { return; }
    var v = params.by * z[params.n - 1u - i];
    if accumulate { v += total[i]; }
    total[i] = v;
}
// more: total += by x.
// invocations: n
@compute @workgroup_size(block)
fn more(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.n { return; }
    var v = params.by * x[i];
    if accumulate { v += total[i]; }
    total[i] = v;
}
`

type linkParams struct {
	N  uint32
	By float32
}

var (
	linkShader = must(shader.Parse("link", linkText))
	linkScale  = declare(of(linkShader), "link.scale", func(p linkParams, b [][]float64) {
		for i, x := range b[0] {
			b[1][i] = float64(p.By) * x
		}
	}, ir.Exact)
	linkBoth = declare(of(linkShader), "link.both", func(p linkParams, b [][]float64) {
		for i, x := range b[0] {
			b[1][i] = x + b[2][len(b[2])-1-i]
		}
	}, ir.Exact)
	linkAdd = declare(of(linkShader), "link.add", func(p linkParams, b [][]float64) {
		for i := range b[1] {
			b[1][i] += float64(p.By) * b[0][len(b[0])-1-i]
		}
	}, ir.Exact)
	linkMore = declare(of(linkShader), "link.more", func(p linkParams, b [][]float64) {
		for i, x := range b[0] {
			b[1][i] += float64(p.By) * x
		}
	}, ir.Exact)
)

// TestChain wants runs that hand elements on to share a launch, the tensors between that
// nobody else sees to be nowhere, and the same bits as without, also of what f16 does not
// hold exactly.
func TestChain(t *testing.T) {
	devices := map[ir.DType]*tune.Device{ir.F32: must(open(t.Context(), engine.Want{DefaultLimits: true})), ir.F16: must(open(t.Context()))}
	for _, dev := range devices {
		defer dev.Close()
	}
	if devices[ir.F16].Stores(ir.F16) != nil {
		delete(devices, ir.F16) // suite TestCheckF16 wants the error
	}
	const n = 131
	p := linkParams{n, 3}
	for name, c := range map[string]struct {
		record func(tape *ir.Tape, x, y *ir.Tensor)
		want   []string
		alone  int // tensors that have memory
	}{
		"three": {func(tape *ir.Tape, x, y *ir.Tensor) {
			a, b := tape.New(n), tape.New(n)
			linkScale.Run(p, x, a)
			linkScale.Run(p, a, b)
			linkScale.Run(p, b, y)
		}, []string{"scale+scale+scale"}, 2},
		"kept": {func(tape *ir.Tape, x, y *ir.Tensor) {
			a, b := tape.New(n), tape.New(n)
			tape.Keep(b)
			linkScale.Run(p, x, a)
			linkScale.Run(p, a, b)
			linkScale.Run(p, b, y)
		}, []string{"scale+scale+scale"}, 3},
		"read elsewhere": {func(tape *ir.Tape, x, y *ir.Tensor) {
			a, b := tape.New(n), tape.New(n)
			linkScale.Run(p, x, a)
			linkScale.Run(p, a, b)
			linkBoth.Run(p, b, y, a)
		}, []string{"scale+scale", "both"}, 4},
		"in place": {func(tape *ir.Tape, x, y *ir.Tensor) {
			a := tape.New(n)
			linkScale.Run(p, x, a)
			linkAdd.Run(p, x, a)
			linkScale.Run(p, a, y)
		}, []string{"scale+add+scale"}, 2},
		"to what is there": {func(tape *ir.Tape, x, y *ir.Tensor) {
			a, total := tape.New(n), tape.Zeros(n)
			linkAdd.Run(p, x, total)
			linkScale.Run(p, x, a)
			linkMore.Run(p, a, total)
			linkBoth.Run(p, x, y, total)
		}, []string{"add", "scale+more", "both"}, 3},
		"the first adds": {func(tape *ir.Tape, x, y *ir.Tensor) {
			w := tape.Master(ir.NewParam("w", n))
			linkAdd.Run(p, x, w)
			linkScale.Run(p, w, y)
		}, []string{"add", "scale"}, 2},
		"the first waits": {func(tape *ir.Tape, x, y *ir.Tensor) {
			a, b := tape.New(n), tape.New(n)
			linkScale.Run(p, x, a)
			linkBoth.Run(p, x, b, x)
			linkBoth.Run(p, a, y, b)
		}, []string{"both", "scale+both"}, 3},
		"the second is early": {func(tape *ir.Tape, x, y *ir.Tensor) {
			a, b := tape.New(n), tape.New(n)
			tape.Keep(b)
			linkScale.Run(p, x, a)
			linkBoth.Run(p, x, b, a)
			linkScale.Run(p, a, y)
		}, []string{"scale+scale", "both"}, 4},
		"neither": {func(tape *ir.Tape, x, y *ir.Tensor) {
			a, b := tape.New(n), tape.New(n)
			linkScale.Run(p, x, a)
			linkBoth.Run(p, x, b, a)
			linkBoth.Run(p, a, y, b)
		}, []string{"scale", "both", "both"}, 4},
		"both operands": {func(tape *ir.Tape, x, y *ir.Tensor) {
			a := tape.New(n)
			linkScale.Run(p, x, a)
			linkBoth.Run(p, a, y, a)
		}, []string{"scale", "both"}, 3},
		"more buffers than there are": {func(tape *ir.Tape, x, y *ir.Tensor) {
			for range 9 {
				z, a := tape.Zeros(n), tape.New(n)
				linkAdd.Run(p, tape.Input("z", ir.F32, n), z)
				linkBoth.Run(p, x, a, z)
				x = a
			}
			linkScale.Run(p, x, y)
		}, []string{"add", "add", "add", "add", "add", "add", "both+both+both+both+both+both", "add", "add", "add", "both+both+both+scale"}, 21},
	} {
		for storage, dev := range devices {
			t.Run(fmt.Sprint(name, " ", storage), func(t *testing.T) {
				run := func(without ...ir.Pass) (names []string, got []float32, alone int64) {
					tape := newTape(dev)
					tape.Storage = storage
					x, y := tape.Input("x", ir.F32, n), tape.New(n)
					tape.Keep(y)
					c.record(tape, x, y)
					p := must(Compile(tape, append(without, ir.Join, ir.Check)...))
					defer p.Close()
					for _, s := range must(p.Steps()) {
						names = append(names, strings.ReplaceAll(s.Kernel, "link.", ""))
					}
					if len(without) > 0 && len(names) != len(tape.Dispatches()) {
						t.Errorf("%v without the pass, want %d", names, len(tape.Dispatches()))
					}
					for _, s := range tape.Slots() {
						if s.Input {
							v := make([]float32, n)
							for i := range v {
								v[i] = float32(i + s.ID)
							}
							if err := p.Write(s.First, v); err != nil {
								t.Fatal(err)
							}
						}
					}
					if err := p.Run(t.Context()); err != nil {
						t.Fatal(err)
					}
					for _, s := range tape.Kept() {
						v := make([]float32, n)
						if err := p.Read(t.Context(), s, v); err != nil {
							t.Fatal(err)
						}
						got = append(got, v...)
					}
					_, alone = p.Memory()
					return names, got, alone / 4 / n
				}
				names, got, alone := run()
				_, want, _ := run(ir.Chain)
				if fmt.Sprint(names) != fmt.Sprint(c.want) || storage == ir.F32 && alone != int64(c.alone) {
					t.Errorf("%v with %d tensors, want %v with %d", names, alone, c.want, c.alone)
				}
				if slices.IndexFunc(want, func(v float32) bool { return v != 0 }) < 0 || !slices.EqualFunc(got, want, func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }) {
					t.Errorf("got %v, want %v", got, want)
				}
			})
		}
	}
}
