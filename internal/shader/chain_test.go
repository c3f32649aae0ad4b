package shader

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/shaders"
)

// TestPointwise lists what is found to work element by element.
func TestPointwise(t *testing.T) {
	var found, first []string
	for _, name := range shaders.Names() {
		s, err := Load(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range s.Entries {
			if arrays := s.Pointwise(e); arrays != nil {
				found = append(found, fmt.Sprintf("%s.%s %s", name, e.Name, strings.Join(arrays, " ")))
			} else if y, _ := s.Output(e); y != "" {
				first = append(first, fmt.Sprintf("%s.%s %s", name, e.Name, y))
			}
		}
	}
	if got, want := strings.Join(found, "\n"), strings.TrimSpace(wantPointwise); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got, want := strings.Join(first, "\n"), strings.TrimSpace(wantFirst); got != want {
		t.Errorf("that can only be the first, got\n%s\nwant\n%s", got, want)
	}
}

// wantPointwise are the arrays that can be handed over, by entry point: those that it
// writes where it adds to them.
const wantPointwise = `
bce_with_logits.backward x dx
bias.forward y
broadcast.add_to a
broadcast.multiply_by a
broadcast.add_same a b
broadcast.multiply_same a b
broadcast.backward_add dy da
broadcast.backward_multiply dy da
cast.forward x
clip.value dw
clip_norm.scale dw
concat.backward dx
conv2d_finish.rectified z y
dropout.forward x
dropout.backward dy dx
elu.forward x
elu.backward x dy dx
ema.update w e
embedding_bag.backward dx
erf.forward x
erf.backward x dy dx
exp.forward x
exp.backward result dy dx
gelu.forward x
gelu.backward x dy dx
gelu_tanh.forward x
gelu_tanh.backward x dy dx
global_avg_pool.backward dx
huber.backward x wanted dx
l1.backward x wanted dx
leaky_relu.forward x
leaky_relu.backward x dy dx
log.forward x
log.backward x dy dx
log_softmax.forward x
log_softmax.backward result dy dx
mse.backward x wanted dx
normalize.backward dy dx
relu.forward x
relu.backward result dy dx
sigmoid.forward x
sigmoid.backward result dy dx
silu.forward x
silu.backward x dy dx
softmax.forward x
softmax.backward result dy dx
softplus.forward x
softplus.backward x dy dx
standardize.forward x
standardize.backward dy dx
tanh.forward x
tanh.backward result dy dx
`

// wantFirst are the arrays that other entry points write element by element.
const wantFirst = `
accumulate.clear dw
avg_pool2d.forward y
avg_pool2d.backward dx
batch.load_floats x
bias.backward_parts part
bias.backward db
broadcast.add y
broadcast.multiply y
clip_norm.square part
conv2d.forward y
conv2d.backward_x dx
conv2d.split part
conv2d.join dw
conv2d_direct.forward y
conv2d_direct.backward_x dx
conv2d_subgroup.forward y
conv2d_subgroup.forward_odd y1
conv2d_tiled.pack packing
conv2d_tiled.forward y
conv2d_tiled.forward_odd y1
conv2d_workgroup.forward y
conv2d_workgroup.backward_x dx
embedding.forward y
embedding.backward dweight
embedding_bag.tally count
embedding_bag.forward y
fill.forward y
global_avg_pool.forward y
matmul.forward y
matmul_subgroup.forward y
matmul_workgroup.forward y
matvec.forward y
max_pool2d.backward dx
max_pool2d_pairs.backward dx
mean.forward y
mixup.images y
normalize.forward y
normalize.backward_weight parts
softmax.backward_gather products
softmax_cross_entropy.backward dx
sum.partial y
sum.add z
winograd2.outputs y
winograd4.outputs y
`

// TestPointwiseNot gives texts that must not be taken for element-wise ones.
func TestPointwiseNot(t *testing.T) {
	const text = `// scale: y = by x.
// x, y, z are (n)
struct Params { n: u32, by: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read_write> z: array<f32>;
const block: u32 = 64u;
const accumulate: bool = true;
var<private> kept: f32;
fn times(v: f32) -> f32 { return v * params.by; }
fn first() -> f32 { return x[0]; }
// invocations: n
@compute @workgroup_size(block)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.n { return; }
    y[i] = times(x[i]);
}
`
	for name, c := range map[string]struct {
		replace, by string
		link, first bool
	}{
		"as it is":                {"", "", true, true},
		"it adds":                 {"    y[i] = times(x[i]);", "    var v = times(x[i]);\n    if accumulate { v += y[i]; }\n    y[i] = v;", true, true},
		"a neighbour":             {"times(x[i])", "times(x[i ^ 1u])", false, true},
		"and a neighbour":         {"times(x[i])", "x[i] + x[i + 1u]", false, true},
		"by another function":     {"times(x[i])", "x[i] + first()", false, true},
		"two arrays":              {"y[i] = times(x[i])", "z[i] = x[i];\n    y[i] = x[i]", false, false},
		"a place of its own":      {"y[i] =", "y[params.n - 1u - i] =", false, false},
		"twice":                   {"y[i] =", "y[i] = x[i];\n    y[i] =", false, false},
		"it stores only some":     {"y[i] = times(x[i]);", "if x[i] > 0.0 { y[i] = x[i]; }", false, false},
		"it adds in any case":     {"y[i] = times(x[i])", "y[i] = times(x[i]) + y[i]", true, false},
		"it updates":              {"y[i] = times(x[i])", "y[i] += times(x[i])", false, false},
		"it leaves early":         {"    y[i]", "    if x[i] > 0.0 { return; }\n    y[i]", false, false},
		"it keeps something":      {"y[i] = times(x[i])", "kept = x[i];\n    y[i] = kept", false, true},
		"the place is used":       {"times(x[i])", "x[i] + f32(id.x)", false, true},
		"another index":           {"    y[i]", "    for (var i = 0u; i < 1u; i++) { kept = x[i]; }\n    y[i]", false, false},
		"a grid of workgroups":    {"// invocations: n\n@compute @workgroup_size(block)\nfn forward", "// workgroups: n\n@compute @workgroup_size(block)\nfn forward", false, false},
		"numbers that are not so": {"x: array<f32>", "x: array<u32>", false, true},
	} {
		s, err := Parse("scale", strings.Replace(text, c.replace, c.by, 1))
		if err != nil {
			t.Fatal(err)
		}
		e := s.Entries[0]
		if got := s.Pointwise(e); (len(got) > 0) != c.link {
			t.Errorf("%s: Pointwise is %v", name, got)
		}
		if got, _ := s.Output(e); (got != "") != c.first {
			t.Errorf("%s: Output is %q", name, got)
		}
	}
}

// TestChainRefuses gives Chain what it cannot do.
func TestChainRefuses(t *testing.T) {
	relu, err := Load("relu")
	if err != nil {
		t.Fatal(err)
	}
	pool, err := Load("max_pool2d")
	if err != nil {
		t.Fatal(err)
	}
	two, _ := pool.Entry("forward") // writes two arrays
	one, _ := relu.Entry("forward")
	if _, err := Chain(pool, two, []Link{{Shader: relu, Entry: one, Bindings: []int{Handed, 2}}}); err == nil {
		t.Error("no error of a first entry point that writes two arrays")
	}
	if _, err := Chain(relu, one, []Link{{Shader: pool, Entry: two, Bindings: []int{Handed, 2, 3}}}); err == nil {
		t.Error("no error of a link that is not element-wise")
	}
}
