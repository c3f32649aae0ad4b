// Compare runs another system and Pumice in turn, A B A B, each in a process of its
// own in every round, checks that both computed the same numbers, and writes what
// came of it as a table. bench/README.md says how to install the other systems.
//
//	go run ./bench/compare --peer tfjs --rounds 5 --out docs/benchmarks/tfjs.md
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pumice-ml/pumice/bench"
	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/safetensors"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := command(os.Stdout).ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

type options struct {
	peer, device  string
	rows          string
	rounds        int
	sample, limit time.Duration
	node, python  string
	args, peers   string
	out, system   string
}

func command(out io.Writer) *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "compare --peer tfjs|ort|torch|gonum|gomlx",
		Short: "Measure another system and Pumice in turn, and check that they agree",
		Args:  cobra.NoArgs, SilenceUsage: true, SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), cmd.OutOrStdout()) },
	}
	cmd.SetOut(out)
	f := cmd.Flags()
	f.StringVar(&o.peer, "peer", "", "tfjs, ort, torch, gonum or gomlx")
	f.StringVar(&o.device, "device", "", "part of the name of Pumice's adapter; the best one if empty")
	f.StringVar(&o.rows, "rows", "*/*", "patterns of the rows to measure, separated by commas, as step/*,conv-?/dw")
	f.IntVar(&o.rounds, "rounds", 5, "processes of each system for each group of rows")
	f.DurationVar(&o.sample, "sample", 300*time.Millisecond, "time that a row is measured in each round; longer where one run takes longer")
	f.DurationVar(&o.limit, "limit", 10*time.Minute, "longest time of one process")
	f.StringVar(&o.node, "node", "node", "the program that runs tfjs and ort")
	f.StringVar(&o.python, "python", "python3", "the program that runs torch")
	f.StringVar(&o.args, "args", "", `more arguments for the peer, as "--device cuda"`)
	f.StringVar(&o.peers, "peers", "bench/peers", "the folder of the peers' scripts")
	f.StringVar(&o.out, "out", "", "write the table as Markdown to a file, and the report as JSON beside it")
	f.StringVar(&o.system, "system", "", "")
	if err := f.MarkHidden("system"); err != nil {
		panic(err)
	}
	return cmd
}

func (o *options) run(ctx context.Context, out io.Writer) error {
	if o.sample <= 0 || o.limit <= 0 {
		return fmt.Errorf("--sample %v, --limit %v, want positive times", o.sample, o.limit)
	}
	switch o.system { // this process is one of a round
	case "pumice":
		return pumice(ctx, out, compute.Want{Name: o.device}, strings.Split(o.rows, ","), o.sample)
	case "gonum":
		return gonum(ctx, out, strings.Split(o.rows, ","), o.sample)
	}
	if o.rounds < 1 {
		return fmt.Errorf("--rounds %d, want 1 or more", o.rounds)
	}
	if o.out != "" && path.Ext(o.out) != ".md" {
		return fmt.Errorf("--out %q, want a name that ends in .md", o.out)
	}
	peer, rows, err := o.program()
	if err != nil {
		return err
	}
	ours, err := o.self("pumice")
	if err != nil {
		return err
	}
	if o.device != "" {
		ours = append(ours, "--device", o.device)
	}
	c := &comparison{limit: o.limit, sample: o.sample, ours: ours, peer: peer, log: os.Stderr}
	if rows, err = match(o.rows, rows); err != nil {
		return err
	}
	if err := c.run(ctx, groups(rows), o.rounds); err != nil {
		return err
	}
	build, _ := debug.ReadBuildInfo()
	report := c.report(typed(build, os.Getenv("VK_DRIVER_FILES"), os.Args[1:]), o.rounds)
	if err := writeMarkdown(out, report, c.skipped); err != nil || o.out == "" {
		return err
	}
	return errors.Join(
		safetensors.WriteDurable(o.out, func(w io.Writer) error { return writeMarkdown(w, report, c.skipped) }),
		safetensors.WriteDurable(strings.TrimSuffix(o.out, ".md")+".json", report.WriteJSON),
	)
}

// program is the command of the peer, and the rows it may have.
func (o *options) program() (words, rows []string, err error) {
	script := func(program, file string) []string {
		return append([]string{program, path.Join(o.peers, file)}, strings.Fields(o.args)...)
	}
	operations := slices.Concat(bench.MatMulNames, bench.ConvNames, bench.LinearNames)
	all := slices.Concat(bench.StepNames, operations)
	switch o.peer {
	case "tfjs":
		return script(o.node, "tfjs.mjs"), all, nil
	case "torch":
		return script(o.python, "pytorch.py"), all, nil
	case "ort":
		forward := slices.DeleteFunc(slices.Clone(operations), func(row string) bool {
			return strings.HasSuffix(row, "/dx") || strings.HasSuffix(row, "/dw")
		})
		return script(o.node, "ort.mjs"), forward, nil
	case "gomlx":
		return append([]string{"go", "run", "-C", path.Join(o.peers, "gomlx"), "."}, strings.Fields(o.args)...), all, nil
	case "gonum":
		words, err = o.self("gonum")
		return words, slices.Concat(bench.MatMulNames, bench.LinearNames), err
	}
	return nil, nil, fmt.Errorf("--peer %q, want tfjs, ort, torch, gonum or gomlx", o.peer)
}

// self is this program as a system.
func (o *options) self(system string) ([]string, error) {
	program, err := os.Executable()
	return []string{program, "--system", system}, err
}

// match returns the rows that fit a pattern.
func match(patterns string, rows []string) (fit []string, err error) {
	for _, row := range rows {
		for pattern := range strings.SplitSeq(patterns, ",") {
			ok, err := path.Match(pattern, row)
			if err != nil {
				return nil, fmt.Errorf("--rows %q: %w", patterns, err)
			}
			if ok {
				fit = append(fit, row)
				break
			}
		}
	}
	if len(fit) == 0 {
		return nil, fmt.Errorf("--rows %q fits none of %s", patterns, strings.Join(rows, ", "))
	}
	return fit, nil
}

// groups are rows that share a process: steps have one each, so that their first
// step is one of a new process.
func groups(rows []string) (list [][]string) {
	var rest []string
	for _, row := range rows {
		if strings.HasPrefix(row, "step/") {
			list = append(list, []string{row})
		} else {
			rest = append(rest, row)
		}
	}
	if len(rest) > 0 {
		list = append(list, rest)
	}
	return list
}

// typed is the command of a program built so and run with these drivers and arguments.
func typed(build *debug.BuildInfo, drivers string, args []string) string {
	words := []string{"go", "run"}
	if drivers != "" {
		words = append([]string{"VK_DRIVER_FILES=" + quoted([]string{drivers})[0]}, words...)
	}
	if build != nil {
		for _, s := range build.Settings {
			if s.Key == "-tags" && s.Value != "" {
				words = append(words, "-tags", s.Value)
			}
		}
	}
	return strings.Join(append(append(words, "./bench/compare"), quoted(args)...), " ")
}

// quoted are arguments as a shell takes them.
func quoted(args []string) []string {
	q := slices.Clone(args)
	for i, a := range q {
		if strings.ContainsAny(a, " *?[") {
			q[i] = "'" + a + "'"
		}
	}
	return q
}
