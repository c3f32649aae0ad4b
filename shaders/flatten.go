package shaders

import (
	"bytes"
	"strconv"
	"strings"
)

// flatten takes the braces off the blocks that unroll and decide leave, for compilers
// make a basic block of each: one of SwiftShader takes twice as long over them. A name
// that a block declares gets a number of its own. Blocks that a statement leaves keep
// their braces, for older drivers refuse what stands behind a return, and so do blocks
// with a name that meant something else before they declare it.
func flatten(text string) string {
	type block struct {
		at    int // of its brace in out
		plain bool
		names []string
	}
	var open []block
	out := make([]byte, 0, len(text))
	last := byte(0)        // before the one at hand, without spaces
	blocks := unused(text) // the number of the next
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case strings.HasPrefix(text[i:], "//"):
			end := strings.IndexByte(text[i:], '\n')
			if end < 0 {
				end = len(text) - i
			}
			out = append(out, text[i:i+end]...)
			i += end - 1
			continue
		case c == '{':
			open = append(open, block{len(out), len(open) > 0 && (last == ';' || last == '{' || last == '}'), nil})
		case c == '}' && len(open) > 0:
			b := open[len(open)-1]
			open = open[:len(open)-1]
			if body := string(out[b.at+1:]); b.plain && !shadows(body, b.names) {
				out = out[:b.at]
				for _, name := range b.names {
					body = strings.Join(splitAt(body, name), name+"_"+strconv.Itoa(blocks))
				}
				blocks++
				if line := bytes.TrimRight(out, " "); strings.HasPrefix(body, "\n") && bytes.HasSuffix(line, []byte("\n")) {
					out, body = line, strings.TrimPrefix(body, "\n")
				}
				out = append(out, body...)
				last = c
				continue
			}
		case word(c) && (i == 0 || !word(text[i-1]) && text[i-1] != '.') && len(open) > 0:
			b := &open[len(open)-1]
			end := i
			for end < len(text) && word(text[end]) {
				end++
			}
			switch text[i:end] {
			case "return", "break", "continue", "discard":
				b.plain = false
			case "let", "var", "const":
				name := strings.TrimLeft(text[end:], " ")
				n := 0
				for n < len(name) && word(name[n]) {
					n++
				}
				b.names = append(b.names, name[:n])
			}
			out = append(out, text[i:end]...)
			i, last = end-1, 'a'
			continue
		}
		if line := bytes.TrimRight(out, " "); c == '\n' && len(open) > 0 && bytes.HasSuffix(line, []byte("\n")) {
			out = line // it is empty
			continue
		}
		out = append(out, c)
		if c > ' ' {
			last = c
		}
	}
	return string(out)
}

// shadows reports whether a block uses one of the names before it has declared it.
func shadows(body string, names []string) bool {
	for _, name := range names {
		before := splitAt(body, name)[0]
		rest := body[min(len(body), len(before)+len(name)):]
		if w := strings.TrimRight(before, " "); !strings.HasSuffix(w, "let") && !strings.HasSuffix(w, "var") && !strings.HasSuffix(w, "const") {
			return true
		}
		if declaration, _, ok := strings.Cut(rest, ";"); !ok || len(splitAt(declaration, name)) > 1 {
			return true
		}
	}
	return false
}

// unused is a number from which on no name of the text has one behind an underscore.
func unused(text string) (n int) {
	for i := range len(text) {
		if text[i] != '_' {
			continue
		}
		end := i + 1
		for end < len(text) && '0' <= text[end] && text[end] <= '9' {
			end++
		}
		if v, err := strconv.Atoi(text[i+1 : end]); err == nil && v < 1<<30 {
			n = max(n, v+1)
		}
	}
	return n
}
