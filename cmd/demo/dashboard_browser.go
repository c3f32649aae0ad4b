//go:build js

package main

import (
	"fmt"
	"io"
)

// dashboard is plain lines in a browser, which has no terminal.
type dashboard struct{ out io.Writer }

func newDashboard(out io.Writer, _ caption) *dashboard { return &dashboard{out} }

func (*dashboard) progress(sample) {}

func (*dashboard) evaluated(point) {}

func (d *dashboard) println(text string) { fmt.Fprintln(d.out, text) }

func (*dashboard) close() {}
