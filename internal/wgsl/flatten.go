package wgsl

import "strconv"

// Flatten takes the braces off blocks that stand among other statements, as Unroll and
// Drop leave them, for compilers make a basic block of each: one of SwiftShader takes
// twice as long over them. A name that such a block declares gets a number of its own.
// Blocks that a statement leaves keep their braces, but for the last one of a list, since
// drivers refuse what stands behind a return.
func Flatten(old *Module) *Module {
	f := &flattener{names: old.Names(), last: map[*Block]bool{}}
	made := &Module{Directives: old.Directives, Decls: make([]Decl, len(old.Decls))}
	for i, d := range old.Decls {
		made.Decls[i] = d
		if fn, ok := d.(*Func); ok {
			f.mark(fn.Body.List)
			m := &mapper{}
			m.stmt = func(m *mapper, s Stmt) ([]Stmt, bool) { return f.stmt(m, s) }
			m.local = f.local
			made.Decls[i] = m.function(fn)
			f.renaming = false
		}
	}
	return made
}

// flattener numbers the names of blocks.
type flattener struct {
	names    map[string]bool
	last     map[*Block]bool // those with nothing behind them in their list
	next     int
	renaming bool
	suffix   string
}

// mark finds the last blocks of lists.
func (f *flattener) mark(list []Stmt) {
	for i, s := range list {
		switch s := s.(type) {
		case *Block:
			f.last[s] = i == len(list)-1
			f.mark(s.List)
		case *If:
			f.mark(s.Then.List)
			if b, ok := s.Else.(*Block); ok {
				f.mark(b.List)
			} else if s.Else != nil {
				f.mark([]Stmt{s.Else})
			}
		case *For:
			f.mark(s.Body.List)
		case *While:
			f.mark(s.Body.List)
		case *Loop:
			f.mark(s.Body.List)
		case *Switch:
			for _, c := range s.Cases {
				f.mark(c.Body.List)
			}
		}
	}
}

func (f *flattener) local(name string) string {
	if !f.renaming {
		return name
	}
	return name + f.suffix
}

// stmt gives the statements of a block in its place.
func (f *flattener) stmt(m *mapper, s Stmt) ([]Stmt, bool) {
	b, ok := s.(*Block)
	if !ok {
		return nil, false
	}
	list := b.List
	if f.last[b] && len(list) > 0 {
		list = list[:len(list)-1] // which may leave
	}
	if jumps(list) {
		return nil, false
	}
	before, suffix := f.renaming, f.suffix
	f.renaming, f.suffix = true, f.number(b)
	// The names of the block stay in force behind it, where nobody uses them: they are new.
	locals := len(m.locals)
	list = m.list(b.List)
	m.locals = m.locals[:locals]
	f.renaming, f.suffix = before, suffix
	return list, true
}

// number is a suffix that makes the names that a block declares new ones.
func (f *flattener) number(b *Block) string {
	var declared []string
	w := &mapper{local: func(name string) string {
		declared = append(declared, name)
		return name
	}}
	w.block(b)
	for {
		suffix := "_" + strconv.Itoa(f.next)
		f.next++
		taken := false
		for _, name := range declared {
			taken = taken || f.names[name+suffix]
		}
		if !taken {
			for _, name := range declared {
				f.names[name+suffix] = true
			}
			return suffix
		}
	}
}

// jumps reports whether one of the statements itself leaves the block.
func jumps(list []Stmt) bool {
	for _, s := range list {
		switch s := s.(type) {
		case *Jump, *Return:
			return true
		case *Block:
			if jumps(s.List) {
				return true
			}
		}
	}
	return false
}
