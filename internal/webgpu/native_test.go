//go:build cgo && !js

package webgpu

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"
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

// leaksNothing wants that many calls to leave what the process holds as it was, to 1 MiB,
// after a fifth as many.
func leaksNothing(t *testing.T, times int, call func() error) {
	t.Helper()
	resident := func() (kB int) {
		runtime.GC()
		debug.FreeOSMemory()
		status, err := os.ReadFile("/proc/self/status")
		if err != nil {
			t.Skip("the system has no /proc/self/status")
		}
		for line := range strings.Lines(string(status)) {
			if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &kB); err == nil {
				return kB
			}
		}
		t.Fatalf("no VmRSS in %s", status)
		return 0
	}
	again := func(times int) {
		for range times {
			if err := call(); err != nil {
				t.Fatal(err)
			}
		}
	}
	again(times / 5)
	before := resident()
	again(times)
	if after := resident(); after-before >= 1024 {
		t.Errorf("%d kB more than the %d before, want less than 1 MiB", after-before, before)
	} else {
		t.Logf("%d kB, %d more", after, after-before)
	}
}

// TestSubmitLeaksNothing submits 10,000 times: one binding loses 900 bytes each time.
func TestSubmitLeaksNothing(t *testing.T) {
	d := open(t, DefaultLimits)
	j := newJob(t, d, 8)
	defer j.release()
	leaksNothing(t, 10_000, func() error { return errors.Join(d.Submit(j.plan, 0, 2), d.Wait(ctx)) })
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

const spin = `@group(0) @binding(0) var<storage, read_write> x: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
	var v = x[id.x];
	for (var i = 0; i < 50000; i++) { v = v * 1664525u + 1013904223u; }
	x[id.x] = v;
}`

// TestLongSubmission reads back the result of one submission of more than 5 s,
// after which one binding's Poll reports work as done that is not.
func TestLongSubmission(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 6 s")
	}
	const n = 1 << 14
	d := open(t, DefaultLimits)
	x, err := d.NewBuffer("x", 4*n, Storage)
	stage, err2 := d.NewBuffer("stage", 4*n, Staging)
	p, err3 := d.NewPipeline("spin", spin, "main", []Slot{{0, ReadWrite}})
	if err := errors.Join(err, err2, err3); err != nil {
		t.Fatal(err)
	}
	defer x.Release()
	defer stage.Release()
	defer p.Release()
	g, err := d.NewBindGroup("spin", p, Whole(x))
	if err != nil {
		t.Fatal(err)
	}
	defer g.Release()
	one := Command{Pipeline: p, Bindings: g, Groups: [3]uint32{n / 64, 1, 1}}
	runs := uint32(0)
	submit := func(count int) {
		list := slices.Repeat([]Command{one}, count)
		plan, err := d.NewPlan(append(list, Command{Src: x, Dst: stage, Size: 4 * n}))
		if err == nil {
			err = d.Submit(plan, 0, count+1)
		}
		if err != nil {
			t.Fatal(err)
		}
		runs += uint32(count)
		plan.Release()
	}
	wait := func() time.Duration {
		start := time.Now()
		if err := d.Wait(ctx); err != nil {
			t.Fatal(err)
		}
		return time.Since(start)
	}
	submit(1) // compiles
	wait()
	submit(10)
	each := wait() / 10
	submit(int(6*time.Second/each) + 1)
	got := make([]byte, 4*n)
	start := time.Now()
	if err := d.Read(ctx, stage, got); err != nil {
		t.Fatal(err)
	}
	t.Logf("the read-back took %v", time.Since(start))
	want := uint32(0)
	for range runs * 50_000 {
		want = want*1664525 + 1013904223
	}
	for i := range n {
		if v := binary.LittleEndian.Uint32(got[4*i:]); v != want {
			t.Fatalf("x[%d] is %d after %d runs, want %d", i, v, runs, want)
		}
	}
}
