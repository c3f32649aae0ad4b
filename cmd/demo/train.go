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
	reportOptions
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
		Short: "Train a model and write checkpoint, history and report",
		Long: `Train a model. The output folder gets checkpoint.safetensors (weights, optimizer
state, step and seed), weights.safetensors (weights alone), config.json, the history
as history.csv, history.jsonl and curve.png, an event file for TensorBoard, and
report.html, which shows the curves, the mistakes and the inside of the model. Those
of an earlier run move to the folder previous, but for its checkpoint, which is kept
as checkpoint.previous.safetensors. Ctrl-C saves; --resume goes on to the same
weights, bit for bit, as a run that was never stopped.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// 0 is the default, but nobody types it for that.
			if cmd.Flags().Changed("lr") && !(o.rate > 0 && o.rate <= math.MaxFloat32) {
				return fmt.Errorf("--lr %v, want a positive number", o.rate)
			}
			if o.data == "mnist" && (o.model == "" || o.model == "cnn") && !cmd.Flags().Changed("epochs") {
				o.epochs = 3 // for 99%
			}
			o.fewDocuments(cmd.Flags().Changed)
			if o.supervise {
				return o.supervised(cmd)
			}
			o.reportOptions.tell(cmd.Flags())
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
	o.reportOptions.flags(f)
	f.BoolVar(&o.resume, "resume", false, "go on from the checkpoint in the output folder")
	f.BoolVar(&o.json, "json", false, "print one JSON object per line")
	o.watchOptions.flags(f)
	return cmd
}

// flags are those that say how a model is trained, which a search may draw.
func (o *trainOptions) flags(f *pflag.FlagSet) {
	o.augmentOptions.flags(f)
	f.StringVar(&o.model, "model", "", "cnn or mlp for images, mlp or linear for rows of numbers, bag for token ids; default is the first")
	o.inputs.flags(f)
	f.IntVar(&o.epochs, "epochs", 2, "how often to go through the training set; with --data mnist and --model cnn the default is 3, with --data text 15")
	f.IntVar(&o.batch, "batch", 64, "examples of a step; with --data text the default is 20")
	f.Float64Var(&o.rate, "lr", 0, "learning rate; the default is 0.004 for adam and adamw, 0.01 with --data text, else the optimizer's own")
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
	if err := o.inputs.check(); err != nil {
		return nil, err
	}
	optimizer, err := train.OptimizerByName(o.optimizer, rate)
	if err != nil {
		return nil, err
	}
	storage, err := o.storage()
	if err != nil {
		return nil, err
	}
	loop := &train.Loop{Optimizer: optimizer, Batch: o.batch, Epochs: o.epochs, Seed: o.seed, Storage: storage, Budget: int64(o.budget) << 20}
	o.augmentOptions.apply(loop)
	return loop, o.recipeFlags.apply(loop)
}

// untrained is the model that the flags describe for a set, with its first weights. It
// sets o.model where that is left to it.
func (o *trainOptions) untrained(set data.Dataset) (layers.Layer, error) {
	name, model, err := buildFor(o.model, set.Spec(), o.text)
	if err != nil {
		return nil, err
	}
	o.model = name
	if o.normalize {
		mean, deviation, err := data.Moments(set)
		if err != nil {
			return nil, fmt.Errorf("--normalize: %w", err)
		}
		model = standardized(model, mean, deviation)
	}
	layers.Initialize(model, o.seed)
	return model, nil
}

func (o *trainOptions) run(ctx context.Context, out io.Writer) (err error) {
	begun := time.Now()
	loop, err := o.recipe()
	if err != nil {
		return err
	}
	if err := o.watchOptions.apply(loop); err != nil {
		return err
	}
	if err := o.runFlags.check(); err != nil {
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
	checkpoint, unlock, err := o.folder()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if err := o.reportOptions.check(testSet); err != nil {
		return err
	}
	fitSet, validation, err := o.sets(trainSet, testSet, o.seed)
	if err != nil {
		return err
	}
	if err := o.runFlags.apply(loop, fitSet, o.monitor, o.out); err != nil {
		return err
	}
	show := o.printer(out, dev, why, model, trainSet)
	defer show.close()
	below := train.Callback{AfterFit: func(*train.Fit) error { show.close(); return nil }} // what follows stands where the dashboard was
	ready := train.Callback{BeforeFit: func(*train.Fit) error { show.ready(time.Since(begun)); return nil }}
	loop.Callbacks = append(loop.Callbacks, ready, below, o.runFlags.tell(ctx, show, testSet))
	loop.Model, loop.Finished = model, show.epoch
	loop.Checkpoint, loop.Previous, loop.Resume = checkpoint, filepath.Join(o.out, "checkpoint.previous.safetensors"), o.resume
	loop.Notes, loop.Source = o.notes(trainSet.Spec()), o.source()
	if !o.json && !o.plain && dashboards(out) {
		loop.Progress = show.progress // nothing is read back for a dashboard that nobody sees
	}
	recorder := o.recorder(loop, dev, fitSet, testSet)
	defer recorder.Close()
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
	if err := o.text.writeVocabulary(o.out); err != nil {
		return err
	}
	if err := layers.SaveFile(filepath.Join(o.out, "weights.safetensors"), model); err != nil {
		return err
	}
	page, err := o.page(ctx, recorder, loop, dev, fitSet, testSet)
	if err != nil { // the run is whole without it
		err = fmt.Errorf("train: report.html: %w", err)
	}
	show.done(history, time.Since(begun), checkpoint, page, weightsSum(model))
	return errors.Join(err, recorder.Close())
}

// folder makes the output folder, which is this process's until it calls unlock, and
// returns the checkpoint's path.
func (o *trainOptions) folder() (checkpoint string, unlock func() error, err error) {
	if err := o.makeFolder(); err != nil {
		return "", nil, err
	}
	checkpoint = filepath.Join(o.out, checkpointName)
	if _, err := os.Stat(checkpoint); o.resume && err != nil {
		return "", nil, fmt.Errorf("--resume: no checkpoint to go on from: %w", err)
	}
	if unlock, err = lock(o.out); err != nil {
		return "", nil, err
	}
	return checkpoint, unlock, tidy(o.out)
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

// printer tells the user how a run goes.
func (o *trainOptions) printer(out io.Writer, dev *compute.Device, why string, model layers.Layer, set data.Dataset) *printer {
	info := dev.Info()
	next := "demo predict --index 0"
	if o.out != defaultOut {
		next += " " + quoted("--out="+o.out)
	}
	r := &printer{out: out, json: o.json, measures: o.measures, memory: held(dev), next: next, caption: caption{
		device: info.Name, run: o.model + " on " + set.Spec().Name, classes: set.Spec().Targets == 0, held: o.held(), unit: kind(set.Spec()) + "s",
	}}
	if o.json {
		jsonLine(out, map[string]any{
			"event": "start", "device": info.Name, "backend": info.Backend, "adapter_type": info.Type, "why": why, "parameters": layers.CountParams(model),
		})
		return r
	}
	s := set.Spec()
	size := fmt.Sprintf("%d", s.Size())
	if isImages(s) {
		size = fmt.Sprintf("%dx%d", s.Shape[1], s.Shape[2])
	}
	fmt.Fprintf(out, "data:   %s, %s of %s, %d classes\n", s.Name, counted(set), size, len(s.Classes))
	if err := layers.Summary(out, model, append([]int{1}, s.Shape...)...); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
	}
	return r
}
