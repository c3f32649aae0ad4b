package compute

import (
	"slices"
	"sync"
	"testing"
)

// TestKeysOfTexts wants the key of each launch, merged or not, stored as f16 or not, to be
// that of the very text that the driver gets, so that whatever changes a text, such as
// another way to rewrite it, changes the key; and of no other text.
func TestKeysOfTexts(t *testing.T) {
	ownCache(t)
	dev := must(Open(t.Context()))
	defer dev.Close()
	var lock sync.Mutex // several goroutines compile
	var sent []string
	dev.driver = func(text string) string {
		lock.Lock()
		defer lock.Unlock()
		sent = append(sent, text)
		return text
	}
	storages := []DType{F32}
	if dev.Stores(F16) == nil {
		storages = append(storages, F16)
	}
	for _, c := range merges {
		for _, storage := range storages {
			tape := NewTape(dev)
			tape.Storage = storage
			_, y := c.record(tape)
			tape.Keep(y)
			p := must(tape.Compile())
			defer p.Close()
			for i := range p.list {
				d := &p.list[i]
				text := must(d.text(p.bake))
				if !slices.Contains(sent, text) {
					t.Errorf("%s: the driver did not get\n%s", d.Kernel.name, text)
				}
				charge := must(dev.charge(d, p.bake))
				if charge.key == "" || charge.key != dev.key(d, text) || charge.key == dev.key(d, text+"\n") {
					t.Errorf("%s: the key is %s, of the text %s, of another %s", d.Kernel.name, charge.key, dev.key(d, text), dev.key(d, text+"\n"))
				}
				if !p.dev.checks.passed.has(charge.key) {
					t.Errorf("%s: not remembered", d.Kernel.name)
				}
			}
		}
	}
}
