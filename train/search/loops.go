package search

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train"
	"github.com/pumice-ml/pumice/train/data"
)

// Loops trains trials by loops, whose checkpoints let each rung go on exactly: the
// weights of a trial after all rungs are those of a run that was never stopped.
type Loops struct {
	Device *compute.Device
	// Build makes the loop of a trial, with a new model and first weights that depend
	// on the trial alone. Its Epochs must be those of the last rung, which the schedule
	// of the learning rate is of; its Checkpoint, Resume and Finished are set here.
	Build func(t Trial) (*train.Loop, error)
	// Validation is what trials are judged by. It must not be the test set that the
	// winner is measured on in the end.
	Train, Validation data.Dataset
	// Folder gets a checkpoint for each trial, trial-1.safetensors and so on. It is
	// the caller's, and must be empty at the start of a search.
	Folder string
}

// Checkpoint is the file of a trial.
func (l *Loops) Checkpoint(t Trial) string {
	return filepath.Join(l.Folder, fmt.Sprintf("trial-%d.safetensors", t.Number))
}

// Objective is an Objective of the loops' accuracy and loss on the validation set.
func (l *Loops) Objective(ctx context.Context, t Trial, epochs int) (Score, error) {
	loop, err := l.Build(t)
	if err != nil {
		return Score{}, err
	}
	if loop.Epochs < epochs {
		return Score{}, fmt.Errorf("a loop of %d epochs, want the %d of the last rung", loop.Epochs, epochs)
	}
	loop.Checkpoint = l.Checkpoint(t)
	if _, err := os.Stat(loop.Checkpoint); err == nil {
		loop.Resume = true
	} else if !errors.Is(err, fs.ErrNotExist) {
		return Score{}, err
	}
	// The rung's end is an interruption, which leaves a checkpoint.
	rung, stop := context.WithCancel(ctx)
	defer stop()
	loop.Finished = func(e train.Epoch, _ int) {
		if e.Epoch >= epochs {
			stop()
		}
	}
	history, err := loop.Run(rung, l.Device, l.Train, l.Validation)
	for _, p := range layers.Params(loop.Model) {
		l.Device.Forget(p)
	}
	if err != nil && (ctx.Err() != nil || !errors.Is(err, train.ErrInterrupted)) {
		return Score{}, err
	}
	if len(history) == 0 {
		return Score{}, fmt.Errorf("a run without epochs")
	}
	last := history[len(history)-1]
	return Score{Accuracy: last.TestAccuracy, Loss: last.TestLoss}, nil
}
