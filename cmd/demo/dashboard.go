//go:build !js

package main

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	tea "github.com/charmbracelet/bubbletea"
)

// dashboard is a run on a terminal: curves, speed, time left and memory, drawn anew in
// place, below the lines that are printed meanwhile.
type dashboard struct {
	out     io.Writer
	program *tea.Program
	ended   chan struct{}
	signals chan os.Signal
}

// newDashboard starts to draw. The terminal stays as it is but for its cursor: Ctrl-C
// reaches the process as ever. A second one restores the cursor before it ends it.
func newDashboard(out io.Writer, c caption) *dashboard {
	d := &dashboard{out: out, ended: make(chan struct{}), signals: make(chan os.Signal, 2)}
	d.program = tea.NewProgram(board{caption: c}, tea.WithOutput(out), tea.WithInput(nil), tea.WithoutSignalHandler(), tea.WithFPS(10))
	signal.Notify(d.signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		defer close(d.ended)
		_, _ = d.program.Run() // training goes on without
		d.program.Kill()       // so that nobody waits to send
	}()
	go func() {
		for n := 1; ; n++ {
			select {
			case <-d.ended:
				return
			case <-d.signals:
				if n > 1 {
					d.program.Kill()
					<-d.ended
					os.Exit(130)
				}
			}
		}
	}()
	return d
}

func (d *dashboard) progress(s sample) { d.program.Send(s) }

// println prints a line above, also where the drawing has ended, for which
// tea.Program.Println would wait.
func (d *dashboard) println(text string) {
	select {
	case <-d.ended:
		fmt.Fprintln(d.out, text)
	default:
		d.program.Send(tea.Println(text)())
	}
}

// evaluated adds a point to the test curves.
func (d *dashboard) evaluated(p point) { d.program.Send(p) }

// close takes the dashboard away and restores the terminal.
func (d *dashboard) close() {
	d.program.Send(gone{})
	<-d.ended
	signal.Stop(d.signals)
}
