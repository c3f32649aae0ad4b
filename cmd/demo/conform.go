package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/conform"
	"github.com/pumice-ml/pumice/internal/engine"
	"github.com/pumice-ml/pumice/safetensors"
	"github.com/pumice-ml/pumice/suite"
)

// errIllegal is the exit status of a report that is not clean.
var errIllegal = errors.New("the adapter does not conform")

type conformOptions struct {
	choices
	all, passes, failFast  bool
	variants, f16          bool
	kernel, expect         string
	json, junit, html, one string
	functions, exhaustive  bool
	repro                  string
	state                  string
	seed                   uint32
}

func conformCommand() *cobra.Command {
	var o conformOptions
	cmd := &cobra.Command{
		Use:   "conform",
		Short: "Check every kernel on an adapter against its definition, with derived bounds",
		Long: `Conform runs every layer, loss and optimizer with shapes and values that hurt, and
judges each element that each kernel writes by the kernel's definition in float64
and the error bounds that follow from the WGSL specification. The exit status is 1
where an element is illegal. See docs/conformance.md.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), cmd.OutOrStdout()) },
	}
	f := cmd.Flags()
	o.deviceFlags(f)
	f.BoolVar(&o.all, "all", false, "every adapter, one after the other")
	f.StringVar(&o.kernel, "kernel", "", `only kernels or layers that match, as "matmul.*"`)
	f.StringVar(&o.one, "case", "", "only the case of a name, as reports give it")
	f.BoolVar(&o.variants, "variants", true, "also with each variant of the kernels, and without any")
	f.BoolVar(&o.passes, "passes", true, "also with each pass of the compiler left out")
	f.BoolVar(&o.f16, "f16", true, "also with tensors stored as f16, where the adapter has shader-f16")
	f.BoolVar(&o.failFast, "fail-fast", false, "stop at the first case that is illegal")
	f.Uint32Var(&o.seed, "seed", 7, "seed of the values")
	f.StringVar(&o.json, "json", "", "write the report as JSON to a file")
	f.StringVar(&o.junit, "junit", "", "write the report as JUnit XML to a file")
	f.StringVar(&o.html, "html", "", "write the report as an HTML page to a file")
	f.StringVar(&o.repro, "repro", "", "write a folder that shows the worst illegal case alone, made as small as it goes")
	f.StringVar(&o.expect, "expect", "", "file of known failures")
	f.BoolVar(&o.functions, "functions", false, "measure the accuracy of functions of one number, on 43 million inputs each")
	f.BoolVar(&o.exhaustive, "exhaustive", false, "the same on all 2^32 inputs")
	f.StringVar(&o.state, "state", "", "file that --functions and --exhaustive keep what they found in, and go on from")
	cmd.AddCommand(&cobra.Command{
		Use: "diff A.json B.json", Short: "Show what changed between two reports", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := conform.ReadReport(args[0])
			if err != nil {
				return err
			}
			b, err := conform.ReadReport(args[1])
			if err != nil {
				return err
			}
			return conform.WriteDiff(cmd.OutOrStdout(), conform.Diff(a, b))
		},
	}, &cobra.Command{
		Use: "practice REPORT.json ...", Short: "Print how far adapters that conform are off, kernel by kernel", Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var reports []*conform.Report
			for _, file := range args {
				r, err := conform.ReadReport(file)
				if err != nil {
					return err
				}
				if !r.OK() {
					return fmt.Errorf("report %s: %s", file, r.Summary())
				}
				reports = append(reports, r)
			}
			e := json.NewEncoder(cmd.OutOrStdout())
			e.SetIndent("", " ")
			return e.Encode(conform.Practise(reports...))
		},
	})
	return cmd
}

func (o *conformOptions) run(ctx context.Context, out io.Writer) error {
	if o.device == "reference" {
		return fmt.Errorf("--device reference: it is what adapters are compared with")
	}
	if o.functions || o.exhaustive {
		return o.measure(ctx, out)
	}
	for _, path := range []string{o.json, o.junit, o.html} {
		if info, err := os.Stat(filepath.Dir(path)); path != "" && (err != nil || !info.IsDir()) {
			return fmt.Errorf("report: %s: there is no folder %s", path, filepath.Dir(path))
		}
	}
	options := conform.Options{Seed: o.seed, Match: o.kernel, Passes: o.passes, Variants: o.variants, F16: o.f16, FailFast: o.failFast}
	ops := suite.Ops()
	if o.one != "" {
		c, err := conform.Find(ops, o.one)
		if err != nil {
			return err
		}
		options.Cases, options.Passes, options.Variants, options.F16 = []conform.Case{c}, false, false, false
	}
	if o.expect != "" {
		var err error
		if options.Expected, err = conform.ReadExpectations(o.expect, time.Now()); err != nil {
			return err
		}
	}
	devices := []string{o.device}
	if o.all {
		infos, err := compute.Adapters(ctx)
		if err != nil {
			return err
		}
		devices = nil
		for _, i := range infos {
			devices = append(devices, i.Name)
		}
		slices.Sort(devices)
		devices = slices.Compact(devices)
	}
	ok := true
	for i, name := range devices {
		file := func(path string) string { return path }
		if len(devices) > 1 { // report.json becomes report.2.json
			file = func(path string) string {
				ext := filepath.Ext(path)
				return fmt.Sprintf("%s.%d%s", strings.TrimSuffix(path, ext), i+1, ext)
			}
		}
		clean, err := o.check(ctx, out, name, ops, options, file)
		if err != nil {
			return err
		}
		ok = ok && clean
	}
	if !ok {
		return errIllegal
	}
	return nil
}

// check checks one device and writes its reports.
func (o *conformOptions) check(ctx context.Context, out io.Writer, name string, ops []conform.Op, options conform.Options, file func(string) string) (bool, error) {
	c := choices{device: name, limits: o.limits}
	dev, why, err := c.open(ctx)
	if err != nil {
		return false, err
	}
	defer dev.Close()
	if dev.IsReference() {
		return false, fmt.Errorf("there is nothing to check: %w\n%s", compute.ErrNoAdapter, engine.DriverHelp)
	}
	fmt.Fprintln(out, "device:", why)
	told := time.Now()
	if isTerminal(out) {
		options.Progress = func(done, all int) {
			if done == all {
				fmt.Fprintf(out, "\r%60s\r", "")
			} else if time.Since(told) > 100*time.Millisecond {
				told = time.Now()
				fmt.Fprintf(out, "\r%d of %d cases", done, all)
			}
		}
	}
	report, err := conform.Run(ctx, dev, ops, options)
	if err != nil {
		return false, err
	}
	if o.kernel == "" && o.one == "" {
		if report.Drifts, err = suite.Drifts(ctx, dev); err != nil {
			return false, err
		}
	}
	if len(report.Cases) == 0 {
		return false, fmt.Errorf("--kernel %q matches no kernel and no layer", o.kernel)
	}
	if err := report.WriteTable(out); err != nil {
		return false, err
	}
	for _, w := range []struct {
		path  string
		write func(io.Writer) error
	}{{o.json, report.WriteJSON}, {o.junit, report.WriteJUnit}, {o.html, report.WriteHTML}} {
		if w.path == "" {
			continue
		}
		if err := safetensors.WriteDurable(file(w.path), w.write); err != nil {
			return false, fmt.Errorf("report: %w", err)
		}
		fmt.Fprintln(out, "wrote", file(w.path))
	}
	if bad := report.Bad(); o.repro != "" && len(bad) > 0 && bad[0].Verdict == conform.Illegal {
		name, _, _ := strings.Cut(bad[0].Name, "/without=")
		c, err := conform.Find(ops, name)
		if err != nil {
			return false, err
		}
		if c, _, err = conform.Minimise(ctx, dev, c); err != nil {
			return false, err
		}
		if err := conform.WriteRepro(ctx, dev, c, file(o.repro)); err != nil {
			return false, err
		}
		fmt.Fprintf(out, "wrote %s: %s\n", file(o.repro), c.Name())
	}
	return report.OK(), nil
}
