//go:build js

package webgpu

import (
	"errors"
	"testing"
)

// TestUncaptured makes a mistake outside of any scope: the device must not go on as
// if nothing were wrong.
func TestUncaptured(t *testing.T) {
	d := open(t, DefaultLimits)
	defer d.Release()
	d.v.Call("createBuffer", map[string]any{"size": 4, "usage": 0})
	err := d.Wait(ctx)
	for range 100 {
		if err == nil {
			err = d.Wait(ctx) // the event comes when the browser gets to it
		}
	}
	if !errors.Is(err, ErrInvalid) {
		t.Errorf("after an error that nobody captured: got %v, want ErrInvalid", err)
	}
}

// TestReleaseFrees wants a buffer destroyed with its last user, not before.
func TestReleaseFrees(t *testing.T) {
	d := open(t, DefaultLimits)
	defer d.Release()
	j := newJob(t, d, 4)
	j.x.Release()
	j.x.Release()
	if n := j.x.users.Load(); n == 0 {
		t.Error("a buffer that a plan uses is freed")
	}
	j.plan.Release()
	j.g.Release()
	if n := j.x.users.Load(); n != 0 {
		t.Errorf("a released buffer has %d users", n)
	}
}

// TestLost destroys the device under its owner, as a driver reset does.
func TestLost(t *testing.T) {
	d := open(t, DefaultLimits)
	defer d.Release()
	d.v.Call("destroy")
	err := d.Wait(ctx)
	for range 100 {
		if err == nil {
			err = d.Wait(ctx)
		}
	}
	if !errors.Is(err, ErrLost) {
		t.Errorf("after the loss of the device: got %v, want ErrLost", err)
	}
	if _, err := d.NewBuffer("b", 4, Storage); !errors.Is(err, ErrLost) {
		t.Errorf("a buffer of a lost device: got %v, want ErrLost", err)
	}
}
