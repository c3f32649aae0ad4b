package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/pumice-ml/pumice/bench"
)

// comparison is of two systems, each a command that prints lines.
type comparison struct {
	ours, peer    []string
	sample, limit time.Duration
	log           io.Writer

	oursIs, peerIs bench.System
	rows           []string // in the order they came
	oursRan        map[string][]line
	peerRan        map[string][]line
	control        []float64
	skipped        map[string]string
}

// run runs both systems in turn for each group of rows, rounds times over.
func (c *comparison) run(ctx context.Context, groups [][]string, rounds int) error {
	c.oursRan, c.peerRan, c.skipped = map[string][]line{}, map[string][]line{}, map[string]string{}
	for round := range rounds {
		if err := c.measureControl(ctx); err != nil {
			return err
		}
		for _, group := range groups {
			group = slices.DeleteFunc(slices.Clone(group), func(row string) bool { return c.skipped[row] != "" })
			if len(group) == 0 {
				continue
			}
			fmt.Fprintf(c.log, "round %d of %d: %s\n", round+1, rounds, strings.Join(group, " "))
			ours, err := c.process(ctx, c.ours, group, &c.oursIs)
			if err != nil {
				return err
			}
			peer, err := c.process(ctx, c.peer, group, &c.peerIs)
			if err != nil {
				return err
			}
			for i, row := range group {
				if peer[i].Skip != "" {
					c.skipped[row] = peer[i].Skip
					continue
				}
				if err := ours[i].agrees(peer[i]); err != nil {
					return fmt.Errorf("pumice and %s: %w", c.peerIs.Name, err)
				}
				if round == 0 {
					c.rows = append(c.rows, row)
				}
				c.oursRan[row], c.peerRan[row] = append(c.oursRan[row], ours[i]), append(c.peerRan[row], peer[i])
			}
		}
	}
	return nil
}

// control is a row of work for the processors alone that no GPU, driver or peer has
// a part in: where its rounds differ, the machine was not quiet.
const control = "matmul/512"

func (c *comparison) measureControl(ctx context.Context) error {
	g, err := bench.Gonum(control)
	if err != nil {
		return err
	}
	rows, err := bench.Measure(ctx, 1, c.sample, g)
	if err != nil {
		return err
	}
	c.control = append(c.control, rows[0].Median)
	return nil
}

// process runs a system once and returns the lines of the rows, in their order.
func (c *comparison) process(ctx context.Context, words, rows []string, is *bench.System) ([]line, error) {
	ctx, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	args := append(slices.Clone(words[1:]), "--rows", strings.Join(rows, ","), "--sample", fmt.Sprintf("%dms", c.sample.Milliseconds()))
	var out, log bytes.Buffer
	cmd := exec.CommandContext(ctx, words[0], args...)
	cmd.Stdout, cmd.Stderr = &out, &log
	// A first step is to be cold: drivers keep no compiled shaders from one process to
	// the next.
	cmd.Env = append(os.Environ(), "MESA_SHADER_CACHE_DISABLE=true", "__GL_SHADER_DISK_CACHE=0")
	if err := cmd.Run(); err != nil {
		text := log.String()
		return nil, fmt.Errorf("%s: %w\n%s", strings.Join(words, " "), err, text[max(0, len(text)-4000):])
	}
	found := make([]line, len(rows))
	d := json.NewDecoder(&out)
	d.DisallowUnknownFields()
	for d.More() {
		var l line
		if err := d.Decode(&l); err != nil {
			return nil, fmt.Errorf("%s: its lines: %w", strings.Join(words, " "), err)
		}
		i := slices.Index(rows, l.Row)
		switch {
		case l.System != nil:
			*is = *l.System
		case i < 0:
			return nil, fmt.Errorf("%s: row %q, which nobody asked for", strings.Join(words, " "), l.Row)
		default:
			found[i] = l
		}
	}
	for i, l := range found {
		if !(l.Ms > 0) && l.Skip == "" {
			return nil, fmt.Errorf("%s: no time for row %s", strings.Join(words, " "), rows[i])
		}
	}
	return found, nil
}

// report has two rows for each that was measured, Pumice's first, with the ratio.
func (c *comparison) report(command string, rounds int) *bench.Report {
	r := &bench.Report{
		Schema: bench.Schema, Command: command, Date: time.Now().UTC().Truncate(time.Second), Rounds: rounds,
		System: c.oursIs, Peer: &c.peerIs,
	}
	// go run does not note the commit.
	if commit, err := exec.Command("git", "describe", "--always", "--dirty").Output(); err == nil && r.System.Version == "(devel)" {
		r.System.Version = strings.TrimSpace(string(commit))
	}
	both := func(row string, of func(line) float64) {
		samples := func(lines []line) (s []float64) {
			for _, l := range lines {
				s = append(s, of(l))
			}
			return s
		}
		ours := bench.NewRow(row, c.oursIs.Name, "ms", samples(c.oursRan[row])...)
		peer := bench.NewRow(row, c.peerIs.Name, "ms", samples(c.peerRan[row])...)
		ours.Against(peer)
		for _, each := range []*bench.Row{&ours, &peer} {
			if work, unit := bench.Work(row); unit != "" {
				each.Rate, each.RateUnit = 1e3*work/each.Median, unit+"/s"
			}
		}
		r.Rows = append(r.Rows, ours, peer)
	}
	for _, row := range c.rows {
		if strings.HasPrefix(row, "step/") {
			both(row, func(l line) float64 { return l.First })
			for i := len(r.Rows) - 2; i < len(r.Rows); i++ {
				r.Rows[i].Row, r.Rows[i].Rate, r.Rows[i].RateUnit = "first "+row, 0, ""
			}
		}
		both(row, func(l line) float64 { return l.Ms })
	}
	r.Rows = append(r.Rows, bench.NewRow("control: "+control, "gonum", "ms", c.control...))
	return r
}
