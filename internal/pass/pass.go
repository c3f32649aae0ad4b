// Package pass lowers the recorded list of a tape to the launches of a program: one file
// for each pass, one table for their order.
package pass

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/pumice-ml/pumice/internal/engine"
	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/internal/tune"
)

// lowering is the list of a tape on its way through the passes that change it.
type lowering struct {
	tape   *ir.Tape
	dev    *tune.Device
	list   []ir.Dispatch
	values map[*ir.Slot][]float32 // of the tensors that are hoisted out of the list
	runs   func(ir.Pass) bool
	place  *Placement // nil where nothing is merged
}

// Placement says where the tensors of a program lie on its device.
type Placement struct {
	Name    string                      // of the program
	Guard   int                         // elements behind each tensor, where it is judged
	Buffers map[*ir.Slot]*engine.Buffer // of all tensors that have one
	Owned   map[*ir.Slot]*engine.Buffer // those that belong to the program
	Wholes  map[*ir.Slot]*engine.Buffer // those that others have places in, where it is judged
	Params  []*ir.Param                 // that the program uses on the device
}

// bake reports whether params are constants of the texts.
func (l *lowering) bake() bool { return l.runs(ir.Specialise) }

// lowerings are the passes from the recorded list to that of the device, in their order:
// what each does, and what is done where it is left out. The reference device has the
// first alone; those that merge need to know where tensors lie.
func lowerings() []step {
	return []step{
		{pass: ir.Prune, apply: func(l *lowering) error { l.list = prune(l.list); return nil }},
		{pass: ir.Hoist, apply: func(l *lowering) error { l.list, l.values = hoist(l.list); return nil }},
		{pass: ir.Fuse, apply: (*lowering).fuse},
		{pass: ir.Choose, apply: func(l *lowering) error { return l.choose(l.tape.Switches().Variant) }, except: func(l *lowering) error { return l.choose(ir.Plain) }},
		{pass: ir.Accumulate, apply: func(l *lowering) error { return l.accumulate(true) }, except: func(l *lowering) error { return l.accumulate(false) }},
		{pass: ir.Overwrite, apply: (*lowering).overwrite},
		{pass: ir.Check, apply: (*lowering).check, except: (*lowering).mark},
		{pass: ir.Batch, apply: (*lowering).batch, merges: true},
		{pass: ir.Chain, apply: (*lowering).chain, merges: true},
		{pass: ir.Join, apply: (*lowering).join, merges: true},
	}
}

func (l *lowering) accumulate(assign bool) error {
	l.list = accumulate(l.list, l.tape.Kept(), func(k *ir.Kernel) bool { return assign && l.dev.Assigns(k) })
	return nil
}

type step struct {
	pass          ir.Pass
	apply, except func(l *lowering) error
	merges        bool
}

// mark makes launches as the tape's switches and the verdicts on their texts want them.
func (l *lowering) mark() error {
	for i := range l.list {
		d := &l.list[i]
		d.Row = l.tape.Switches().Row
		d.Uniform = d.Uniform || l.dev.Fails(d, l.bake())
	}
	return nil
}

// check is mark, and an error where a kernel is left that computes wrong numbers.
func (l *lowering) check() error {
	for i := range l.list {
		k := l.list[i].Kernel
		if reason, ok := l.dev.Condemned(l.list[i : i+1])[k]; ok {
			return fmt.Errorf("compute: kernel %s on %s: %s: %w", k.Name(), l.dev.Info().Name, reason, ir.ErrWrongNumbers)
		}
	}
	return l.mark()
}

// Lower applies the passes that run to the list of a tape, for dev, and returns the
// numbers of the tensors that are hoisted out of it. Where place is nil nothing is merged.
// It adds tensors to the tape (see ir.Tape.Unchanged).
func Lower(t *ir.Tape, dev *tune.Device, runs func(ir.Pass) bool, place *Placement) (list []ir.Dispatch, values map[*ir.Slot][]float32, err error) {
	l := &lowering{tape: t, dev: dev, list: t.All(), values: map[*ir.Slot][]float32{}, runs: runs, place: place}
	for i, p := range lowerings() {
		do := p.apply
		if !runs(p.pass) {
			do = p.except
		}
		if do == nil || i > 0 && dev.IsReference() || p.merges && place == nil {
			continue
		}
		if err := do(l); err != nil {
			return nil, nil, err
		}
	}
	return l.list, l.values, nil
}

// Runs reports whether a pass runs: it is left out neither here nor by PUMICE_DEBUG.
func Runs(without []ir.Pass) func(ir.Pass) bool {
	debug := strings.Split(os.Getenv("PUMICE_DEBUG"), ",")
	return func(p ir.Pass) bool {
		return !slices.Contains(without, p) && !slices.Contains(debug, "-"+string(p))
	}
}
