package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/pumice-ml/pumice/safetensors"
	"github.com/pumice-ml/pumice/train"
	"github.com/pumice-ml/pumice/train/data"
	"github.com/pumice-ml/pumice/train/search"
)

type searchOptions struct {
	trainOptions
	space       string
	trials, eta int
	onLine      []*pflag.Flag // those on the command line
}

func searchCommand() *cobra.Command {
	var o searchOptions
	cmd := &cobra.Command{
		Use:   "search",
		Short: "Try settings of train at random, the better ones longer",
		Long: `Search draws settings of train from --space and compares them by successive halving:
all trials are trained for a few epochs, the best half of them goes on for twice as
many, and so on up to --epochs (Jamieson and Talwalkar 2016). A sixth of the training
set is left out to judge by; the test set is not looked at. A trial that diverges is
ranked last. The output folder gets search.csv. The same flags give the same trials.

The space is settings with commas between them, each named as the flag of train:
lr=1e-4..1e-1 is log-uniform, x=0..0.5 and x=uniform:0.1..0.5 uniform, and
optimizer=adam|sgd one of the values. Other flags of train hold for all trials.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cmd.Flags().Visit(func(f *pflag.Flag) { o.onLine = append(o.onLine, f) })
			return o.search(cmd.Context(), cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	o.deviceFlags(f)
	o.dataFlags(f, "")
	f.StringVar(&o.out, "out", defaultOut, "folder for search.csv")
	o.dtypeFlag(f, true)
	o.trainOptions.flags(f)
	epochs := f.Lookup("epochs")
	o.epochs, epochs.DefValue, epochs.Usage = 4, "4", "epochs of the trials that are trained longest"
	f.StringVar(&o.space, "space", "lr=1e-4..1e-1,batch=32|64|128,optimizer=adam|sgd", "what to draw settings from")
	f.IntVar(&o.trials, "trials", 12, "settings to try")
	f.IntVar(&o.eta, "eta", 2, "how many times fewer trials go on, for how many times as long; 1: all trials for all epochs")
	return cmd
}

func (o *searchOptions) search(ctx context.Context, out io.Writer) error {
	space, err := search.ParseSpace(o.space)
	if err != nil {
		return fmt.Errorf("--space: %w", err)
	}
	if o.trials < 1 || o.epochs < 1 || o.eta < 1 {
		return fmt.Errorf("--trials %d, --epochs %d, --eta %d, want 1 or more of each", o.trials, o.epochs, o.eta)
	}
	options := search.Options{Trials: o.trials, Epochs: o.epochs, Eta: o.eta, Seed: uint64(o.seed)}
	rungs, err := options.Rungs()
	if err != nil {
		return err
	}
	if err := o.makeFolder(); err != nil {
		return err
	}
	all, _, err := o.load(ctx)
	if err != nil {
		return err
	}
	trainSet, held, err := data.Split(all, 1.0/6, o.seed)
	if err != nil {
		return err
	}
	if err := o.checkSpace(space, all, trainSet.Len()); err != nil {
		return err
	}
	dev, why, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer dev.Close()
	folder, err := os.MkdirTemp("", "pumice-search-*")
	if err != nil {
		return fmt.Errorf("search: %w", err)
	}
	defer os.RemoveAll(folder)
	fmt.Fprintln(out, "device:", why)
	fmt.Fprintf(out, "data:   %s, %s to train on, %d to judge by\n", all.Spec().Name, counted(trainSet), held.Len())
	for k, r := range rungs {
		fmt.Fprintf(out, "rung %d of %d: %d trials, until each has had %d epochs\n", k+1, len(rungs), r.Trials, r.Epochs)
	}
	loops := &search.Loops{Device: dev, Train: trainSet, Validation: held, Folder: folder, Build: func(t search.Trial) (*train.Loop, error) {
		one, loop, err := o.trial(t)
		if err != nil {
			return nil, err
		}
		loop.Model, err = one.untrained(all)
		return loop, err
	}}
	results, err := search.Run(ctx, space, options, loops.Objective, func(rung int, r search.Result) {
		fmt.Fprintf(out, "rung %d  trial %2d  %-40v %s\n", rung+1, r.Number, r.Trial, outcome(r))
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(out)
	if err := o.table(out, space, results); err != nil {
		return err
	}
	path := filepath.Join(o.out, "search.csv")
	if err := writeSearch(path, space, results); err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%s\n", path)
	if results[0].Diverged {
		return fmt.Errorf("search: every trial diverged; try lower rates than those of %s", o.space)
	}
	fmt.Fprintln(out, "next:", o.next(results[0].Trial))
	return nil
}

// next is the command that trains as a trial was.
func (o *searchOptions) next(t search.Trial) string {
	args := []string{fmt.Sprintf("--epochs=%d", o.epochs)}
	drawn := map[string]bool{}
	for _, v := range t.Values {
		args = append(args, fmt.Sprintf("--%s=%s", v.Name, v.Value))
		drawn[v.Name] = true
	}
	for _, f := range o.onLine { // which hold for it too
		if !drawn[f.Name] && !slices.Contains([]string{"space", "trials", "eta", "epochs", "out"}, f.Name) {
			args = append(args, typed(f)...)
		}
	}
	for i, arg := range args {
		args[i] = quoted(arg)
	}
	return "demo train " + strings.Join(args, " ")
}

// trial is what the flags say, with the settings of a trial.
func (o *searchOptions) trial(t search.Trial) (*trainOptions, *train.Loop, error) {
	var one trainOptions
	one.text = o.text // which the set was made with
	f := pflag.NewFlagSet("trial", pflag.ContinueOnError)
	one.dtypeFlag(f, true)
	one.flags(f)
	for _, g := range o.onLine {
		if f.Lookup(g.Name) == nil { // of the search itself
			continue
		}
		if err := f.Set(g.Name, g.Value.String()); err != nil {
			return nil, nil, fmt.Errorf("--%s: %w", g.Name, err)
		}
	}
	for _, v := range t.Values {
		if v.Name == "epochs" {
			return nil, nil, errors.New("--space: epochs are what successive halving chooses")
		}
		if slices.Contains([]string{"size", "label", "features", "split", "split-seed"}, v.Name) {
			return nil, nil, fmt.Errorf("--space: %s is of the data set, which is read once, for all trials", v.Name)
		}
		if f.Lookup(v.Name) == nil {
			var names []string
			f.VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
			return nil, nil, fmt.Errorf("--space: train has no setting %q, it has %s", v.Name, strings.Join(names, ", "))
		}
		if err := f.Set(v.Name, v.Value); err != nil {
			return nil, nil, fmt.Errorf("--space: %s=%s: %w", v.Name, v.Value, err)
		}
	}
	one.data = o.data
	one.fewDocuments(f.Changed)
	one.epochs = o.epochs
	loop, err := one.recipe()
	return &one, loop, err
}

// checkSpace builds every trial, and one for each value of a choice, before the first of
// them is trained on so many images of the set.
func (o *searchOptions) checkSpace(space search.Space, set data.Dataset, images int) error {
	var all []search.Trial
	for n := range o.trials {
		all = append(all, space.Trial(uint64(o.seed), n+1))
	}
	for i, d := range space {
		for _, choice := range d.Choices {
			t := space.Trial(uint64(o.seed), 1)
			t.Values[i].Value = choice
			all = append(all, t)
		}
	}
	for _, t := range all {
		one, loop, err := o.trial(t)
		if err != nil {
			return err
		}
		if loop.Batch > images {
			return fmt.Errorf("--space: %v: a batch of %d, there are %d images to train on", t, loop.Batch, images)
		}
		if rate := loop.Optimizer.LearningRate(); !(rate > 0) {
			return fmt.Errorf("--space: %v: learning rate %v, want a positive number", t, rate)
		}
		if _, err := one.untrained(set); err != nil {
			return err
		}
	}
	return nil
}

// outcome is how a trial went.
func outcome(r search.Result) string {
	if r.Diverged {
		return "diverged"
	}
	return fmt.Sprintf("loss %.4f  accuracy %.2f%%", r.Loss, 100*r.Accuracy)
}

// table prints the trials, the best first.
func (o *searchOptions) table(out io.Writer, space search.Space, results []search.Result) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "place\ttrial\t")
	for _, d := range space {
		fmt.Fprintf(t, "%s\t", d.Name)
	}
	fmt.Fprint(t, "epochs\tloss\taccuracy %\t\n")
	for i, r := range results {
		fmt.Fprintf(t, "%d\t%d\t", i+1, r.Number)
		for _, v := range r.Values {
			fmt.Fprintf(t, "%s\t", v.Value)
		}
		if r.Diverged {
			fmt.Fprintf(t, "%d\tdiverged\t\t\n", r.Epochs)
			continue
		}
		fmt.Fprintf(t, "%d\t%.4f\t%.2f\t\n", r.Epochs, r.Loss, 100*r.Accuracy)
	}
	return t.Flush()
}

// writeSearch writes one line per trial, the best first.
func writeSearch(path string, space search.Space, results []search.Result) error {
	head := []string{"place", "trial"}
	for _, d := range space {
		head = append(head, d.Name)
	}
	rows := [][]string{append(head, "epochs", "validation_loss", "validation_accuracy", "diverged")}
	for i, r := range results {
		row := []string{strconv.Itoa(i + 1), strconv.Itoa(r.Number)}
		for _, v := range r.Values {
			row = append(row, v.Value)
		}
		loss, accuracy := "", ""
		if !r.Diverged {
			loss, accuracy = strconv.FormatFloat(r.Loss, 'g', 8, 64), strconv.FormatFloat(r.Accuracy, 'g', 8, 64)
		}
		rows = append(rows, append(row, strconv.Itoa(r.Epochs), loss, accuracy, strconv.FormatBool(r.Diverged)))
	}
	return safetensors.WriteDurable(path, func(w io.Writer) error { return csv.NewWriter(w).WriteAll(rows) })
}
