package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"github.com/pumice-ml/pumice/compute/conform"
	"github.com/pumice-ml/pumice/safetensors"
	"github.com/pumice-ml/pumice/suite"
)

// measured is what --state keeps: how far each function is, on one device.
type measured struct {
	Device    string
	Step      uint64 // between the bits of neighbouring inputs
	Functions map[string]conform.Accuracy
}

// measure prints the accuracy of the functions, and keeps it after every 2^24
// inputs where there is a file to keep it in.
func (o *conformOptions) measure(ctx context.Context, out io.Writer) error {
	dev, why, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer dev.Close()
	if dev.IsReference() {
		return fmt.Errorf("the reference device is what adapters are compared with")
	}
	fmt.Fprintln(out, "device:", why)
	step := uint64(1)
	if !o.exhaustive {
		step = 100
	}
	m := measured{Device: dev.Info().Name + " " + dev.Info().Driver, Step: step, Functions: map[string]conform.Accuracy{}}
	if o.state != "" {
		if err := m.read(o.state); err != nil {
			return err
		}
	}
	var all []conform.Accuracy
	ok := true
	for _, f := range suite.Functions() {
		if fits, err := path.Match(o.kernel, f.Kernel.Name()); err != nil || o.kernel != "" && !fits {
			continue
		}
		a := m.Functions[f.Name]
		for a.Next < 1<<32 {
			if a, err = conform.Measure(ctx, dev, f, a, step, 1<<24); err != nil {
				return err
			}
			m.Functions[f.Name] = a
			if o.state == "" {
				continue
			}
			if err := safetensors.WriteDurable(o.state, func(w io.Writer) error { return json.NewEncoder(w).Encode(m) }); err != nil {
				return fmt.Errorf("--state: %w", err)
			}
		}
		all = append(all, a)
		ok = ok && a.OK()
	}
	if err := conform.WriteAccuracy(out, all); err != nil {
		return err
	}
	if !ok {
		return errIllegal
	}
	return nil
}

// read takes what a file has, if there is one, of the same device and inputs.
func (m *measured) read(file string) error {
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("--state: %w", err)
	}
	var kept measured
	if err := json.Unmarshal(b, &kept); err != nil {
		return fmt.Errorf("--state %s: %w", file, err)
	}
	if kept.Device != m.Device || kept.Step != m.Step {
		return fmt.Errorf("--state %s is of %s, every %d inputs; this run's is %s, every %d", file, kept.Device, kept.Step, m.Device, m.Step)
	}
	if kept.Functions != nil {
		m.Functions = kept.Functions
	}
	return nil
}
