//go:build !js

package main

import (
	"fmt"
	"io"
	"math"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// bar is the progress of an epoch on a terminal.
type bar struct {
	all   *mpb.Progress
	one   *mpb.Bar
	total int
	loss  atomic.Uint64 // bits of a float64
}

func newBar(out io.Writer, images int, title string) *bar {
	b := &bar{all: mpb.New(mpb.WithOutput(out), mpb.WithWidth(40)), total: images}
	begun := time.Now()
	b.one = b.all.AddBar(int64(images), mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name(title)),
		mpb.AppendDecorators(decor.Any(func(s decor.Statistics) string {
			rate := max(float64(s.Current)/max(time.Since(begun).Seconds(), 1e-3), 1)
			left := time.Duration(float64(s.Total-s.Current) / rate * float64(time.Second))
			return fmt.Sprintf(" %.0f images/s  loss %.4f  ETA %s", rate, math.Float64frombits(b.loss.Load()), left.Round(time.Second))
		})))
	return b
}

// set moves the bar; only close completes it.
func (b *bar) set(images int, loss float64) {
	b.loss.Store(math.Float64bits(loss))
	b.one.SetCurrent(int64(min(images, b.total-1)))
}

func (b *bar) close() {
	b.one.Abort(true)
	b.all.Wait()
}
