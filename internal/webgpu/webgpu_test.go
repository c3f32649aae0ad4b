//go:build cgo || js

package webgpu

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

var ctx = context.Background()

func open(t testing.TB, limits Limits) *Device {
	t.Helper()
	list, err := Adapters()
	if err != nil || len(list) == 0 {
		t.Fatalf("no adapter: %v", err)
	}
	d, err := list[0].Open("test", limits, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Release)
	return d
}

const double = `@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> y: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) { if id.x < arrayLength(&x) { y[id.x] = 2u * x[id.x]; } }`

var slots = []Slot{{0, Read}, {1, ReadWrite}}

// job doubles x into y and copies y to a staging buffer.
type job struct {
	d           *Device
	x, y, stage *Buffer
	p           *Pipeline
	g           *BindGroup
	plan        *Plan
}

func newJob(t testing.TB, d *Device, n int) *job {
	t.Helper()
	j := &job{d: d}
	var errs [7]error
	j.x, errs[0] = d.NewBuffer("x", uint64(4*n), Storage)
	j.y, errs[1] = d.NewBuffer("y", uint64(4*n), Storage)
	j.stage, errs[2] = d.NewBuffer("stage", uint64(4*n), Staging)
	j.p, errs[3] = d.NewPipeline("double", double, "main", slots)
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	j.g, errs[4] = d.NewBindGroup("double", j.p, Whole(j.x, j.y))
	j.plan, errs[5] = d.NewPlan([]Command{
		{Pipeline: j.p, Bindings: j.g, Groups: [3]uint32{uint32(n+63) / 64, 1, 1}},
		{Src: j.y, Dst: j.stage, Size: uint64(4 * n)},
	})
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	return j
}

func (j *job) release() {
	j.plan.Release()
	j.g.Release()
	j.p.Release()
	j.x.Release()
	j.y.Release()
	j.stage.Release()
}

func words(v ...uint32) []byte {
	var b []byte
	for _, w := range v {
		b = binary.LittleEndian.AppendUint32(b, w)
	}
	return b
}

