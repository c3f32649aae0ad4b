package report_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train"
	"github.com/pumice-ml/pumice/train/data"
	"github.com/pumice-ml/pumice/train/report"
)

// Example keeps a run folder while it trains, and writes the page at the end.
func Example() {
	dir, err := os.MkdirTemp("", "run")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	dev := compute.Reference() // or compute.Open(ctx)
	defer dev.Close()
	trainSet, testSet := data.Digits(data.DigitsOptions{Train: 500, Test: 100})
	model := layers.Sequential{layers.Flatten{}, layers.NewLinear(784, 10)}
	loop := &train.Loop{Model: model, Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &train.AdamW{LR: 1e-3}, Batch: 50, Epochs: 2}

	recorder := &report.Recorder{Dir: dir, Config: report.Config{
		Device: report.DeviceOf(dev), Versions: report.Versions(), Model: report.Model{Name: "linear", Parameters: layers.CountParams(model)},
		Data: report.Data{Name: trainSet.Name, Train: trainSet.Len(), Test: testSet.Len(), Classes: trainSet.Classes},
	}}
	defer recorder.Close()
	loop.Callbacks = append(loop.Callbacks, recorder.Callback())
	if _, err := loop.Run(ctx, dev, trainSet, testSet); err != nil {
		log.Fatal(err)
	}
	found, err := report.Collect(ctx, dev, loop, trainSet, testSet, report.Options{})
	if err != nil {
		log.Fatal(err)
	}
	if err := recorder.Write("digits", found); err != nil {
		log.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range files {
		name, _, _ := strings.Cut(filepath.Base(f), "tfevents")
		fmt.Println(name)
	}
	// Output:
	// config.json
	// curve.png
	// events.out.
	// history.csv
	// history.jsonl
	// report.html
}
