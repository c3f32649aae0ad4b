package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train"
	"github.com/pumice-ml/pumice/train/data"
)

func evalCommand() *cobra.Command {
	var o choices
	var checkpoint string
	cmd := &cobra.Command{
		Use:   "eval",
		Short: "Measure a checkpoint on the test set",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.given = cmd.Flags().Changed("data")
			return o.eval(cmd.Context(), cmd.OutOrStdout(), checkpoint)
		},
	}
	o.deviceFlags(cmd.Flags())
	o.dataFlags(cmd.Flags(), "; default is the set that the model was trained on")
	o.outFlag(cmd.Flags())
	o.dtypeFlag(cmd.Flags(), false)
	cmd.Flags().StringVar(&checkpoint, "checkpoint", "", "checkpoint to read; default is the one in --out")
	return cmd
}

// restored reads the model of a checkpoint, the one in the output folder where
// path is empty. Where no data set was asked for it is that of the checkpoint.
func (c *choices) restored(path string) (*described, error) {
	if path == "" {
		path = filepath.Join(c.out, checkpointName)
	}
	n, source, err := train.Notes(path)
	if err != nil {
		return nil, err
	}
	if !c.given && source != "" {
		c.data = source
	}
	m, err := fromNotes(path, n)
	if err != nil {
		return nil, err
	}
	c.text, c.classes = m.text, m.classes
	if n["columns"] != "" {
		c.columns = strings.Split(n["columns"], "\n")
	}
	if err := c.inputs.fromNotes(path, n); err != nil {
		return nil, err
	}
	return m, train.LoadModel(path, m.Layer)
}

// fits checks that the examples are those the model was made for.
func (d *described) fits(set data.Dataset) error { return d.spec.Fits(set.Spec()) }

func (c *choices) eval(ctx context.Context, out io.Writer, checkpoint string) error {
	storage, err := c.storage()
	if err != nil {
		return err
	}
	m, err := c.restored(checkpoint)
	if err != nil {
		return err
	}
	model, err := c.weighed(m.Layer)
	if err != nil {
		return err
	}
	dev, why, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer dev.Close()
	fmt.Fprintln(out, "device:", why)
	_, test, err := c.load(ctx)
	if err != nil {
		return err
	}
	if err := m.fits(test); err != nil {
		return err
	}
	e, err := train.NewEvaluator(dev, model, layers.SoftmaxCrossEntropy{}, test, storage)
	if err != nil {
		return err
	}
	defer e.Close()
	loss, accuracy, err := e.Run(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s, %s: accuracy %.2f%%, loss %.4f\n", test.Spec().Name, counted(test), 100*accuracy, loss)
	return nil
}
