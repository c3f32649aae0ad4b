// Package wgsl reads WGSL into a tree, changes trees, and writes them out. What a pass
// does with a shader is decided by the tree, never by how the text is spelled.
//
// Parse reads the whole language but for what compute shaders have no use for; what it
// does not know is an error with line and column. String writes a tree. Passes are
// functions from tree to tree, one file each: Specialise keeps one entry point and fixes
// constants, Unroll expands counted loops, Drop leaves out branches that are never taken,
// Flatten takes braces off, StoreF16 stores arrays as f16, Rename gives module names.
// Index and Bound say what an invocation works on (see Facts).
//
// A tree is never changed: passes make new nodes and share what stays the same.
package wgsl

// Pos is a place in a text; both count from 1. The zero value is of a node that a pass
// made.
type Pos struct{ Line, Column int }

// Module is a whole text.
type Module struct {
	Directives []string // "enable f16" and the like, without the semicolon
	Decls      []Decl
	Comments   []Comment // of the text, in order; String leaves them out
}

// Comment is a line comment, without the slashes and outer spaces, or a block comment.
type Comment struct {
	Pos
	Text string
}

// Decl is a declaration of a module: *Var, *Const, *Override, *Alias, *Struct, *Func or
// *Assert.
type Decl interface{ declared() string }

// Var is a module-scope variable.
type Var struct {
	Pos
	Attributes []Attribute
	Space      string // uniform, storage, private, workgroup, or "" of a handle
	Access     string // read, write or read_write; "" where the text has none
	Name       string
	Type, Init Expr // nil where there is none
}

// Const is a constant of a module.
type Const struct {
	Pos
	Name       string
	Type, Init Expr // Type is nil where there is none
	From, To   int  // Init's place in the text, in bytes
}

// Override is a pipeline constant.
type Override struct {
	Pos
	Attributes []Attribute
	Name       string
	Type, Init Expr
}

// Alias names a type.
type Alias struct {
	Pos
	Name string
	Type Expr
}

// Struct is a structure.
type Struct struct {
	Pos
	Name   string
	Fields []Field
}

// Field is a member of a structure, or a parameter of a function.
type Field struct {
	Attributes []Attribute
	Name       string
	Type       Expr
}

// Func is a function.
type Func struct {
	Pos
	Notes            []string // the comment lines right above it
	Attributes       []Attribute
	Name             string
	Params           []Field
	ResultAttributes []Attribute
	Result           Expr // nil where there is none
	Body             *Block
}

// Assert is a const_assert, of a module or a function.
type Assert struct {
	Pos
	X Expr
}

// Attribute is @name(args).
type Attribute struct {
	Name string
	Args []Expr
}

func (d *Var) declared() string      { return d.Name }
func (d *Const) declared() string    { return d.Name }
func (d *Override) declared() string { return d.Name }
func (d *Alias) declared() string    { return d.Name }
func (d *Struct) declared() string   { return d.Name }
func (d *Func) declared() string     { return d.Name }
func (d *Assert) declared() string   { return "" }

// Attribute returns the attribute of a name.
func (d *Func) Attribute(name string) (Attribute, bool) { return attribute(d.Attributes, name) }

// Attribute returns the attribute of a name.
func (d *Var) Attribute(name string) (Attribute, bool) { return attribute(d.Attributes, name) }

func attribute(all []Attribute, name string) (Attribute, bool) {
	for _, a := range all {
		if a.Name == name {
			return a, true
		}
	}
	return Attribute{}, false
}

// Func returns the function of a name, or nil.
func (m *Module) Func(name string) *Func {
	for _, d := range m.Decls {
		if f, ok := d.(*Func); ok && f.Name == name {
			return f
		}
	}
	return nil
}

// Const returns the constant of a name, or nil.
func (m *Module) Const(name string) *Const {
	for _, d := range m.Decls {
		if c, ok := d.(*Const); ok && c.Name == name {
			return c
		}
	}
	return nil
}

