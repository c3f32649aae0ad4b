//go:build cgo && !js

package webgpu

import (
	"errors"
	"testing"
	"unsafe"
)

func TestSubmitAllocatesNothing(t *testing.T) {
	d := open(t, DefaultLimits)
	j := newJob(t, d, 8)
	defer j.release()
	if n := testing.AllocsPerRun(100, func() {
		if err := errors.Join(d.Submit(j.plan, 0, 2), d.Wait(ctx)); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("Submit and Wait allocate %v times, want 0", n)
	}
}

// TestHandles checks that the binding's objects still keep their handle where
// the door looks for it.
func TestHandles(t *testing.T) {
	d := open(t, DefaultLimits)
	if raw(d.dev) == nil || raw(d.dev) != d.raw {
		t.Error("the device's handle is not where it was")
	}
	v := uint64(7)
	if b := bufferOf(unsafe.Pointer(&v)); raw(b) != unsafe.Pointer(&v) {
		t.Error("a handle that was set does not come back")
	}
}
