//go:build js

// Train trains a small network on the built-in digits in a browser's tab, and prints JSON
// lines: when what was done, in milliseconds since the page was navigated to.
package main

import (
	"context"
	"encoding/json"
	"os"
	"runtime"
	"syscall/js"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train"
	"github.com/pumice-ml/pumice/train/data"
)

// tell prints a line with the time, which the page hands on.
func tell(event string, with map[string]any) {
	line := map[string]any{"system": "Pumice", "event": event, "ms": js.Global().Get("performance").Call("now").Float()}
	for k, v := range with {
		line[k] = v
	}
	_ = json.NewEncoder(os.Stdout).Encode(line) // there is nowhere else to say so
}

func main() {
	if err := run(context.Background()); err != nil {
		tell("error", map[string]any{"error": err.Error()})
	}
}

var digits = data.DigitsOptions{Train: 1280, Test: 10}

func newLoop() *train.Loop {
	model := layers.Sequential{
		layers.NewConv2D(1, 8, 5), layers.ReLU{}, layers.MaxPool2D{Size: 2},
		layers.NewConv2D(8, 16, 5), layers.ReLU{}, layers.MaxPool2D{Size: 2},
		layers.Flatten{}, layers.NewLinear(16*4*4, 10),
	}
	layers.Initialize(model, 1)
	return &train.Loop{Model: model, Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &train.AdamW{LR: 3e-3}, Batch: 64, Epochs: 1, Seed: 1}
}

func run(ctx context.Context) error {
	tell("started", nil)
	dev, err := compute.Open(ctx)
	if err != nil {
		return err
	}
	defer dev.Close()
	tell("device", map[string]any{"device": dev.String()})
	dev.OnProgress(func(p compute.Progress) {
		if p.Done == p.Total {
			tell(string(p.Stage), map[string]any{"kernels": p.Total})
		}
	})
	warmed := make(chan error, 1)
	blank, _ := data.BlankDigits(digits)
	go func() { warmed <- newLoop().Warm(ctx, dev, blank, nil) }() // the browser compiles beside
	runtime.Gosched()
	set, _ := data.Digits(digits)
	tell("data", nil)
	if err := <-warmed; err != nil {
		return err
	}
	loop := newLoop()
	steps := 0
	loop.Callbacks = []train.Callback{{AfterStep: func(f *train.Fit) error {
		if steps++; steps == 1 {
			m, err := f.Metrics(ctx)
			tell("first step", map[string]any{"loss": m.Loss})
			return err
		}
		return nil
	}}}
	history, err := loop.Run(ctx, dev, set, nil)
	if err != nil {
		return err
	}
	tell("done", map[string]any{"steps": steps, "loss": history[0].Loss, "ms_per_step": 1000 * history[0].Seconds / float64(steps)})
	return nil
}
