package report

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// The numbers of the fields below are those of event.proto, summary.proto and
// histogram.proto (TensorBoard, compat/proto).

// Events writes a TensorBoard event file: TFRecords of Event messages. Its methods
// return the error of the writer. It is used by one goroutine.
type Events struct {
	w   io.Writer
	now func() time.Time
}

// NewEvents starts an event file on w, with the version that readers expect.
func NewEvents(w io.Writer) (*Events, error) { return newEvents(w, time.Now) }

func newEvents(w io.Writer, now func() time.Time) (*Events, error) {
	e := &Events{w, now}
	version := protowire.AppendTag(nil, 3, protowire.BytesType) // Event.file_version
	return e, e.write(0, protowire.AppendString(version, "brain.Event:2"))
}

// EventsName is the name of an event file in a folder, which TensorBoard finds by
// its beginning; files of one run are read in the order of their names.
func EventsName(start time.Time) string {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "localhost"
	}
	return fmt.Sprintf("events.out.tfevents.%010d.%s.%09d", start.Unix(), filepath.Base(host), start.Nanosecond())
}

// Scalar writes a number. A number that is not finite is written as it is.
func (e *Events) Scalar(tag string, step int, v float64) error {
	b := protowire.AppendTag(nil, 2, protowire.Fixed32Type) // Value.simple_value
	return e.summary(tag, step, protowire.AppendFixed32(b, math.Float32bits(float32(v))))
}

// Histogram writes how numbers are spread, in TensorBoard's own buckets. Those that
// are not finite are left out; without any other nothing is written.
func (e *Events) Histogram(tag string, step int, values []float32) error {
	h := newTensorHistogram(values)
	if h == nil {
		return nil
	}
	b := protowire.AppendTag(nil, 5, protowire.BytesType) // Value.histo
	return e.summary(tag, step, protowire.AppendBytes(b, h.encode()))
}

// Image writes a picture, as PNG.
func (e *Events) Image(tag string, step int, img image.Image) error {
	var file bytes.Buffer
	if err := png.Encode(&file, img); err != nil {
		return fmt.Errorf("report: event %s: %w", tag, err)
	}
	size := img.Bounds()
	var m []byte
	for field, v := range []int{size.Dy(), size.Dx(), 4} { // height, width, colours of RGBA
		m = protowire.AppendTag(m, protowire.Number(field+1), protowire.VarintType)
		m = protowire.AppendVarint(m, uint64(v))
	}
	m = protowire.AppendTag(m, 4, protowire.BytesType)
	m = protowire.AppendBytes(m, file.Bytes())
	b := protowire.AppendTag(nil, 4, protowire.BytesType) // Value.image
	return e.summary(tag, step, protowire.AppendBytes(b, m))
}

// Restart says that a run goes on from a step: readers drop what earlier files hold
// of that step and later ones.
func (e *Events) Restart(step int) error {
	start := protowire.AppendTag(nil, 1, protowire.VarintType) // SessionLog.status
	start = protowire.AppendVarint(start, 1)                   // START
	b := protowire.AppendTag(nil, 7, protowire.BytesType)      // Event.session_log
	return e.write(step, protowire.AppendBytes(b, start))
}

// summary writes a summary of one value.
func (e *Events) summary(tag string, step int, value []byte) error {
	v := protowire.AppendTag(nil, 1, protowire.BytesType) // Value.tag
	v = append(protowire.AppendString(v, tag), value...)
	s := protowire.AppendTag(nil, 1, protowire.BytesType) // Summary.value
	s = protowire.AppendBytes(s, v)
	b := protowire.AppendTag(nil, 5, protowire.BytesType) // Event.summary
	return e.write(step, protowire.AppendBytes(b, s))
}

func (e *Events) write(step int, what []byte) error {
	at := e.now()
	b := protowire.AppendTag(nil, 1, protowire.Fixed64Type) // Event.wall_time, seconds
	b = protowire.AppendFixed64(b, math.Float64bits(float64(at.UnixMicro())/1e6))
	b = protowire.AppendTag(b, 2, protowire.VarintType) // Event.step
	b = protowire.AppendVarint(b, uint64(step))
	if err := writeRecord(e.w, append(b, what...)); err != nil {
		return fmt.Errorf("report: events: %w", err)
	}
	return nil
}
