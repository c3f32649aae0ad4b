package compute_test

import (
	"errors"
	"testing"
	"testing/fstest"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/internal/ir"
)

// turned turns the order of the elements round, through 20,000 bytes of workgroup memory.
var turned = compute.NewKernelFS(fstest.MapFS{"turned.wgsl": {Data: []byte(`// turned: y[i] = x[n-1-i].
// x, y are (n).
struct Params { n: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
const most: u32 = 1250u;
var<workgroup> held: array<vec4<f32>, most>;
// workgroups: 1
// trips: n
@compute @workgroup_size(1)
fn forward() {
    for (var i = 0u; i < params.n; i++) { held[i] = vec4<f32>(x[i]); }
    for (var i = 0u; i < params.n; i++) { y[i] = held[params.n - 1u - i].x; }
}
`)}}, "turned.forward", func(p struct{ N uint32 }, b [][]float64) {
	for i, v := range b[0] {
		b[1][len(b[1])-1-i] = v
	}
}, compute.Exact)

// TestShared wants a kernel on devices that have the workgroup memory it uses, and an
// error on others.
func TestShared(t *testing.T) {
	if got := (*ir.Kernel)(turned).Entry().Shared; got != 20_000 {
		t.Errorf("%d bytes of workgroup memory, want 20,000", got)
	}
	small, err := compute.Open(ctx, compute.Want{Name: devicetest.Open(t).Info().Name, DefaultLimits: true})
	if err != nil {
		t.Fatal(err)
	}
	defer small.Close()
	for _, dev := range []*compute.Device{small, devicetest.Open(t)} {
		tape := compute.NewTape(dev)
		x, y := tape.Input("x", compute.F32, 7), tape.New(7)
		turned.Run(struct{ N uint32 }{7}, x, y)
		tape.Keep(y)
		found, err := devicetest.Verify(tape, func(p *compute.Program) error { return p.Write(x, ramp(7)) })
		if dev.Info().Limits.WorkgroupStorage >= 20_000 {
			devicetest.Check(t, found, err)
		} else if !errors.Is(err, compute.ErrLimit) || devicetest.RunsOn(turned, dev) {
			t.Errorf("%d bytes of workgroup memory: got %v, want ErrLimit", dev.Info().Limits.WorkgroupStorage, err)
		}
	}
}
