package shader

import (
	"fmt"

	"github.com/pumice-ml/pumice/internal/wgsl"
)

// Part is an entry point of a text that Join makes.
type Part struct {
	Shader *Shader
	Entry  Entry
	Text   string    // as Specialize writes it, with params
	Groups [3]uint32 // workgroups in x, y and z
	// Bindings are the numbers that the entry point's bindings have in the joined text;
	// bindings of one number are one variable.
	Bindings []int
}

// Joinable reports whether Join takes an entry point: one that needs nothing of a
// workgroup but its size, in x.
func (s *Shader) Joinable(e Entry) bool {
	if e.Subgroup || e.Workgroup[1] != 1 || e.Workgroup[2] != 1 {
		return false
	}
	for _, p := range s.module.Func(e.Name).Params {
		if builtin(p, 1) == nil {
			return false
		}
	}
	for name := range s.module.Reach(e.Name) {
		v := s.module.Var(name)
		if v != nil && v.Space == "workgroup" || wgsl.Barrier(s.module, name) {
			return false
		}
	}
	return true
}

// builtin is what a part whose workgroups have so many invocations gets for a parameter,
// a built-in value; nil is none that Join knows.
func builtin(p wgsl.Field, block int) wgsl.Expr {
	text := ""
	for _, a := range p.Attributes {
		if a.Name == "builtin" && len(a.Args) == 1 {
			text = map[string]string{
				"global_invocation_id":   fmt.Sprintf("vec3<u32>(wid.x * %du + lane, wid.y, wid.z)", block),
				"workgroup_id":           "wid",
				"num_workgroups":         "groups",
				"local_invocation_id":    "vec3<u32>(lane, 0u, 0u)",
				"local_invocation_index": "lane",
			}[wgsl.Text(a.Args[0])]
		}
	}
	x, err := wgsl.ParseExpr(text)
	if err != nil {
		return nil
	}
	return x
}

// Join writes the text of an entry point, called join, whose workgroups do the work of
// those of several entry points, one after the other in x; and how many there are. A
// part whose workgroup is one invocation leaves the others of it idle; the rest have
// workgroups of one size.
func Join(parts []Part) (text string, workgroups, block int, err error) {
	block = 1
	modules := make([]*wgsl.Module, len(parts))
	var words []string
	for i, p := range parts {
		block = max(block, p.Entry.Workgroup[0])
		if modules[i], err = wgsl.Parse(p.Text); err != nil {
			return "", 0, 0, fmt.Errorf("shader: Join: %s.%s:%w", p.Shader.Name, p.Entry.Name, err)
		}
		words = append(words, fmt.Sprintf("p%d_", i))
	}
	prefix := wgsl.FreshPrefix(append(words, "joined_"), modules...)
	made, declared := &wgsl.Module{}, map[int]bool{}
	var body []wgsl.Stmt
	for i, p := range parts {
		if !p.Shader.Joinable(p.Entry) || p.Entry.Workgroup[0] != block && p.Entry.Workgroup[0] != 1 {
			return "", 0, 0, fmt.Errorf("shader: Join: %s.%s cannot be a part", p.Shader.Name, p.Entry.Name)
		}
		for _, d := range modules[i].Directives {
			made = wgsl.Enable(made, d)
		}
		names := map[string]string{}
		for _, d := range modules[i].Decls {
			if name := wgsl.Name(d); name != "" {
				names[name] = fmt.Sprintf("%sp%d_%s", prefix, i, name)
			}
		}
		for k, b := range p.Entry.Bindings {
			names[b.Name] = fmt.Sprintf("%sjoined_%d", prefix, p.Bindings[k])
			if !declared[p.Bindings[k]] { // the type is the text's, which StoreF16 may have changed
				v, err := wgsl.Binding(p.Bindings[k], b.Access, names[b.Name], wgsl.Text(modules[i].Var(b.Name).Type))
				if err != nil {
					return "", 0, 0, fmt.Errorf("shader: Join: %w", err)
				}
				made.Decls = append(made.Decls, v)
			}
			declared[p.Bindings[k]] = true
		}
		entry := modules[i].Func(p.Entry.Name)
		call := wgsl.NewCall(names[p.Entry.Name])
		for _, param := range entry.Params {
			call.Args = append(call.Args, builtin(param, p.Entry.Workgroup[0]))
		}
		for _, d := range wgsl.Rename(wgsl.Replace(modules[i], wgsl.Plain(entry)), names).Decls {
			if v, ok := d.(*wgsl.Var); !ok || v.Space != "storage" {
				made.Decls = append(made.Decls, d)
			}
		}
		count := int(p.Groups[0]) * int(p.Groups[1]) * int(p.Groups[2])
		part, err := wgsl.ParseStatements(partText(p, block, workgroups, count))
		if err != nil {
			return "", 0, 0, fmt.Errorf("shader: Join: %w", err)
		}
		inside := part[0].(*wgsl.If)
		inside.Then.List = append(inside.Then.List, &wgsl.Do{Call: call})
		body = append(body, inside)
		workgroups += count
	}
	made.Decls = append(made.Decls, joinEntry(block, body))
	return made.String(), workgroups, block, nil
}

// partText is the if statement that finds the workgroups of a part, from one on.
func partText(p Part, block, from, count int) string {
	condition := fmt.Sprintf("(all.x >= %du) & (all.x < %du)", from, from+count)
	if p.Entry.Workgroup[0] < block {
		condition += " & (lane == 0u)"
	}
	return fmt.Sprintf("if %s { let w = all.x - %du; let groups = vec3<u32>(%du, %du, %du); let wid = vec3<u32>(w %% groups.x, w / groups.x %% groups.y, w / (groups.x * groups.y)); }",
		condition, from, p.Groups[0], p.Groups[1], p.Groups[2])
}

// joinEntry is the entry point of a joined text.
func joinEntry(block int, body []wgsl.Stmt) *wgsl.Func {
	f := wgsl.NewFunc("join", "", []string{"all", "lane"}, []string{"vec3<u32>", "u32"}, body...)
	f.Attributes = []wgsl.Attribute{{Name: "compute"}, {Name: "workgroup_size", Args: []wgsl.Expr{&wgsl.Literal{Text: fmt.Sprint(block)}}}}
	for i, name := range []string{"workgroup_id", "local_invocation_index"} {
		f.Params[i].Attributes = []wgsl.Attribute{{Name: "builtin", Args: []wgsl.Expr{&wgsl.Ident{Name: name}}}}
	}
	return f
}
