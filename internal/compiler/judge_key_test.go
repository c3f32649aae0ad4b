package compiler

import (
	"slices"
	"sync"
	"testing"

	"github.com/pumice-ml/pumice/internal/ir"
)

// TestKeysOfTexts wants the key of each launch, merged or not, stored as f16 or not, to be
// that of the very text that the driver gets, so that whatever changes a text, such as
// another way to rewrite it, changes the key; and of no other text.
func TestKeysOfTexts(t *testing.T) {
	ownCache(t)
	dev := must(open(t.Context()))
	defer dev.Close()
	var lock sync.Mutex // several goroutines compile
	var sent []string
	dev.Driver = func(text string) string {
		lock.Lock()
		defer lock.Unlock()
		sent = append(sent, text)
		return text
	}
	storages := []ir.DType{ir.F32}
	if dev.Stores(ir.F16) == nil {
		storages = append(storages, ir.F16)
	}
	for _, c := range merges {
		for _, storage := range storages {
			tape := newTape(dev)
			tape.Storage = storage
			_, y := c.record(tape)
			tape.Keep(y)
			p := must(Compile(tape))
			defer p.Close()
			for i := range p.list {
				d := &p.list[i]
				text := must(d.Text(p.bake))
				if !slices.Contains(sent, text) {
					t.Errorf("%s: the driver did not get\n%s", d.Kernel.Name(), text)
				}
				if key := dev.Key(d, text); !dev.Remembers(key) || dev.Remembers(dev.Key(d, text+"\n")) {
					t.Errorf("%s: its key %s, that of the text, is not remembered, or another one is", d.Kernel.Name(), key)
				}
			}
		}
	}
}
