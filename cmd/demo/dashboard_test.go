//go:build !js

package main

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/lipgloss"

	"github.com/pumice-ml/pumice/train"
)

// samples are those of two epochs of 10 steps of 64 examples, one each 200 ms; the loss
// of step n, counted from 1 over both, is 1/n.
func samples(n int) (all []sample) {
	sum := 0.0
	for i := range n {
		step := i%10 + 1
		if step == 1 {
			sum = 0
		}
		sum += 1 / float64(i+1)
		all = append(all, sample{
			Progress: train.Progress{Epoch: i/10 + 1, Epochs: 2, Step: step, Steps: 10, Images: 64 * step, Loss: sum / float64(step), Accuracy: 0.5},
			at:       time.Unix(0, int64(i)*200e6), memory: 12345678,
		})
	}
	return all
}

// TestPrintedAfterEnd wants lines to be printed, by nobody who waits, when the dashboard
// has ended.
func TestPrintedAfterEnd(t *testing.T) {
	var out bytes.Buffer
	d := newDashboard(&out, caption{})
	d.close()
	printed := make(chan struct{})
	go func() {
		d.println("epoch 2")
		close(printed)
	}()
	select {
	case <-printed:
	case <-time.After(10 * time.Second):
		t.Fatal("println waits")
	}
	if !strings.HasSuffix(out.String(), "epoch 2\n") {
		t.Errorf("printed %q", out.String())
	}
}

// TestTrace wants a point for what happened since the sample before, the speed, and
// the time left.
func TestTrace(t *testing.T) {
	var tr trace
	for _, s := range samples(15) {
		tr.add(s)
	}
	if len(tr.train) != 15 {
		t.Fatalf("%d points, want 15", len(tr.train))
	}
	for i, p := range tr.train {
		if want := 1 / float64(i+1); math.Abs(p.loss-want) > 1e-12 || math.Abs(p.epoch-float64(i+1)/10) > 1e-12 {
			t.Errorf("point %d: loss %v at epoch %v, want %v at %v", i, p.loss, p.epoch, want, float64(i+1)/10)
		}
	}
	if math.Abs(tr.rate-320) > 1e-9 {
		t.Errorf("%v examples per second, want 64 in 0.2 s", tr.rate)
	}
	// 5 steps of 0.2 s are left of the last epoch.
	if d, ok := tr.left(); !ok || (d-time.Second).Abs() > time.Millisecond {
		t.Errorf("%v left, %v, want 1 s", d, ok)
	}
	for i := range 5000 {
		tr.add(sample{Progress: train.Progress{Epoch: 3, Epochs: 3, Step: i + 1, Steps: 5000, Images: i + 1}, at: time.Unix(int64(i), 0)})
	}
	if len(tr.train) > 2000 {
		t.Errorf("%d points are kept", len(tr.train))
	}
}

// TestBoard wants each line to fit, whatever the terminal, and curves where there is
// room.
func TestBoard(t *testing.T) {
	b := tea.Model(board{caption: caption{device: "a device with a rather long name (and a driver)", run: "cnn on digits", classes: true, held: "test", unit: "images"}})
	if v := b.View(); v != "" {
		t.Errorf("before the first sample it draws %q", v)
	}
	for _, s := range samples(15) {
		b, _ = b.Update(s)
	}
	b, _ = b.Update(point{1, 0.3, 0.75})
	for _, size := range []struct{ width, height, curves int }{{160, 50, 2}, {100, 30, 2}, {80, 16, 2}, {40, 24, 2}, {40, 10, 0}, {20, 10, 0}, {8, 3, 0}} {
		m, _ := b.Update(tea.WindowSizeMsg{Width: size.width, Height: size.height})
		view := m.View()
		lines := strings.Split(view, "\n")
		for _, l := range lines {
			if w := lipgloss.Width(l); w > size.width {
				t.Errorf("%dx%d: a line of %d: %q", size.width, size.height, w, l)
			}
		}
		if size.height >= 10 && len(lines) >= size.height {
			t.Errorf("%dx%d: %d lines", size.width, size.height, len(lines))
		}
		if got := strings.Count(view, "by epoch"); got != size.curves {
			t.Errorf("%dx%d: %d curves, want %d\n%s", size.width, size.height, got, size.curves, view)
		}
		if size.curves > 0 {
			for _, want := range []string{"cnn on digits", "a device", "loss", "accuracy in %", "⠒ train", "◆ test", "epoch 2/2", "step 5/10", "320 images/s", "ETA 1s", "12.3 MB", "50.00%"} {
				if !strings.Contains(view, want) {
					t.Errorf("%dx%d: no %q in\n%s", size.width, size.height, want, view)
				}
			}
		}
	}
	m, cmd := b.Update(gone{})
	if m.View() != "" || cmd == nil || fmt.Sprint(cmd()) != fmt.Sprint(tea.Quit()) {
		t.Errorf("at its end it draws %q", m.View())
	}
}
