package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train"
	"github.com/pumice-ml/pumice/train/data"
)

// checkpointName is the file that train writes in the output folder.
const checkpointName = "checkpoint.safetensors"

type trainOptions struct {
	choices
	watchOptions
	augmentOptions
	epochs, batch int
	rate          float64
	optimizer     string
	seed          uint32
	resume, json  bool
	recipeFlags
	runFlags
}

func trainCommand() *cobra.Command {
	var o trainOptions
	cmd := &cobra.Command{
		Use:   "train",
		Short: "Train a model and write checkpoint, history and curve",
		Long: `Train a model. The output folder gets checkpoint.safetensors (weights, optimizer
state, step and seed), weights.safetensors (weights alone), history.csv and
curve.png. Ctrl-C saves; --resume goes on to the same weights, bit for bit, as a
run that was never stopped. A run without --resume into a folder that holds a
checkpoint keeps it as checkpoint.previous.safetensors.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// 0 is the default, but nobody types it for that.
			if cmd.Flags().Changed("lr") && !(o.rate > 0 && o.rate <= math.MaxFloat32) {
				return fmt.Errorf("--lr %v, want a positive number", o.rate)
			}
			if o.data == "mnist" && o.model == "cnn" && !cmd.Flags().Changed("epochs") {
				o.epochs = 3 // for 99%
			}
			if o.supervise {
				return o.supervised(cmd)
			}
			return o.run(cmd.Context(), cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	o.deviceFlags(f)
	o.dataFlags(f, "")
	o.outFlag(f)
	o.dtypeFlag(f, true)
	o.flags(f)
	o.runFlags.flags(f)
	f.BoolVar(&o.resume, "resume", false, "go on from the checkpoint in the output folder")
	f.BoolVar(&o.json, "json", false, "print one JSON object per line")
	o.watchOptions.flags(f)
	return cmd
}

// flags are those that say how a model is trained, which a search may draw.
func (o *trainOptions) flags(f *pflag.FlagSet) {
	o.augmentOptions.flags(f)
	f.StringVar(&o.model, "model", "cnn", "mlp or cnn")
	f.IntVar(&o.epochs, "epochs", 2, "how often to go through the training set; with --data mnist and --model cnn the default is 3")
	f.IntVar(&o.batch, "batch", 64, "images of a step")
	f.Float64Var(&o.rate, "lr", 0, "learning rate; 0 is 0.004 for adam and adamw, else the optimizer's default")
	f.StringVar(&o.optimizer, "optimizer", "adamw", "sgd, adam, adamw or rmsprop")
	o.recipeFlags.flags(f)
	f.Uint32Var(&o.seed, "seed", 1, "seed of weights and order")
}

// recipe is the training that the flags describe, without a model and a checkpoint.
func (o *trainOptions) recipe() (*train.Loop, error) {
	rate := o.rate
	if rate == 0 && strings.HasPrefix(o.optimizer, "adam") {
		rate = 0.004
	}
	if o.epochs < 1 || o.batch < 1 {
		return nil, fmt.Errorf("--epochs %d, --batch %d, want 1 or more of each", o.epochs, o.batch)
	}
	optimizer, err := train.OptimizerByName(o.optimizer, rate)
	if err != nil {
		return nil, err
	}
	storage, err := o.storage()
	if err != nil {
		return nil, err
	}
	loop := &train.Loop{Optimizer: optimizer, Batch: o.batch, Epochs: o.epochs, Seed: o.seed, Storage: storage}
	o.augmentOptions.apply(loop)
	return loop, o.recipeFlags.apply(loop)
}

// untrained is the model that the flags describe for a set, with its first weights.
func (o *trainOptions) untrained(set *data.Set) (layers.Layer, error) {
	model, err := build(o.model, set.Channels, set.Height, set.Width, len(set.Classes))
	if err != nil {
		return nil, err
	}
	layers.Initialize(model, o.seed)
	return model, nil
}

func (o *trainOptions) run(ctx context.Context, out io.Writer) (err error) {
	loop, err := o.recipe()
	if err != nil {
		return err
	}
	if err := o.watchOptions.apply(loop); err != nil {
		return err
	}
	if err := o.check(); err != nil {
		return err
	}
	dev, why, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer dev.Close()
	if !o.json {
		fmt.Fprintln(out, "device:", why)
	}
	warm := &warming{cancel: func() {}}
	if o.validation == 0 { // sizes are known
		warm = o.warm(ctx, dev, *loop)
	}
	defer func() {
		if warmErr := warm.end(); warmErr != nil {
			err = errors.Join(err, warmErr)
		}
	}()
	trainSet, testSet, err := o.load(ctx)
	if err != nil {
		return err
	}
	model, err := o.untrained(trainSet)
	if err != nil {
		return err
	}
	checkpoint, err := o.folder()
	if err != nil {
		return err
	}
	fitSet, validation, err := o.sets(trainSet, testSet, o.seed)
	if err != nil {
		return err
	}
	if err := o.runFlags.apply(loop, fitSet, o.monitor, o.out); err != nil {
		return err
	}
	if !o.json {
		loop.Callbacks = append(loop.Callbacks, o.tell(ctx, out, testSet))
	}
	show := o.reporter(out, dev, why, model, trainSet)
	show.images = fitSet.Len() / o.batch * o.batch
	loop.Model, loop.Finished = model, show.epoch
	loop.Checkpoint, loop.Previous, loop.Resume = checkpoint, filepath.Join(o.out, "checkpoint.previous.safetensors"), o.resume
	loop.Notes, loop.Source = notes(o.model, trainSet), o.source()
	if !o.json && isTerminal(out) {
		loop.Progress = show.progress // nothing is read back for a bar that nobody sees
	}
	start := time.Now()
	if err := warm.wait(trainSet, testSet); err != nil && !errors.Is(err, context.Canceled) {
		show.close()
		return err
	}
	history, err := loop.Run(ctx, dev, fitSet, validation)
	show.close()
	if errors.Is(err, train.ErrInterrupted) {
		if o.json {
			jsonLine(out, map[string]any{"event": "interrupted", "checkpoint": checkpoint})
		} else {
			fmt.Fprintf(out, "stopped; %s holds all there is. Go on with the same command and --resume.\n", checkpoint)
		}
		return err
	}
	if err != nil {
		if errors.Is(err, train.ErrDiverged) && !o.json {
			fmt.Fprintf(out, "stopped; %s holds the last weights that were finite. Try a lower --lr than %v.\n", checkpoint, loop.Optimizer.LearningRate())
		}
		return err
	}
	if err := writeHistory(filepath.Join(o.out, "history.csv"), history); err != nil {
		return err
	}
	if err := layers.SaveFile(filepath.Join(o.out, "weights.safetensors"), model); err != nil {
		return err
	}
	if err := writeCurve(filepath.Join(o.out, "curve.png"), history); err != nil {
		return err
	}
	show.done(history, time.Since(start), checkpoint, weightsSum(model))
	return nil
}

// folder makes the output folder and returns the checkpoint's path.
func (o *trainOptions) folder() (string, error) {
	if err := o.makeFolder(); err != nil {
		return "", err
	}
	path := filepath.Join(o.out, checkpointName)
	if _, err := os.Stat(path); o.resume && err != nil {
		return "", fmt.Errorf("--resume: no checkpoint to go on from: %w", err)
	}
	return path, nil
}

// weightsSum is the SHA-256 of the model's parameters, by name.
func weightsSum(model layers.Layer) string {
	h := sha256.New()
	for name, p := range layers.Params(model) {
		fmt.Fprintf(h, "%s %v\n", name, p.Shape)
		if err := binary.Write(h, binary.LittleEndian, p.Data); err != nil {
			panic(err) // a hash takes everything
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// jsonLine prints one object.
func jsonLine(out io.Writer, v any) {
	if err := json.NewEncoder(out).Encode(v); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
	}
}

// reporter tells the user how a run goes.
func (o *trainOptions) reporter(out io.Writer, dev *compute.Device, why string, model layers.Layer, set *data.Set) *report {
	r := &report{out: out, json: o.json, measures: o.measures, images: set.Len() / o.batch * o.batch}
	info := dev.Info()
	if o.json {
		jsonLine(out, map[string]any{
			"event": "start", "device": info.Name, "backend": info.Backend, "adapter_type": info.Type, "why": why, "parameters": layers.CountParams(model),
		})
		return r
	}
	fmt.Fprintf(out, "data:   %s, %d images of %dx%d, %d classes\n", set.Name, set.Len(), set.Height, set.Width, len(set.Classes))
	if err := layers.Summary(out, model, 1, set.Channels, set.Height, set.Width); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
	}
	return r
}