// Var returns the module-scope variable of a name, or nil.
func (m *Module) Var(name string) *Var {
	for _, d := range m.Decls {
		if v, ok := d.(*Var); ok && v.Name == name {
			return v
		}
	}
	return nil
}

// Expr is an expression or a type: *Ident, *Literal, *Unary, *Binary, *Call, *Index or
// *Member.
type Expr interface{ expr() }

type (
	// Ident is a name, perhaps with a template list: x, array<f32, 4>.
	Ident struct {
		Pos
		Name     string
		Template []Expr
	}
	// Literal is a number, true or false, as it stands in the text.
	Literal struct {
		Pos
		Text string
	}
	// Unary is - ! ~ * or & before an expression.
	Unary struct {
		Pos
		Op string
		X  Expr
	}
	// Binary is an operator between two expressions.
	Binary struct {
		Pos  // of the operator
		Op   string
		X, Y Expr
	}
	// Call calls a function, or makes a value of a type.
	Call struct {
		Pos
		Func *Ident
		Args []Expr
	}
	// Index is X[I].
	Index struct {
		Pos
		X, I Expr
	}
	// Member is X.Name: a field, or components of a vector.
	Member struct {
		Pos
		X    Expr
		Name string
	}
)

func (*Ident) expr()   {}
func (*Literal) expr() {}
func (*Unary) expr()   {}
func (*Binary) expr()  {}
func (*Call) expr()    {}
func (*Index) expr()   {}
func (*Member) expr()  {}

// Stmt is a statement: *Block, *If, *Switch, *Loop, *For, *While, *Jump, *Return, *Local,
// *Assign, *Step, *Do or *Assert.
type Stmt interface{ stmt() }

type (
	// Block is statements in braces.
	Block struct {
		Pos
		List []Stmt
	}
	// If is an if statement; Else is nil, another *If, or a *Block.
	If struct {
		Pos
		Cond Expr
		Then *Block
		Else Stmt
	}
	// Switch is a switch statement.
	Switch struct {
		Pos
		X     Expr
		Cases []Case
	}
	// Case is a part of a switch; a selector that is the name default stands for itself.
	Case struct {
		Selectors []Expr
		Body      *Block
	}
	// Loop is a loop statement.
	Loop struct {
		Pos
		Body       *Block
		Continuing *Block // nil where there is none
		BreakIf    Expr   // at the end of Continuing, nil where there is none
	}
	// For is a for statement. Init, Cond and Post are nil where there are none.
	For struct {
		Pos
		Init   Stmt
		Cond   Expr
		Post   Stmt
		Body   *Block
		Unroll bool // the line above it is the comment "unroll"
	}
	// While is a while statement.
	While struct {
		Pos
		Cond Expr
		Body *Block
	}
	// Jump is break, continue or discard.
	Jump struct {
		Pos
		Word string
	}
	// Return is a return statement; X is nil where it returns nothing.
	Return struct {
		Pos
		X Expr
	}
	// Local is a let, var or const of a function.
	Local struct {
		Pos
		Word       string
		Name       string
		Type, Init Expr // nil where there is none
	}
	// Assign is L Op R, where Op is = or a compound one. L is the name _ of a phony one.
	Assign struct {
		Pos
		Op   string
		L, R Expr
	}
	// Step is L++ or L--.
	Step struct {
		Pos
		Op string
		L  Expr
	}
	// Do is a call as a statement.
	Do struct {
		Pos
		Call *Call
	}
)

func (*Block) stmt()  {}
func (*If) stmt()     {}
func (*Switch) stmt() {}
func (*Loop) stmt()   {}
func (*For) stmt()    {}
func (*While) stmt()  {}
func (*Jump) stmt()   {}
func (*Return) stmt() {}
func (*Local) stmt()  {}
func (*Assign) stmt() {}
func (*Step) stmt()   {}
func (*Do) stmt()     {}
func (*Assert) stmt() {}
