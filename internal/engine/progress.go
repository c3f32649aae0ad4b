package engine

import (
	"slices"
	"sync"
)

// What a device does before a program can run.
const (
	Compiling = "compile" // the driver makes machine code of a text
	Judging   = "judge"   // what a text computes is tested
)

// Progress says how far a device is with building programs, all of them together: Done of
// the Total kernels of a stage. Total grows where another program begins meanwhile, and
// starts anew once all are done.
type Progress struct {
	Stage       string // Compiling or Judging
	Done, Total int
	Name        string // the kernel just done; "" at the beginning
}

// OnProgress has f called when building begins and with each kernel that is done, from
// one goroutine at a time, until remove is called. f must return soon, and must not call
// OnProgress or remove, nor compile.
func (d *Device) OnProgress(f func(Progress)) (remove func()) {
	p := &d.Progress
	p.Lock()
	defer p.Unlock()
	l := &listener{f}
	p.listeners = append(p.listeners, l)
	return func() {
		p.Lock()
		defer p.Unlock()
		p.listeners = slices.DeleteFunc(p.listeners, func(other *listener) bool { return other == l })
	}
}

type listener struct{ f func(Progress) }

// progress is what a device tells of building.
type progress struct {
	sync.Mutex
	listeners []*listener
	stages    map[string]*Progress
}

// Begin announces that so many kernels go through a stage. Each call of done, of which
// there must be as many, says that one has.
func (p *progress) Begin(stage string, kernels int) (done func(name string)) {
	if kernels == 0 {
		return func(string) {}
	}
	p.Lock()
	defer p.Unlock()
	if p.stages == nil {
		p.stages = map[string]*Progress{}
	}
	now := p.stages[stage]
	if now == nil || now.Done == now.Total {
		now = &Progress{Stage: stage}
		p.stages[stage] = now
	}
	now.Total += kernels
	now.Name = ""
	p.tell(*now)
	return func(name string) {
		p.Lock()
		defer p.Unlock()
		now.Done++
		now.Name = name
		p.tell(*now)
	}
}

func (p *progress) tell(now Progress) {
	for _, l := range p.listeners {
		l.f(now)
	}
}
