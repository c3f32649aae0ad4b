package shaders

import (
	"fmt"
	"regexp"
	"strings"
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
	for _, f := range s.functions {
		if f.name != e.Name {
			continue
		}
		for _, m := range builtinPattern.FindAllStringSubmatch(s.code[f.span.from:f.span.to], -1) {
			if _, ok := builtins[m[1]]; !ok {
				return false
			}
		}
	}
	uses := s.reach(e.Name)
	for _, m := range variablePattern.FindAllStringSubmatch(s.code, -1) {
		if m[1] == "workgroup" && uses[m[2]] {
			return false
		}
	}
	return !uses["workgroupBarrier"] && !uses["storageBarrier"]
}

var (
	builtinPattern  = regexp.MustCompile(`@builtin\((\w+)\)\s*`)
	variablePattern = regexp.MustCompile(`(?m)^var<(private|workgroup)>\s+(\w+)`)
	structsPattern  = regexp.MustCompile(`struct\s+(\w+)\s*\{[^}]*\}`)
	computePattern  = regexp.MustCompile(`@compute\s+@workgroup_size\([^)]*\)\s*`)
)

// builtins are what a part gets for the built-in values of an entry point.
var builtins = map[string]string{
	"global_invocation_id":   "vec3<u32>(wid.x * %du + lane, wid.y, wid.z)",
	"workgroup_id":           "wid",
	"num_workgroups":         "groups",
	"local_invocation_id":    "vec3<u32>(lane, 0u, 0u)",
	"local_invocation_index": "lane",
}

// Join writes the text of an entry point, called join, whose workgroups do the work of
// those of several entry points, one after the other in x; and how many there are. A
// part whose workgroup is one invocation leaves the others of it idle; the rest have
// workgroups of one size.
func Join(parts []Part) (text string, workgroups, block int, err error) {
	var body, out strings.Builder
	enable := ""
	declared := map[int]bool{}
	block = 1
	for _, p := range parts {
		block = max(block, p.Entry.Workgroup[0])
	}
	for i, p := range parts {
		if !p.Shader.Joinable(p.Entry) || p.Entry.Workgroup[0] != block && p.Entry.Workgroup[0] != 1 {
			return "", 0, 0, fmt.Errorf("shaders: Join: %s.%s cannot be a part", p.Shader.Name, p.Entry.Name)
		}
		names := p.Shader.names(fmt.Sprintf("p%d_", i))
		for _, b := range p.Shader.Bindings[1:] {
			names[b.Name] = fmt.Sprintf("p%d_%s", i, b.Name)
		}
		code, half := strings.CutPrefix(blankComments(p.Text), EnableF16)
		if half {
			enable = EnableF16
		}
		for k, b := range p.Entry.Bindings {
			names[b.Name] = fmt.Sprintf("joined_%d", p.Bindings[k])
			declaration := regexp.MustCompile(`@group\(0\)\s*@binding\(\d+\)\s*var<[^>]*>\s+` + b.Name + `\s*:\s*([^;]*);`)
			if !declared[p.Bindings[k]] { // the type is the text's, which StoreF16 may have changed
				fmt.Fprintf(&out, "@group(0) @binding(%d) var<storage, %s> joined_%d: %s;\n", p.Bindings[k], b.Access, p.Bindings[k], declaration.FindStringSubmatch(code)[1])
			}
			code = declaration.ReplaceAllString(code, "")
			declared[p.Bindings[k]] = true
		}
		var arguments []string
		head := regexp.MustCompile(`fn\s+` + p.Entry.Name + `\s*\(([^{]*)\{`).FindString(code)
		for _, m := range builtinPattern.FindAllStringSubmatch(head, -1) {
			arguments = append(arguments, strings.ReplaceAll(builtins[m[1]], "%d", fmt.Sprint(p.Entry.Workgroup[0])))
		}
		code = computePattern.ReplaceAllString(code, "")
		code = strings.Replace(code, head, builtinPattern.ReplaceAllString(head, ""), 1)
		out.WriteString(rename(code, names))
		count := int(p.Groups[0]) * int(p.Groups[1]) * int(p.Groups[2])
		condition := fmt.Sprintf("(all.x >= %du) & (all.x < %du)", workgroups, workgroups+count)
		if p.Entry.Workgroup[0] < block {
			condition += " & (lane == 0u)"
		}
		fmt.Fprintf(&body, "    if %s {\n        let w = all.x - %du;\n        let groups = vec3<u32>(%du, %du, %du);\n        let wid = vec3<u32>(w %% groups.x, w / groups.x %% groups.y, w / (groups.x * groups.y));\n        %s(%s);\n    }\n",
			condition, workgroups, p.Groups[0], p.Groups[1], p.Groups[2], names[p.Entry.Name], strings.Join(arguments, ", "))
		workgroups += count
	}
	fmt.Fprintf(&out, "\n@compute @workgroup_size(%d)\nfn join(@builtin(workgroup_id) all: vec3<u32>, @builtin(local_invocation_index) lane: u32) {\n%s}\n", block, body.String())
	return enable + out.String(), workgroups, block, nil
}

// rename gives identifiers of a module other names, but not fields.
func rename(code string, names map[string]string) string {
	var out strings.Builder
	from := 0
	bodies := structsPattern.FindAllStringSubmatchIndex(code, -1)
	for _, at := range identPattern.FindAllStringIndex(code, -1) {
		name, ok := names[code[at[0]:at[1]]]
		if !ok || at[0] > 0 && (code[at[0]-1] == '.' || '0' <= code[at[0]-1] && code[at[0]-1] <= '9') {
			continue
		}
		for len(bodies) > 0 && at[0] >= bodies[0][1] {
			bodies = bodies[1:]
		}
		if len(bodies) > 0 && at[0] > bodies[0][3] {
			continue // a field's declaration
		}
		out.WriteString(code[from:at[0]])
		out.WriteString(name)
		from = at[1]
	}
	out.WriteString(code[from:])
	return out.String()
}
