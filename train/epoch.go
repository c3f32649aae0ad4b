package train

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// train runs the epochs that are left, and leaves the model on the host.
func (r *run) train(ctx context.Context) (History, error) {
	r.fit.Epoch = min(len(r.history)+1, r.Epochs)
	if err := r.beforeFit(); err != nil {
		return r.history, err
	}
	if reason := r.EarlyStopping.reason(r.history); reason != "" {
		r.fit.Stop(reason)
	}
	r.source.begin(r.step)
	for r.fit.stopped == "" && (r.step < r.steps*r.Epochs || len(r.history) < r.step/r.steps) {
		if err := r.epoch(ctx); err != nil {
			return r.history, err
		}
	}
	r.over = true
	if r.fit.stopped != "" || r.best != nil {
		if err := r.save(ctx); err != nil {
			return r.history, err
		}
	}
	if err := r.averages.exchange(ctx); err != nil {
		return r.history, err
	}
	if err := r.dev.Download(context.WithoutCancel(ctx), r.params()...); err != nil {
		return r.history, err
	}
	if err := r.check(r.arrays()); err != nil {
		return r.history, err
	}
	if err := r.giveBack(); err != nil {
		return r.history, err
	}
	return r.history, r.afterFit()
}

// epoch trains from the current step to the end of its epoch, and evaluates the model
// where there is a set for it.
func (r *run) epoch(ctx context.Context) error {
	if r.step%r.steps == 0 && r.step/r.steps == len(r.history) {
		if err := r.sums.reset(r.dev); err != nil {
			return err
		}
		r.spent = 0
	}
	number := len(r.history) + 1
	r.fit.Epoch = number
	if err := r.beforeEpoch(); err != nil {
		return err
	}
	working := context.WithoutCancel(ctx)
	start, told := time.Now(), time.Now()
	clock := func() {
		r.spent += time.Since(start).Seconds()
		start = time.Now()
	}
	for r.step < number*r.steps {
		if ctx.Err() != nil {
			clock()
			return r.interrupt(ctx)
		}
		if r.fit.stopped != "" {
			clock()
			return nil
		}
		if err := r.source.before(ctx, r.step); err != nil {
			if ctx.Err() != nil {
				continue
			}
			return err
		}
		if err := r.one(working); err != nil {
			return err
		}
		if r.Progress != nil && time.Since(told) > 200*time.Millisecond {
			if err := r.tell(ctx, number); err != nil {
				return err
			}
			told = time.Now()
		}
		if r.Checkpoint != "" && time.Since(r.saved) > r.Interval && r.step < number*r.steps {
			clock()
			if err := r.save(ctx); err != nil {
				return err
			}
			start = time.Now()
		}
	}
	m, err := r.sums.read(working, r.dev)
	if err != nil {
		return err
	}
	clock()
	return r.finish(ctx, number, m)
}

// one runs one step, with a context that is not cancelled.
func (r *run) one(ctx context.Context) error {
	if err := r.beforeStep(); err != nil {
		return err
	}
	program := r.program
	if r.part != nil && (r.step+1)%r.Accumulate != 0 {
		program = r.part
	}
	if err := program.Run(ctx); err != nil {
		return fmt.Errorf("train: step %d: %w", r.step, err)
	}
	r.step++
	if err := r.watch.read(ctx, r.dev, r.step, r.scaler, r.step%r.Accumulate == 0); err != nil {
		return err
	}
	if r.step == r.until {
		return errNothingFound
	}
	return r.afterStep()
}

// finish measures, saves and tells an epoch whose steps are done.
func (r *run) finish(ctx context.Context, number int, m Metrics) error {
	e := Epoch{Epoch: number, Loss: m.Loss, TrainAccuracy: m.Accuracy, Metrics: m.Named, Seconds: max(r.spent, 1e-9)}
	e.ImagesPerSecond = float64(m.Rows) / e.Seconds
	if err := r.dev.Download(context.WithoutCancel(ctx), append(r.scaler.arrays(), r.state.Rate)...); err != nil {
		return err
	}
	if r.scaler != nil {
		e.Skipped = int(r.scaler.counts.Ints[1])
		if err := r.scaler.check(r.step); err != nil {
			return err
		}
	}
	e.LearningRate = decimal(r.state.Rate.Data[0])
	if err := r.measure(ctx, &e); err != nil {
		if ctx.Err() != nil {
			return r.interrupt(ctx)
		}
		return err
	}
	r.spent = 0
	if s, ok := r.Schedule.(interface {
		After(History, float64) float64
	}); ok {
		r.state.Rate.Data[0] = float32(s.After(r.history, r.Optimizer.LearningRate()))
		if err := r.dev.Upload(r.state.Rate); err != nil {
			return err
		}
	}
	if err := r.saveEpoch(ctx); err != nil {
		return err
	}
	if reason := r.EarlyStopping.reason(r.history); reason != "" {
		r.fit.Stop(reason)
	}
	if err := r.afterEpoch(); err != nil {
		return err
	}
	if r.Finished != nil {
		r.Finished(e, r.Epochs)
	}
	return nil
}

// measure evaluates the model, adds the epoch to the history, and keeps the weights where
// they are the best. Where averages are used they stand in for the weights meanwhile.
func (r *run) measure(ctx context.Context, e *Epoch) (err error) {
	if err := r.averages.exchange(ctx); err != nil {
		return err
	}
	defer func() {
		if back := r.averages.exchange(ctx); err == nil {
			err = back
		}
	}()
	if r.tested != nil {
		m, err := r.tested.Measure(ctx)
		if err != nil {
			return err
		}
		e.TestLoss, e.TestAccuracy, e.TestMetrics = m.Loss, m.Accuracy, m.Named
		if len(m.Confusion) <= mostTold {
			e.Confusion = m.Confusion
		}
	}
	if !finite(e.Loss) {
		return &NotFinite{Step: r.step, What: fmt.Sprintf("mean loss of epoch %d", e.Epoch)}
	}
	if !finite(e.TestLoss) {
		return &NotFinite{Step: r.step, What: "loss of the test set"}
	}
	r.history = append(r.history, *e)
	return r.keep(ctx)
}

// decimal is the shortest decimal number that is nearest to v.
func decimal(v float32) float64 {
	d, err := strconv.ParseFloat(strconv.FormatFloat(float64(v), 'g', -1, 32), 64)
	if err != nil {
		return float64(v)
	}
	return d
}

func (r *run) tell(ctx context.Context, number int) error {
	m, err := r.sums.read(context.WithoutCancel(ctx), r.dev)
	if err != nil {
		return err
	}
	if !finite(m.Loss) {
		return &NotFinite{Step: r.step, What: fmt.Sprintf("mean loss of epoch %d", number)}
	}
	r.Progress(Progress{
		Epoch: number, Epochs: r.Epochs, Step: r.step - (number-1)*r.steps, Steps: r.steps,
		Images: m.Rows, Loss: m.Loss, Accuracy: m.Accuracy,
	})
	return nil
}

func (r *run) interrupt(ctx context.Context) error {
	if err := r.save(ctx); err != nil {
		return fmt.Errorf("stopped after %d of %d steps, which could not be saved: %w", r.step, r.steps*r.Epochs, err)
	}
	if err := r.dev.Download(context.WithoutCancel(ctx), r.params()...); err != nil {
		return fmt.Errorf("stopped after %d of %d steps, whose weights could not be read: %w", r.step, r.steps*r.Epochs, err)
	}
	return fmt.Errorf("%w after %d of %d steps: %w", ErrInterrupted, r.step, r.steps*r.Epochs, context.Cause(ctx))
}
