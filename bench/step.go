package bench

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/internal/compiler"
	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train"
	"github.com/pumice-ml/pumice/train/data"
)

// StepNames are the rows of whole training steps. A system measures each in a
// process of its own, for the sake of its first step.
var StepNames = []string{"step/cnn", "step/mlp"}

// Model returns the network that is compared under a name, for images of 28x28 and
// ten classes: cnn is convolutions of 8 and 16 channels with 5x5 kernels, each with
// ReLU and a maximum over 2x2, and a linear layer; mlp has 128 hidden units with
// ReLU. Weight number j is the generator's stream 10+j, divided by 8; the biases are
// 0.
func Model(name string) (layers.Layer, error) {
	var m layers.Sequential
	switch name {
	case "cnn":
		m = layers.Sequential{
			layers.NewConv2D(1, 8, 5), layers.ReLU{}, layers.MaxPool2D{Size: 2},
			layers.NewConv2D(8, 16, 5), layers.ReLU{}, layers.MaxPool2D{Size: 2},
			layers.Flatten{}, layers.NewLinear(256, 10),
		}
	case "mlp":
		m = layers.Sequential{layers.Flatten{}, layers.NewLinear(784, 128), layers.ReLU{}, layers.NewLinear(128, 10)}
	default:
		return nil, fmt.Errorf("bench: model %q, want mlp or cnn", name)
	}
	stream := uint32(10)
	for name, p := range layers.Params(m) {
		p.Init = nil
		clear(p.Data)
		if strings.HasSuffix(name, "weight") {
			for i, v := range Values(stream, p.Len()) {
				p.Data[i] = v / 8
			}
			stream++
		}
	}
	return m, nil
}

// Images returns a set of n images of 28x28: byte i of all pixels is h>>24 of the
// generator's stream 1, label i is h>>8 mod 10 of stream 2.
func Images(n int) *data.Set {
	s := &data.Set{
		Name: "generated", Channels: 1, Height: 28, Width: 28, Classes: strings.Split("0123456789", ""),
		Pixels: make([]byte, n*28*28), Labels: make([]byte, n),
	}
	for i := range s.Pixels {
		s.Pixels[i] = byte(word(1, i) >> 24)
	}
	for i := range s.Labels {
		s.Labels[i] = byte(word(2, i) >> 8 % 10)
	}
	return s
}

// Trainer is a model in training with Adam, as train.Loop does it, with the images
// on the device. Close frees what it holds there.
type Trainer struct {
	// First is the time of the first step, from recording it to its end: cold where
	// the device is new. Compiling is the part of it before the first dispatch of the
	// step, in which kernels new to the device are tested.
	First, Compiling time.Duration

	dev         *compute.Device
	program     *compute.Program
	params      []*compute.Param
	sum         *compute.Param // of losses times images
	name        string
	batch, runs int
}

// NewTrainer records, compiles and takes the first step.
func NewTrainer(ctx context.Context, dev *compute.Device, model string, batch int, set *data.Set) (*Trainer, error) {
	m, err := Model(model)
	if err != nil {
		return nil, err
	}
	loop := train.Loop{Model: m, Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &train.Adam{}, Batch: batch}
	start := time.Now()
	t := compute.NewTape(dev)
	if err := loop.Record(t, set); err != nil {
		return nil, err
	}
	r := &Trainer{dev: dev, name: "step/" + model, batch: batch}
	for _, d := range (*ir.Tape)(t).Dispatches() {
		for _, x := range d.Tensors {
			p := x.Param()
			if p == nil || slices.Contains(r.params, p) {
				continue
			}
			r.params = append(r.params, p)
			if p.Name == "train.total" {
				r.sum = p
			}
		}
	}
	if r.program, err = t.Compile(); err != nil {
		dev.Forget(r.params...)
		return nil, err
	}
	r.Compiling = time.Since(start)
	if err := r.run(ctx, 1); err != nil {
		r.Close()
		return nil, err
	}
	r.First = time.Since(start)
	return r, nil
}

func (r *Trainer) run(ctx context.Context, n int) error {
	r.runs += n
	return repeat(ctx, r.program, r.dev, n)
}

// Close frees what the trainer holds on its device.
func (r *Trainer) Close() error {
	err := r.program.Close()
	r.dev.Forget(r.params...)
	return err
}

