//go:build js

package main

import "io"

// bar is nothing in a browser, which has no terminal.
type bar struct{}

func newBar(io.Writer, int, string) *bar { return nil }

func (b *bar) set(int, float64) {}

func (b *bar) close() {}