func TestDouble(t *testing.T) {
	d := open(t, DefaultLimits)
	j := newJob(t, d, 3)
	defer j.release()
	got := make([]byte, 12)
	for _, err := range []error{d.Write(j.x, 0, words(1, 2, 3)), d.Submit(j.plan, 0, 2), d.Read(ctx, j.stage, got)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(got, words(2, 4, 6)) {
		t.Errorf("got % x, want 2, 4, 6", got)
	}
	// a write at an offset, and only the copy: y keeps what it had
	for _, err := range []error{d.Write(j.x, 4, words(50)), d.Submit(j.plan, 1, 2), d.Read(ctx, j.stage, got)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(got, words(2, 4, 6)) {
		t.Errorf("got % x, want 2, 4, 6", got)
	}
	if err := errors.Join(d.Submit(j.plan, 0, 2), d.Wait(ctx), d.Read(ctx, j.stage, got)); err != nil || !bytes.Equal(got, words(2, 100, 6)) {
		t.Errorf("%v: got % x, want 2, 100, 6", err, got)
	}
}

// TestReadbacksUnderCollection is for bindings that keep the address of a Go
// variable in MapAsync: readbacks with forced collections. PUMICE_READBACKS sets
// how many.
func TestReadbacksUnderCollection(t *testing.T) {
	n := 2000
	if s := os.Getenv("PUMICE_READBACKS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	d := open(t, DefaultLimits)
	j := newJob(t, d, 4)
	defer j.release()
	got := make([]byte, 16)
	for i := range uint32(n) {
		if err := errors.Join(d.Write(j.x, 0, words(i, 1, 2, 3)), d.Submit(j.plan, 0, 2), d.Read(ctx, j.stage, got)); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, words(2*i, 2, 4, 6)) {
			t.Fatalf("readback %d: got % x", i, got)
		}
		if i%16 == 0 {
			runtime.GC()
		}
	}
}

// TestRanges binds the second half of one buffer and the first of another.
func TestRanges(t *testing.T) {
	d := open(t, DefaultLimits)
	const n = 64 // elements of 256 bytes
	j := newJob(t, d, 2*n)
	g, err := d.NewBindGroup("halves", j.p, []Range{{Buffer: j.x, Offset: 4 * n, Size: 4 * n}, {Buffer: j.y, Size: 4 * n}})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Release()
	plan, err := d.NewPlan([]Command{{Pipeline: j.p, Bindings: g, Groups: [3]uint32{2, 1, 1}}, {Src: j.y, Dst: j.stage, Size: 8 * n}})
	if err != nil {
		t.Fatal(err)
	}
	defer plan.Release()
	in, out := make([]byte, 8*n), make([]byte, 8*n)
	for i := range in {
		in[i] = byte(i % 128)
		if i%4 != 0 {
			in[i] = 0
		}
	}
	for _, err := range []error{d.Write(j.x, 0, in), d.Write(j.y, 0, make([]byte, 8*n)), d.Submit(plan, 0, 2), d.Read(ctx, j.stage, out)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := 0; i < 8*n; i += 4 {
		want := byte(0)
		if i < 4*n {
			want = 2 * in[4*n+i]
		}
		if out[i] != want {
			t.Fatalf("byte %d is %d, want %d", i, out[i], want)
		}
	}
}

// TestPipelines makes many at once: each of those that are wrong has an error, and only those.
func TestPipelines(t *testing.T) {
	d := open(t, DefaultLimits)
	j := newJob(t, d, 4)
	for _, wrong := range [][]int{nil, {0}, {3, 4, 11}} {
		list := make([]Source, 12)
		for i := range list {
			list[i] = Source{"double", fmt.Sprintf("%s// %d of %v\n", double, i, wrong), "main", slots}
			if slices.Contains(wrong, i) {
				list[i].Label, list[i].WGSL = fmt.Sprintf("wrong %d", i), "fn main() { nonsense }"
			}
		}
		pipelines, errs := d.NewPipelines(list, func(int) {})
		for i, p := range pipelines {
			if slices.Contains(wrong, i) {
				if p != nil || !errors.Is(errs[i], ErrInvalid) || !strings.Contains(errs[i].Error(), list[i].Label) {
					t.Errorf("wrong %v: %d is %v, error %v", wrong, i, p, errs[i])
				}
				continue
			}
			if errs[i] != nil {
				t.Fatalf("wrong %v: %d: %v", wrong, i, errs[i])
			}
			if _, err := d.NewBindGroup("double", p, Whole(j.x, j.y)); err != nil {
				t.Errorf("wrong %v: %d has no use: %v", wrong, i, err)
			}
			p.Release()
		}
	}
}

func TestErrors(t *testing.T) {
	d := open(t, DefaultLimits)
	j := newJob(t, d, 4)
	ended, cancel := context.WithCancel(ctx)
	cancel()
	_, shader := d.NewPipeline("bad shader", "fn main() { nonsense }", "main", nil)
	_, entry := d.NewPipeline("no entry", double, "other", slots)
	_, large := d.NewBuffer("large", DefaultLimits.BufferSize+4, Storage)
	_, few := d.NewBindGroup("few", j.p, Whole(j.x))
	_, behind := d.NewBindGroup("behind", j.p, []Range{{Buffer: j.x, Offset: 256, Size: 4}, {Buffer: j.y}})
	_, both := d.NewBindGroup("kind", j.p, Whole(j.x, j.stage))
	_, beyond := d.NewPlan([]Command{{Src: j.x, Dst: j.y, Size: 32}})
	_, same := d.NewPlan([]Command{{Src: j.x, Dst: j.x, Size: 4}})
	for name, c := range map[string]struct {
		err  error
		is   error
		text string
	}{
		"shader":        {shader, ErrInvalid, "bad shader"},
		"entry point":   {entry, ErrInvalid, "no entry"},
		"buffer":        {large, ErrInvalid, "268435460 bytes, at most 268435456"},
		"group size":    {few, ErrInvalid, "1 buffers, want 2"},
		"range":         {behind, ErrInvalid, "bytes 256 to 260 of buffer \"x\", which has 16"},
		"buffer kind":   {both, ErrInvalid, "kind"},
		"copy beyond":   {beyond, ErrInvalid, "32 bytes"},
		"copy to self":  {same, ErrInvalid, `"x"`},
		"write beyond":  {d.Write(j.x, 12, words(1, 2)), ErrInvalid, "8 bytes at 12"},
		"write staging": {d.Write(j.stage, 0, words(1)), ErrInvalid, "stage"},
		"read storage":  {d.Read(ctx, j.x, make([]byte, 4)), ErrInvalid, `"x"`},
		"submit range":  {d.Submit(j.plan, 1, 3), ErrInvalid, "1 to 3 of 2"},
		"read ended":    {d.Read(ended, j.stage, make([]byte, 4)), context.Canceled, ""},
		"wait ended":    {d.Wait(ended), context.Canceled, ""},
	} {
		if !errors.Is(c.err, c.is) || !strings.Contains(c.err.Error(), c.text) {
			t.Errorf("%s: got %v, want %v with %q", name, c.err, c.is, c.text)
		}
	}
	j.release()
	j.release()
	for name, err := range map[string]error{
		"submit": d.Submit(j.plan, 0, 1), "write": d.Write(j.x, 0, words(1)), "read": d.Read(ctx, j.stage, make([]byte, 4)),
	} {
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("%s after Release: got %v, want ErrInvalid", name, err)
		}
	}
}

// TestReleaseKeepsWhatIsUsed releases everything but the plan: no call may end
// in an object that is gone, which would abort the process.
func TestReleaseKeepsWhatIsUsed(t *testing.T) {
	d := open(t, DefaultLimits)
	j := newJob(t, d, 4)
	for _, err := range []error{d.Write(j.x, 0, words(1, 2, 3, 4)), d.Submit(j.plan, 0, 2)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	j.g.Release()
	j.p.Release()
	j.x.Release()
	j.y.Release()
	runtime.GC()
	got := make([]byte, 16)
	if err := errors.Join(d.Submit(j.plan, 0, 2), d.Read(ctx, j.stage, got)); err != nil || !bytes.Equal(got, words(2, 4, 6, 8)) {
		t.Errorf("%v: got % x", err, got)
	}
	d.Release()
	if err := d.Submit(j.plan, 0, 2); !errors.Is(err, ErrInvalid) {
		t.Errorf("submit to a released device: got %v", err)
	}
	if _, err := d.NewBuffer("b", 4, Storage); !errors.Is(err, ErrInvalid) {
		t.Errorf("buffer of a released device: got %v", err)
	}
	j.plan.Release()
	j.stage.Release()
}

func TestLimitsAndFeatures(t *testing.T) {
	list, err := Adapters()
	if err != nil || len(list) == 0 {
		t.Fatal(err)
	}
	a := list[0]
	more := a.Limits()
	more.StorageBindingSize *= 2
	if _, err := a.Open("test", more, nil); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "maxStorageBufferBindingSize") {
		t.Errorf("limits above the adapter's: got %v", err)
	}
	if _, err := a.Open("test", DefaultLimits, []string{"flying"}); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "flying") {
		t.Errorf("unknown feature: got %v", err)
	}
	for _, f := range a.Features() {
		d, err := a.Open("test", DefaultLimits, []string{f})
		if err != nil {
			t.Errorf("feature %s: %v", f, err)
			continue
		}
		d.Release()
	}
	// the guaranteed minimum has 8 storage buffers: 9 are an error, not a crash
	d := open(t, DefaultLimits)
	var text strings.Builder
	var nine []Slot
	sum := "0u"
	for i := range 9 {
		text.WriteString("@group(0) @binding(" + strconv.Itoa(i) + ") var<storage, read_write> b" + strconv.Itoa(i) + ": array<u32>;\n")
		nine = append(nine, Slot{uint32(i), ReadWrite})
		sum += " + b" + strconv.Itoa(i) + "[0]"
	}
	if _, err := d.NewPipeline("nine", text.String()+"@compute @workgroup_size(1) fn main() { b0[1] = "+sum+"; }", "main", nine); !errors.Is(err, ErrInvalid) {
		t.Errorf("9 storage buffers: got %v, want ErrInvalid", err)
	}
	if i := a.Info(); i.Name == "" || i.Backend == "" || i.Type == "" {
		t.Errorf("info is %+v", i)
	}
}

func TestManyGoroutines(t *testing.T) {
	d := open(t, DefaultLimits)
	var wg sync.WaitGroup
	for g := range uint32(8) {
		wg.Go(func() {
			j := newJob(t, d, 4)
			defer j.release()
			got := make([]byte, 16)
			for i := range uint32(40) {
				if err := errors.Join(d.Write(j.x, 0, words(g, i, 2, 3)), d.Submit(j.plan, 0, 2), d.Read(ctx, j.stage, got)); err != nil {
					t.Error(err)
					return
				}
				if !bytes.Equal(got, words(2*g, 2*i, 4, 6)) {
					t.Errorf("goroutine %d, round %d: got % x", g, i, got)
					return
				}
			}
		})
	}
	wg.Wait()
}

// TestStampRefused wants a device that was opened without timestamps to say so.
func TestStampRefused(t *testing.T) {
	d := open(t, DefaultLimits)
	j := newJob(t, d, 4)
	defer j.release()
	if _, err := d.Stamp(ctx, j.plan, 0, 2); !errors.Is(err, ErrNoStamps) {
		t.Errorf("without the feature: %v, want ErrNoStamps", err)
	}
}
