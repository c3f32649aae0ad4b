package suite

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing/fstest"

	"github.com/pumice-ml/pumice/compute"
)

// pointParams are the params of a random kernel.
type pointParams struct {
	N  uint32
	By float32
}

// random is a random pointwise kernel: an expression, whom it is stored for, and how.
type random struct {
	*compute.Kernel
	text  string
	roles []string // of its bindings: x, y, z
	root  *node
	skip  *cond // whom nothing is stored for; nil is nobody
	adds  bool
}

// whole reports whether it writes each element.
func (k *random) whole() bool { return k.skip == nil && !k.adds }

// at is what the kernel leaves at element i.
func (k *random) at(b [][]float64, by float64, i int) num {
	p := &point{i: i, by: by}
	y := 0.0
	for j, role := range k.roles {
		switch role {
		case "x":
			p.x = b[j][i]
		case "y":
			y = b[j][i]
		case "z":
			p.z, p.next = b[j][i], b[j][(i+1)%len(b[j])]
		}
	}
	v := k.root.at(p)
	if k.adds {
		v = rounded(y+v.v, v.e, 1)
	}
	if k.skip == nil {
		return v
	}
	skip, sure := k.skip.at(p)
	switch {
	case skip && sure:
		return num{y, 0}
	case sure:
		return v
	case skip:
		return num{y, 0}.or(v)
	}
	return v.or(num{y, 0})
}

// grids are how an invocation finds its element, and the built-in values that it needs; B
// is the size of a workgroup. The other ones are not those of a folded grid to a pass.
var grids = []struct {
	index, builtins string
	other           bool
}{
	{"id.y * groups.x * B + id.x", "id groups", false}, {"id.x + B * id.y * groups.x", "id groups", false}, {"wid.x*B + lid.x + wid.y*groups.x*B", "wid lid groups", false},
	{"(wid.y * groups.x + wid.x) * B + lane", "wid groups lane", false}, {"lane + B * (wid.x + groups.x * wid.y)", "wid groups lane", false},
	{"((wid.y * groups.x + wid.x) << 6u) + lid.x", "wid groups lid", false}, {"id.x + (1u + B) * (id.y * groups.x) - id.y * groups.x", "id groups", false}, {"id.x", "id", true}, {"wid.x * B + lid.x", "wid lid", true},
	{"fixed_index(id.x, id.y, groups.x)", "id groups", false}, {"select(id.x, id.x + groups.x * id.y * B, id.y > 0u)", "id groups", true},
}

var builtins = map[string]string{
	"id": "@builtin(global_invocation_id) id: vec3<u32>", "groups": "@builtin(num_workgroups) groups: vec3u", "wid": "@builtin(workgroup_id) wid: vec3<u32>",
	"lid": "@builtin(local_invocation_id) lid: vec3<u32>", "lane": "@builtin(local_invocation_index) lane: u32",
}