// Loss takes steps until there were as many as given, and returns the mean loss of
// all there were.
func (r *Trainer) Loss(ctx context.Context, steps int) (float64, error) {
	if err := r.run(ctx, max(0, steps-r.runs)); err != nil {
		return 0, err
	}
	if err := r.dev.Download(ctx, r.sum); err != nil {
		return 0, err
	}
	return float64(r.sum.Data[0]) / float64(r.batch*r.runs), nil
}

// Case is a step as a case, which the trainer owns.
func (r *Trainer) Case() *Case {
	return &Case{Row: r.name, System: "pumice", Work: float64(r.batch), Unit: "images", Run: r.run}
}

// KernelTime is what one kernel takes of a program, in all its dispatches.
type KernelTime struct {
	Kernel       string  `json:"kernel"`
	Dispatches   int     `json:"dispatches"`
	Milliseconds float64 `json:"ms"`
	Share        float64 `json:"share"` // of the sum over all kernels
}

// profiled is how many runs the times of kernels are the least of.
const profiled = 5

// Kernels times a step's kernels one by one, the most costly first, and says with which
// clock, and why with that.
func (r *Trainer) Kernels(ctx context.Context) (kernels []KernelTime, clock string, err error) {
	r.runs += 1 + profiled
	return ByKernel(ctx, r.program)
}

// ByKernel runs a program a few times, one dispatch at a time, and returns what each
// kernel takes of it, the most costly first, with which clock, and why with that (see
// compiler.Program.Profile).
func ByKernel(ctx context.Context, program *compute.Program) (kernels []KernelTime, clock string, err error) {
	steps, err := (*compiler.Program)(program).Steps()
	if err != nil {
		return nil, "", err
	}
	p, err := (*compiler.Program)(program).Profile(ctx, profiled)
	if err != nil {
		return nil, "", err
	}
	clock = string(p.Clock)
	if p.Why != "" {
		clock += ", for the device has none: " + p.Why
	}
	return byKernel(steps, p.Times), clock, nil
}

func byKernel(steps []ir.Step, times []time.Duration) []KernelTime {
	var all []KernelTime
	var sum float64
	for i, s := range steps {
		k := slices.IndexFunc(all, func(k KernelTime) bool { return k.Kernel == s.Kernel })
		if k < 0 {
			k = len(all)
			all = append(all, KernelTime{Kernel: s.Kernel})
		}
		ms := 1e3 * times[i].Seconds()
		all[k].Dispatches++
		all[k].Milliseconds += ms
		sum += ms
	}
	for i := range all {
		all[i].Share = all[i].Milliseconds / math.Max(sum, 1e-9)
	}
	slices.SortStableFunc(all, func(a, b KernelTime) int {
		if a.Milliseconds > b.Milliseconds {
			return -1
		}
		return 1
	})
	return all
}

// Costs measures what a step costs beside time: dispatches, allocations on the Go
// heap and bytes moved between host and device, and what it holds of the device's
// memory, owner by owner.
func (r *Trainer) Costs(ctx context.Context) ([]Row, error) {
	steps, err := (*compiler.Program)(r.program).Steps()
	if err != nil {
		return nil, err
	}
	if err := r.run(ctx, 2); err != nil { // those that measure allocate
		return nil, err
	}
	const n = 4
	var before, after runtime.MemStats
	traffic := (*compiler.Device)(r.dev).Machine().Traffic()
	runtime.GC()
	runtime.ReadMemStats(&before)
	err = r.run(ctx, n)
	runtime.ReadMemStats(&after)
	if err != nil {
		return nil, err
	}
	moved := (*compiler.Device)(r.dev).Machine().Traffic()
	rows := []Row{
		NewRow("dispatches per step", "pumice", "", float64(len(steps))),
		NewRow("Go allocations per step", "pumice", "", float64(after.Mallocs-before.Mallocs)/n),
		NewRow("bytes up per step", "pumice", "B", float64(moved.Up-traffic.Up)/n),
		NewRow("bytes down per step", "pumice", "B", float64(moved.Down-traffic.Down)/n),
	}
	return append(rows, Memory(r.dev)...), nil
}

// Memory is what is live of a device's memory: of parameters (with data sets and
// optimizer state), and of programs.
func Memory(dev *compute.Device) []Row {
	var params, programs float64
	for _, use := range dev.Ledger() {
		if use.Owner == "parameters" {
			params += float64(use.Bytes)
		} else {
			programs += float64(use.Bytes)
		}
	}
	return []Row{
		NewRow("device memory: parameters and data", "pumice", "B", params),
		NewRow("device memory: program", "pumice", "B", programs),
	}
}
