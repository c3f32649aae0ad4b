package train

import (
	"context"
	"fmt"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers"
)

// EarlyStopping ends a run when a measure has not become better for Patience epochs: an
// epoch is better where the measure is more than MinDelta better than the best so far
// (Prechelt 1998). It depends on the history alone, so that a resumed run ends where the
// unbroken one would.
type EarlyStopping struct {
	Monitor  string  // as Epoch.Value names measures; default "test_loss"
	Patience int     // epochs; default 5
	MinDelta float64 // 0 or more
	Mode     string  // "min" or "max"; default by the measure
	// Restore has the model end with the weights of the best epoch, wherever the run
	// ends. They are kept in host memory and in the checkpoint.
	Restore bool
}

func (s *EarlyStopping) monitor() monitor {
	return monitor{"EarlyStopping", nameOr(s.Monitor, "test_loss"), s.Mode, s.MinDelta}
}

// reason is why a run with such a history ends, or "".
func (s *EarlyStopping) reason(h History) string {
	if s == nil || len(h) == 0 {
		return ""
	}
	m := s.monitor()
	at := m.best(h)
	if since := len(h) - 1 - at; since >= s.patience() {
		v, _ := h[at].Value(m.name)
		return fmt.Sprintf("%s has not become better than %.6g, of epoch %d, for %d epochs", m.name, v, h[at].Epoch, since)
	}
	return ""
}

func (s *EarlyStopping) patience() int { return int(orElse(float64(s.Patience), 5)) }

func (s *EarlyStopping) check(names []string, evaluated bool) error {
	if s.Patience < 0 {
		return fmt.Errorf("train: EarlyStopping: Patience is %d, want 1 or more", s.Patience)
	}
	return s.monitor().measured(names, evaluated)
}

// best are the weights of the best epoch, by name: all parameters of the model.
type best map[string]*compute.Param

func newBest(s *EarlyStopping, model layers.Layer) best {
	if s == nil || !s.Restore {
		return nil
	}
	b := best{}
	for name, p := range layers.Params(model) {
		b[name] = compute.NewParam("best."+name, p.Shape...)
		b[name].Frozen = true
		copy(b[name].Data, p.Data)
	}
	return b
}

// keep takes the weights on the device where the last epoch is the best.
func (r *run) keep(ctx context.Context) error {
	if r.best == nil || r.EarlyStopping.monitor().best(r.history) != len(r.history)-1 {
		return nil
	}
	if err := r.dev.Download(context.WithoutCancel(ctx), r.params()...); err != nil {
		return err
	}
	for name, p := range layers.Params(r.Model) {
		copy(r.best[name].Data, p.Data)
	}
	return nil
}

// giveBack gives the model the best weights, where an epoch was done.
func (r *run) giveBack() error {
	if r.best == nil || len(r.history) == 0 {
		return nil
	}
	for name, p := range layers.Params(r.Model) {
		copy(p.Data, r.best[name].Data)
	}
	return r.dev.Upload(r.params()...)
}