// newRandom declares a kernel of a number, one that divides or does not.
func newRandom(seed uint64, number int, divides bool) *random {
	r := rand.New(rand.NewPCG(seed, uint64(number)))
	k := &random{roles: []string{"x", "y"}}
	g := &growing{Rand: r, whole: !divides}
	if r.IntN(3) == 0 {
		g.other = true
		k.roles = append(k.roles, "z")
	}
	r.Shuffle(len(k.roles), func(i, j int) { k.roles[i], k.roles[j] = k.roles[j], k.roles[i] })
	k.root = g.node(r.IntN(4))
	for _, role := range k.roles { // all are read
		if role == "y" {
			continue
		}
		parts := []*node{k.root, apart(&node{kind: "*", parts: []*node{{kind: role}, {kind: "number", value: g.number()}}})}
		r.Shuffle(2, func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		k.root = apart(&node{kind: "+", parts: parts})
	}
	k.root = &node{kind: "clamp", value: 8, parts: []*node{k.root}}
	if k.adds = r.IntN(6) == 0; k.adds {
		// Added to zeros, -0 is 0; assigned in place of that, it is -0.
		k.root = &node{kind: "abs", parts: []*node{k.root}}
	}
	if r.IntN(3) == 0 {
		k.skip = g.cond(2)
		// A comparison that can stand beside the bound. Kernels that add have no other: of
		// conditions on indices and params alone, wgsl.Partial does not know whom they leave out.
		if r.IntN(2) == 0 || k.adds {
			k.skip = &cond{op: g.pick("<", "<=", ">", ">="), sides: []*node{{kind: "x"}, {kind: "number", value: g.number()}}}
		}
	}
	s := &spelling{Rand: r, taken: strings.Fields("id wid groups lid lane params finish_ block forward Params")}
	array := map[string]string{}
	for _, role := range k.roles {
		array[role] = s.name()
	}
	s.x, s.y, s.z, s.by = array["x"], array["y"], array["z"], "params.by"
	body, needs := k.body(s)
	name := fmt.Sprintf("random_%d_%d", seed, number)
	var header, bindings []string
	for i, role := range k.roles {
		header = append(header, array[role])
		bindings = append(bindings, fmt.Sprintf("@group(0) @binding(%d) var<storage, %s> %s: array<f32>;", i+1, map[bool]string{true: "read_write", false: "read"}[role == "y"], array[role]))
	}
	decls := append([]string{"struct Params { n: u32, by: f32 }", "@group(0) @binding(0) var<uniform> params: Params;", "const block: u32 = 64u;", "fn fixed_index(a: u32, b: u32, c: u32) -> u32 { return b * c * block + a; }"}, append(bindings, s.decls...)...)
	if k.adds {
		decls = append(decls, "const accumulate: bool = true;")
	}
	r.Shuffle(len(decls), func(i, j int) { decls[i], decls[j] = decls[j], decls[i] })
	if r.IntN(4) == 0 {
		needs = []string{"id", "wid", "groups", "lid", "lane"}
	}
	r.Shuffle(len(needs), func(i, j int) { needs[i], needs[j] = needs[j], needs[i] })
	var params []string
	for _, n := range needs {
		params = append(params, builtins[n])
	}
	k.text = fmt.Sprintf("// %s: a random kernel.\n// %s are (n)\n%s\n// invocations: n\n@compute @workgroup_size(%s)\nfn forward(%s) {%s}\n",
		name, strings.Join(header, ", "), spaced(r, strings.Join(decls, "\n")), s.pick("block", "64", "64, 1", "block, 1, 1"), strings.Join(params, ", "), body)
	k.Kernel = compute.NewKernelFS(fstest.MapFS{name + ".wgsl": {Data: []byte(k.text)}}, name+".forward", func(p pointParams, b [][]float64) {
		out := make([]float64, p.N)
		for i := range out {
			out[i] = k.at(b, float64(p.By), i).v
		}
		copy(b[slices.Index(k.roles, "y")], out)
	}, compute.Func(func(r *compute.Reference32) [][]float64 {
		bounds := make([][]float64, len(r.Want))
		y := slices.Index(k.roles, "y")
		bounds[y] = make([]float64, len(r.Want[y]))
		for i, want := range r.Want[y] {
			bounds[y][i] = k.at(r.In, float64(r.Params.(pointParams).By), i).e + math.Abs(float64(float32(want))-want)
		}
		return bounds
	}))
	return k
}

// body is what the kernel's entry point does, and the built-in values that it uses.
func (k *random) body(s *spelling) (text string, needs []string) {
	grid := grids[s.IntN(len(grids))]
	for s.IntN(4) > 0 && grid.other { // rather one that passes know
		grid = grids[s.IntN(len(grids))]
	}
	index := strings.ReplaceAll(grid.index, "B", s.pick("block", "64u"))
	switch s.IntN(4) {
	case 0:
		s.index = "(" + index + ")"
	case 1:
		first := s.name()
		s.write("let %s = %s;", first, index)
		s.index = s.name()
		s.write("%s %s = %s;", s.pick("let", "let", "let", "let", "let", "var"), s.index, first)
	default:
		s.index = s.name()
		s.write("%s %s%s = %s;", s.pick("let", "let", "let", "let", "let", "var"), s.index, s.pick("", ": u32"), index)
	}
	end := "params.n"
	if s.IntN(4) == 0 {
		end = s.name()
		s.write("let %s = params.n;", end)
	}
	if s.IntN(4) == 0 {
		s.by = s.name()
		s.write("let %s = params.by;", s.by)
	}
	i := s.index
	beyond := s.pick(i+" >= "+end, end+" <= "+i, "!("+i+" < "+end+")", "!("+end+" > "+i+")")
	if s.IntN(8) == 0 {
		beyond = s.pick(i+" > "+end+" - 1u", i+" >= "+end+" || "+i+" == "+end)
	}
	skipped := k.skip == nil
	finish := func() {
		if !skipped && s.IntN(2) == 0 {
			skipped = true
			s.block("if "+s.cond(k.skip), func() { s.lines = append(s.lines, "return;") })
		}
		store := func() { k.store(s) }
		if skipped {
			store()
			return
		}
		s.block("if !("+s.cond(k.skip)+")", store)
	}
	if simple(k.skip) && s.IntN(2) == 0 { // in the bound, where nothing can stand before it
		plain := &spelling{Rand: s.Rand, x: s.x, z: s.z, by: s.by, index: s.index, taken: s.taken, next: 5000}
		for range 9 {
			plain.lines, plain.decls = nil, nil
			extra := plain.cond(k.skip)
			if len(plain.lines)+len(plain.decls) == 0 {
				skipped = true
				beyond += " || " + s.pick("(", "(", "!!(") + extra + ")"
				break
			}
		}
	}
	if s.IntN(4) == 0 {
		s.block("if !("+beyond+")", finish)
	} else {
		s.block("if "+beyond, func() { s.lines = append(s.lines, "return;") })
		finish()
	}
	if s.IntN(10) == 0 && skipped {
		s.lines = append(s.lines, "let last_ = 1.0;", "_ = last_;")
	}
	return spaced(s.Rand, strings.Join(s.lines, "\n")), strings.Fields(grid.builtins)
}

// simple reports whether a condition has comparisons of the element and numbers alone.
func simple(c *cond) bool {
	if c == nil {
		return false
	}
	for _, p := range c.parts {
		if !simple(p) {
			return false
		}
	}
	for _, n := range c.sides {
		if n.kind != "x" && n.kind != "number" && n.kind != "by" {
			return false
		}
	}
	return true
}

// store writes the element.
func (k *random) store(s *spelling) {
	v := s.expr(k.root)
	if k.adds {
		name := s.name()
		s.write("var %s = %s;", name, v)
		s.lines = append(s.lines, fmt.Sprintf("if accumulate { %s += %s[%s]; }", name, s.y, s.index))
		v = name
	}
	s.lines = append(s.lines, fmt.Sprintf("%s[%s] = %s;", s.y, s.index, v))
}
